"""The compiled pipelines on a real cluster: steps as Jobs, artifacts through S3, checkpoints on a volume, real MLflow.

What kills a pod, a node without accelerators, an image that is not there: each ends as docs/pipeline.md says.
"""

import contextlib
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.conftest import Cluster, until
from tests.cluster.graph import Step, Walk, load
from tests.cluster.kubeflow import Kubeflow, StepFailed
from tests.registry.servers import running

from ratchet.gate.verdict import Verdict
from ratchet.images import USER
from ratchet.quickstart.model import make_model
from ratchet.quickstart.problems import generate
from ratchet.records import Problem
from ratchet.storage import write_records
from ratchet_pipelines.compile import compile_pipeline
from ratchet_pipelines.verdicts import last_verdict

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

POLICY = (Path(__file__).parents[1] / "pipelines" / "tiny-policy.yaml").read_text()
STORE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")
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


@pytest.fixture(scope="module")
def s3() -> Any:
    """A client of the S3 server that pods reach."""
    if any(name not in os.environ for name in STORE):
        pytest.skip("needs an S3 server that pods reach: " + ", ".join(STORE))
    import boto3

    return boto3.client("s3")


@pytest.fixture(scope="module")
def bucket(s3: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket with the tiny problems and an untrained base model."""
    name = f"ratchet-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    folder = tmp_path_factory.mktemp("given")
    write_records(folder / "problems.parquet", list(generate(0, 120, 20, 8)), Problem)
    make_model(folder / "problems.parquet", folder / "base", 0)
    for path in (one for one in folder.rglob("*") if one.is_file() and not one.name.startswith(".")):
        s3.upload_file(str(path), name, str(path.relative_to(folder)))
    yield name
    for one in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=one["Key"])


@pytest.fixture(scope="module")
def mlflow() -> Iterator[str]:
    """The URL at which pods reach an MLflow on PostgreSQL and S3."""
    os.environ["MLFLOW_SERVER_ALLOWED_HOSTS"] = "*"
    with tempfile.TemporaryDirectory(prefix="ratchet-servers-") as name:
        Path(name).chmod(0o711)  # PostgreSQL runs as somebody else
        with running(Path(name)) as servers, _reached_at(_node(), servers.mlflow.port) as port:
            yield f"http://{_node()}:{port}"


def _node() -> str:
    """The address at which pods reach this machine: that of the S3 server."""
    return os.environ["AWS_ENDPOINT_URL"].rpartition("//")[2].partition(":")[0]


@contextlib.contextmanager
def _reached_at(address: str, target: int) -> Iterator[int]:
    """A port of that address which leads to one of loopback."""
    with socket.create_server((address, 0)) as listener:

        def pump(source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    far = socket.create_connection(("127.0.0.1", target))
                    for pair in ((near, far), (far, near)):
                        threading.Thread(target=pump, args=pair, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])


@pytest.fixture
def kubeflow(cluster: Cluster, namespace: str, image: Callable[[str], str], s3: Any) -> Kubeflow:
    """A namespace with the volume and the secrets that the chart would have made."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    body = {"metadata": {"name": "ratchet-workspace"}, "spec": claim}
    cluster.core.create_namespaced_persistent_volume_claim(namespace, body)
    _make_writable(cluster, namespace)

    def on_processors(name: str) -> str:
        # On processors the step `sample` runs in the image of `train` (build.sh: sample-transformers).
        return image("train" if name == "sample" else name)

    store = {name: os.environ[name] for name in STORE} | {"AWS_MAX_ATTEMPTS": "12", "AWS_RETRY_MODE": "standard"}
    return Kubeflow(cluster, namespace, on_processors, s3, store)


def _make_writable(cluster: Cluster, namespace: str) -> None:
    """Give the volume to the user of the images, as its administrator does: the test cluster makes it root's."""
    core = cluster.core

    def volume() -> str | None:
        found = core.read_namespaced_persistent_volume_claim("ratchet-workspace", namespace).spec.volume_name
        return str(found) if found else None

    until(volume, 60, "a volume")
    place = core.read_persistent_volume(volume()).spec.host_path
    if place is not None and Path(place.path).is_dir():
        os.chown(place.path, USER, USER)


def _parameters(bucket: str, mlflow: str, run: str) -> dict[str, Any]:
    return {
        "data_problems": f"s3://{bucket}/problems.parquet",
        "model_base": f"s3://{bucket}/base",
        "gate_policy": POLICY,
        "run_workspace": f"/workspace/{run}",
        "run_name": run,
        "mlflow_tracking_uri": mlflow,
        "mlflow_experiment": run,
        **TINY,
        **SMALL,
    }


def _walk(kubeflow: Kubeflow, path: Path, bucket: str, run: str) -> Walk:
    return Walk(*load(path), f"s3://{bucket}/root", run, kubeflow.run)


def _verdict(bucket: str, run: str) -> Verdict:
    found = last_verdict(f"s3://{bucket}/root", run)
    assert found is not None
    return found


def test_self_improvement_runs_to_its_verdict_through_a_pod_that_is_killed_at_work(
    kubeflow: Kubeflow, bucket: str, mlflow: str, tmp_path: Path
) -> None:
    killed: list[str] = []
    _kill_once(kubeflow, "train", killed)
    path = compile_pipeline("self-improvement", tmp_path / "p.yaml", rounds=1)
    walk = _walk(kubeflow, path, bucket, "improving")
    walk.pipeline(_parameters(bucket, mlflow, "improving"))
    assert killed
    print({name: round(seconds, 1) for name, seconds in kubeflow.durations.items()})
    ran = [name.rpartition("/")[2] for name in walk.done]
    assert {"gate", "gate-2", "log-2"} <= set(ran)
    verdict = _verdict(bucket, "improving")
    assert verdict.verdict in ("PROMOTE", "INCONCLUSIVE")
    assert set(verdict.references) == {"base = champion"}  # one checkpoint, so compared with once
    _logged_once(mlflow, "improving", rounds=2)


def _kill_once(kubeflow: Kubeflow, step: str, killed: list[str]) -> None:
    """Evict the pod of the step, once, while its container is at work, as a node is drained."""

    def watch(name: str, job: str) -> None:
        if name == step and not killed:
            threading.Thread(target=kill, args=(job,), daemon=True).start()

    def kill(job: str) -> None:
        core, namespace = kubeflow.cluster.core, kubeflow.namespace

        def at_work() -> str | None:
            for pod in core.list_namespaced_pod(namespace, label_selector=f"job-name={job}").items:
                for container in pod.status.init_container_statuses or []:
                    if container.name == "step" and container.state.running:
                        return str(pod.metadata.name)
            return None

        until(at_work, 120, "the step at work")
        time.sleep(3)
        pod = at_work()
        if pod is not None:
            core.create_namespaced_pod_eviction(pod, namespace, {"metadata": {"name": pod, "namespace": namespace}})
            killed.append(pod)

    kubeflow.watch = watch


def _logged_once(tracking_uri: str, experiment: str, rounds: int) -> None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    models = client.search_logged_models([found.experiment_id])
    assert sorted(model.tags["ratchet.round"] for model in models) == [str(number + 1) for number in range(rounds)]
    assert len({model.tags["ratchet.digest"] for model in models}) == rounds


def _stopped(kubeflow: Kubeflow, path: Path, bucket: str, parameters: dict[str, Any]) -> str:
    """What is said of the step at which the run stops."""
    with pytest.raises(StepFailed) as stopped:
        _walk(kubeflow, path, bucket, "stopped").pipeline(parameters)
    return str(stopped.value)


def test_a_node_without_accelerators_keeps_the_step_waiting_and_the_cluster_says_so(
    kubeflow: Kubeflow, bucket: str, tmp_path: Path
) -> None:
    path = compile_pipeline("self-improvement", tmp_path / "p.yaml", rounds=1)
    given = _parameters(bucket, "http://unused", "waiting") | {"train_gpus": "64"}
    said = _stopped(_limited_to(kubeflow, "train", 20), path, bucket, given)
    assert said.startswith("step train did not end within 20 s")
    assert "Insufficient nvidia.com/gpu" in said


def test_an_image_that_is_not_there_keeps_the_step_waiting_and_the_cluster_says_so(
    kubeflow: Kubeflow, bucket: str, tmp_path: Path
) -> None:
    path = compile_pipeline("self-improvement", tmp_path / "p.yaml", rounds=1)
    there = kubeflow.image
    missing = replace(
        kubeflow, image=lambda name: there(name).partition("@")[0] + ":none" if name == "train" else there(name)
    )
    said = _stopped(_limited_to(missing, "train", 30), path, bucket, _parameters(bucket, "http://unused", "missing"))
    assert said.startswith("step train did not end within 30 s")
    assert "not found" in said or "ErrImagePull" in said


def test_data_that_fails_its_checks_ends_the_run_with_the_reason_and_is_not_tried_again(
    kubeflow: Kubeflow, bucket: str, s3: Any, tmp_path: Path
) -> None:
    problems = list(generate(0, 20, 5, 0))
    write_records(tmp_path / "bad.parquet", [*problems, problems[0]], Problem)
    s3.upload_file(str(tmp_path / "bad.parquet"), bucket, "bad.parquet")
    path = compile_pipeline("self-improvement", tmp_path / "p.yaml", rounds=1)
    given = _parameters(bucket, "http://unused", "bad") | {"data_problems": f"s3://{bucket}/bad.parquet"}
    said = _stopped(kubeflow, path, bucket, given)
    assert said.startswith("step validate:")
    assert "InputError" in said
    pods = kubeflow.cluster.core.list_namespaced_pod(kubeflow.namespace, label_selector="test=pipeline").items
    assert len(pods) == 1


def _limited_to(kubeflow: Kubeflow, step: str, seconds: float) -> Kubeflow:
    """The same with another limit for one step."""
    limited = replace(kubeflow)
    whole = limited.run

    def run(one: Step) -> dict[str, Any]:
        limited.limit_s = seconds if one.name == step else kubeflow.limit_s
        return whole(one)

    limited.run = run  # type: ignore[method-assign]
    return limited
