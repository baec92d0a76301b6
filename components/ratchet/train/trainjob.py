"""The TrainJob that trains over several nodes: what is asked for, and its manifest, made like the step's own pod.

The definitions are those of Kubeflow Trainer 2.0 (trainer.kubeflow.org/v1alpha1). What a TrainJob can't say of its
pods, their security context first of all, is in the runtime that it names (docs/train.md).
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ratchet.config import Strict
from ratchet.errors import InputError
from ratchet.images import SCRATCH

GROUP, VERSION, PLURAL = "trainer.kubeflow.org", "v1alpha1", "trainjobs"
NODE = "node"  # the name, in every runtime of Trainer's, of the job of the nodes and of its container
ACCELERATOR = "nvidia.com/gpu"
MADE_FROM = "ratchet/made-from"  # annotation: the digest of the specification
HOUR_S = 3600
Object = Mapping[str, Any]


class Asked(Strict):
    """What a run says of its TrainJobs; what it leaves empty is as in the step's own pod."""

    runtime: str = "torch-distributed"
    runtime_kind: str = Field("ClusterTrainingRuntime", pattern="^(Cluster)?TrainingRuntime$")
    gpus: str = Field("", pattern="^[0-9]*$")
    """Accelerators of a node; the step's own pod only waits and needs none."""
    cpu: str = ""
    memory: str = ""
    service_account: str = ""
    """Of the nodes' pods, for secrets to pull images with; they need no rights. Unless said, the runtime's."""
    env: dict[str, str] = {}
    """More environment of the nodes, such as NCCL's settings."""
    start_limit_s: int = Field(HOUR_S, ge=1)
    """Longest time in which not all nodes run; waiting in a queue is not counted."""
    limit_s: int = Field(71 * HOUR_S, ge=1)
    """Longest time of all: less than the step's own limit, which would leave no time to remove the job."""


def asked(said: Mapping[str, Any]) -> Asked:
    """The settings in the run's parameter, checked."""
    try:
        return Asked.model_validate(dict(said))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        found = f"{name} = {first['input']!r} ({first['msg']})"
        raise InputError(found, where="train_job", expected="one of " + ", ".join(Asked.model_fields)) from None


def job_name(out: Path) -> str:
    """The name of the job whose result goes to that folder: the same for every start of the step.

    It has 40 characters at most, since the pods' names, 63 at most, begin with it.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", out.parent.name.lower()).strip("-")[:20].strip("-")
    digest = hashlib.sha256(str(out.absolute()).encode()).hexdigest()[:10]
    return "-".join(part for part in ("ratchet", slug, digest) if part)


def manifest(name: str, command: Sequence[str], workspace: Path, nodes: int, job: Asked, pod: Object) -> dict[str, Any]:
    """The TrainJob: `command` on each node, with the image, nodes and volume claim of `pod`, the step's own.

    `workspace` is a folder that the pod has from a volume claim. What owns the pod (Kubeflow's workflow) owns the job,
    which then does not outlive it.
    """
    container, mount = mounted(pod, workspace)
    claim = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == mount["name"])
    resources = _resources(container.get("resources") or {}, job)
    processes = max(1, sum(int(count) for key, count in resources["limits"].items() if "gpu" in key))
    environment = {"OMP_NUM_THREADS": str(_threads(resources["limits"], processes))} | job.env
    spec = {
        "runtimeRef": {"apiGroup": GROUP, "kind": job.runtime_kind, "name": job.runtime},
        "trainer": {
            "image": container["image"],
            "command": list(command),
            "env": [{"name": key, "value": value} for key, value in environment.items()],
            "numNodes": nodes,
            "numProcPerNode": processes,
            "resourcesPerNode": resources,
        },
        "podSpecOverrides": [_overrides(pod, claim, mount, job)],
    }
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
    metadata: dict[str, Any] = {"name": name, "labels": {"app.kubernetes.io/part-of": "ratchet"}}
    metadata["annotations"] = {MADE_FROM: digest}
    owners = pod["metadata"].get("ownerReferences") or []
    # Without these two an owner is not asked for rights that a step has not got.
    metadata["ownerReferences"] = [{**one, "controller": False, "blockOwnerDeletion": False} for one in owners]
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "TrainJob", "metadata": metadata, "spec": spec}


def mounted(pod: Object, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The container of the pod, and its mount, that has the folder from a volume claim."""
    claims = {one["name"] for one in pod["spec"].get("volumes") or [] if one.get("persistentVolumeClaim")}
    for container in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]:
        for mount in container.get("volumeMounts") or []:
            if mount["name"] in claims and folder.is_relative_to(mount["mountPath"]):
                return container, mount
    raise InputError(
        "not on a volume claim of this pod",
        where=folder,
        expected="a workspace that the pods of all nodes can mount (ReadWriteMany)",
        next="name the claim in cluster_claim and a folder of it in run_workspace",
    )


def _resources(own: Object, job: Asked) -> dict[str, dict[str, str]]:
    """Limits and requests of a node. Accelerators stand in both: by the requests Trainer counts a node's processes."""
    limits = dict(own.get("limits") or {})
    accelerator = next((key for key in limits if "gpu" in key), ACCELERATOR)
    limits |= {key: said for key, said in (("cpu", job.cpu), ("memory", job.memory)) if said}
    if job.gpus:
        limits[accelerator] = job.gpus
    if limits.get(accelerator) == "0":
        del limits[accelerator]
    smaller = {key: said for key, said in (own.get("requests") or {}).items() if "gpu" not in key}
    smaller = {key: said for key, said in smaller.items() if not getattr(job, key, "")}
    return {"limits": limits, "requests": limits | smaller}


def _threads(limits: Mapping[str, str], processes: int) -> int:
    """A process's share of the processors: it would take those of the whole machine for its own, and be throttled."""
    cpu = limits.get("cpu", "1")
    cores = float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)
    return max(1, int(cores / processes))


def _overrides(pod: Object, claim: Object, mount: Object, job: Asked) -> dict[str, Any]:
    """Where the nodes' pods run and what they mount: the claim, a folder to write to, shared memory for NCCL."""
    mounts = [
        {key: mount[key] for key in ("name", "mountPath", "subPath") if mount.get(key)},
        {"name": "ratchet-scratch", "mountPath": SCRATCH},
        {"name": "ratchet-memory", "mountPath": "/dev/shm"},
    ]
    override: dict[str, Any] = {
        "targetJobs": [{"name": NODE}],
        "volumes": [
            dict(claim),
            {"name": "ratchet-scratch", "emptyDir": {}},
            {"name": "ratchet-memory", "emptyDir": {"medium": "Memory"}},
        ],
        "containers": [{"name": NODE, "volumeMounts": mounts}],
    }
    own = {
        "nodeSelector": pod["spec"].get("nodeSelector"),
        # Kubernetes gives every pod the tolerations of a node that is not ready by itself.
        "tolerations": [
            one
            for one in pod["spec"].get("tolerations") or []
            if not str(one.get("key", "")).startswith("node.kubernetes.io/")
        ],
        "serviceAccountName": job.service_account,
    }
    return override | {key: said for key, said in own.items() if said}
