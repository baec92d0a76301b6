"""What the pipelines need beside a cluster: PostgreSQL, S3 and MLflow, problems, a base model, a volume, secrets.

The servers run on this machine. Pods reach them at its address through relays, so that one can be away and come back.
"""

import base64
import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.cluster.access import Cluster, address, until
from tests.cluster.kubeflow import Kubeflow
from tests.registry.servers import ACCESS, SECRET, Servers, running

from ratchet.images import USER
from ratchet.quickstart.model import make_model
from ratchet.quickstart.problems import generate
from ratchet.records import Problem
from ratchet.storage import write_records

BUCKET, CLAIM = "ratchet", "ratchet-workspace"
PATIENCE_S = 900.0  # for a step that takes seconds where nothing else is at work
POLICY = (Path(__file__).parents[1] / "pipelines" / "tiny-policy.yaml").read_text()
TINY = {
    "first_epochs": 30,
    "first_learning_rate": 3e-3,
    "sample_problems": 40,
    "sample_max_new_tokens": 40,
    "sample_backend": "transformers",
    "train_batch_size": 16,
    "train_max_length": 128,
    "evaluate_attempts": 16,
    "train_gpus": "0",
    "sample_gpus": "0",
}
SMALL = {
    f"{work}_{key}": value
    for work in ("train", "sample", "grade", "small")
    for key, value in (("cpu", "2"), ("memory", "4Gi"))
}


@dataclass(frozen=True)
class Backing:
    """The servers, and how they are reached from here and from pods."""

    servers: Servers
    mlflow: str
    """The URL of MLflow for pods, and for this machine."""
    store: dict[str, str]
    """AWS variables with which pods reach the bucket."""
    s3: Any
    """A client of this machine's."""

    def parameters(self, run: str) -> dict[str, Any]:
        """Parameters of a run that takes minutes on two processors, for a pipeline that starts from a base model."""
        return {
            "data_problems": f"s3://{BUCKET}/problems.parquet",
            "model_base": f"s3://{BUCKET}/base",
            "gate_policy": POLICY,
            "run_workspace": "/workspace/loop",
            "mlflow_tracking_uri": self.mlflow,
            "mlflow_experiment": run,
            **TINY,
            **SMALL,
        }


@pytest.fixture(scope="session")
def backing(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backing]:
    """The servers with a bucket in which the tiny problems and an untrained base model lie."""
    here, environment = address(cluster), pytest.MonkeyPatch()
    environment.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "*")
    with tempfile.TemporaryDirectory(prefix="ratchet-servers-") as name, contextlib.ExitStack() as stack:
        Path(name).chmod(0o711)  # PostgreSQL runs as somebody else
        reached = {
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            # As patient as the launcher of Kubeflow is with a store that is away for a minute.
            "AWS_MAX_ATTEMPTS": "12",
            "AWS_RETRY_MODE": "standard",
        }

        def before(servers: Servers) -> None:
            reached["AWS_ENDPOINT_URL"] = f"http://{here}:{stack.enter_context(_relay(here, servers.s3.port))}"
            # MLflow hands out signed URLs of the store: with loopback's address in them no pod could read a file.
            servers.mlflow.environment["MLFLOW_S3_ENDPOINT_URL"] = reached["AWS_ENDPOINT_URL"]

        servers = stack.enter_context(running(Path(name), before))
        for key, value in reached.items():
            environment.setenv(key, value)
        mlflow = stack.enter_context(_relay(here, servers.mlflow.port))
        yield Backing(servers, f"http://{here}:{mlflow}", reached, _filled(tmp_path_factory.mktemp("given")))
    environment.undo()


def _filled(folder: Path) -> Any:
    """A client of the store, in whose bucket the problems and the base model lie now."""
    import boto3

    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    write_records(folder / "problems.parquet", list(generate(0, 120, 20, 8)), Problem)
    make_model(folder / "problems.parquet", folder / "base", 0)
    for path in (one for one in folder.rglob("*") if one.is_file() and not one.name.startswith(".")):
        s3.upload_file(str(path), BUCKET, str(path.relative_to(folder)))
    return s3


@contextlib.contextmanager
def _relay(here: str, target: int) -> Iterator[int]:
    """A port of this machine's address that leads to one of loopback; while nothing listens there, it hangs up."""
    with socket.create_server((here, 0)) as listener:

        def pump(source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        def join(near: socket.socket) -> None:
            with near, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", target)) as far:
                back = threading.Thread(target=pump, args=(far, near), daemon=True)
                back.start()
                pump(near, far)
                back.join()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=join, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])


@pytest.fixture
def kubeflow(cluster: Cluster, namespace: str, image: Any, backing: Backing) -> Kubeflow:
    """A namespace with the volume and the secrets that the chart and its reader would have made."""
    image("train")  # skips before anything is made
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    cluster.core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": CLAIM}, "spec": claim})
    _make_writable(cluster, namespace)
    key = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
    secret = {"metadata": {"name": "ratchet-signing"}, "stringData": {"RATCHET_SIGNING_KEY": key}}
    cluster.core.create_namespaced_secret(namespace, secret)

    def on_processors(name: str) -> str:
        # On processors the step `sample` runs in the image of `train` (build.sh: sample-transformers).
        return str(image("train" if name == "sample" else name))

    return Kubeflow(cluster, namespace, on_processors, backing.s3, backing.store, limit_s=PATIENCE_S)


def _make_writable(cluster: Cluster, namespace: str) -> None:
    """Give a volume that is a folder of this machine to the user of the images: fsGroup does nothing for such ones."""
    core = cluster.core

    def volume() -> str | None:
        found = core.read_namespaced_persistent_volume_claim(CLAIM, namespace).spec.volume_name
        return str(found) if found else None

    until(volume, 60, "a volume")
    place = core.read_persistent_volume(volume()).spec.host_path
    if place is not None and Path(place.path).is_dir():
        os.chown(place.path, USER, USER)


@dataclass(frozen=True)
class Took:
    """What a step's pod took, in seconds, from its making to its end; `work_s` of it in the step's own container."""

    step: str
    whole_s: float
    work_s: float


def times(cluster: Cluster, namespace: str) -> list[Took]:
    """What each step of the namespace's runs took, by the cluster's clocks, which tell whole seconds."""
    found = []
    for pod in cluster.core.list_namespaced_pod(namespace, label_selector="test=pipeline").items:
        ended = {one.name: one.state.terminated for one in _containers(pod)}
        if not all(ended.get(name) for name in ("fetch", "step", "store")):
            continue  # a pod that was taken away
        step, name = ended["step"], pod.metadata.labels["job-name"].rpartition("-")[0]
        whole = _seconds(pod.metadata.creation_timestamp, ended["store"].finished_at)
        found.append((pod.metadata.creation_timestamp, Took(name, whole, _seconds(step.started_at, step.finished_at))))
    return [took for _, took in sorted(found, key=lambda pair: pair[0])]


def table(took: list[Took], whole_s: float) -> str:
    """The times as text, with what a step costs beyond its work: the mean over the steps."""
    beyond = sum(one.whole_s - one.work_s for one in took) / len(took)
    rows = [f"{one.step:20} {one.whole_s:6.0f} s, {one.work_s:5.0f} s of them its work" for one in took]
    return "\n".join([*rows, f"{len(took)} steps in {whole_s:.0f} s; beyond its work a step takes {beyond:.1f} s"])


def away(backing: Backing, seconds: float) -> None:
    """Kill the S3 server and start it again after so long."""
    backing.servers.s3.stop(kill=True)
    time.sleep(seconds)
    backing.servers.s3.start()


def _containers(pod: Any) -> list[Any]:
    return [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()
