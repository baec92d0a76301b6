"""The train step of a pipeline: in its own pod, or over several nodes by a TrainJob that it makes and follows."""

import os
import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.identity import checkpoint_digest
from ratchet.storage import file_digest
from ratchet.train.follow import Api, followed
from ratchet.train.launch import trained
from ratchet.train.sft import SFT
from ratchet.train.trainjob import asked, job_name, manifest, mounted

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SEEN_S = 120  # a network volume may show another node's files that late


def trained_on(
    checkpoint: Path, examples: Path, out: Path, settings: SFT, nodes: int = 1, job: Mapping[str, Any] | None = None
) -> Path:
    """`out`, as `train_sft` makes it: by this pod's accelerators, or with more nodes than one by a TrainJob's pods.

    `job` says what differs from the step's own pod (trainjob.Asked). What the step was given outside the workspace is
    copied into it, beside `out`, for the time of the job.
    """
    wanted = asked(job or {})  # so that a mistake is found with one node too
    if nodes == 1 or out.exists():
        return trained(checkpoint, examples, out, settings, None if nodes == 1 else 1)
    api = _api()
    pod = api.core("read_namespaced_pod", os.environ.get("KFP_POD_NAME") or socket.gethostname())
    mount = Path(mounted(pod, out)[1]["mountPath"])
    given = out.with_name(out.name + ".given")
    places = (
        _within(mount, checkpoint, given, checkpoint_digest(checkpoint)),
        _within(mount, examples, given, file_digest(examples)),
    )
    command = train_command(*places, out, settings)
    wished = manifest(job_name(out), command, out, nodes, wanted, pod)
    followed(api, wished, wanted.start_limit_s, wanted.limit_s)
    _await_result(out)
    shutil.rmtree(given, ignore_errors=True)
    return out


def train_command(checkpoint: Path, examples: Path, out: Path, settings: SFT) -> list[str]:
    """The command of each node: `ratchet train`, which starts torchrun with the settings that Trainer hands it."""
    options = {
        "checkpoint": checkpoint,
        "examples": examples,
        "out": out,
        "epochs": settings.epochs,
        "batch-size": settings.batch_size,
        "learning-rate": settings.learning_rate,
        "max-length": settings.max_length,
        "seed": settings.seed,
    }
    return ["ratchet", "train", *(f"--{name}={value}" for name, value in options.items())]


def _api() -> Api:
    """The API of the cluster that this pod is in."""
    from kubernetes import client, config

    try:
        config.load_incluster_config()
    except config.ConfigException as error:
        raise InputError(
            f"no Kubernetes API ({error})",
            where="nodes",
            expected="a pod with a service account's token, to train on several nodes",
            next="train on one node here",
        ) from error
    return Api(client.ApiClient(), (ACCOUNT / "namespace").read_text().strip())


def _within(mount: Path, path: Path, given: Path, digest: str) -> Path:
    """The path, where all nodes have it; else a copy beside the result, named by its digest: never a stale one."""
    if path.is_relative_to(mount):
        return path
    copy = given / f"{digest.rpartition(':')[2][:16]}-{path.name}"
    if not copy.exists():
        partial = copy.with_name(copy.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, partial)
        else:
            shutil.copy2(path, partial)
        partial.rename(copy)
    return copy


def _await_result(out: Path) -> None:
    end = time.monotonic() + SEEN_S
    while not out.is_dir():
        if time.monotonic() > end:
            raise InputError(
                "not there although the TrainJob is complete",
                where=out,
                expected="the nodes' workspace to be this step's",
            )
        list(out.parent.iterdir())  # asks the server of a network volume anew
        time.sleep(1)
