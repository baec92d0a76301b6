"""The compiled pipelines on a real cluster: steps as Jobs, artifacts through S3, checkpoints on a volume, real MLflow.

What kills a pod, a node without accelerators, an image that is not there: each ends as docs/pipeline.md says.
"""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.access import until
from tests.cluster.graph import Step, Walk, load
from tests.cluster.kubeflow import Kubeflow, StepFailed
from tests.cluster.loop import BUCKET, Backing, table, times

from ratchet.gate.verdict import Verdict
from ratchet.quickstart.problems import generate
from ratchet.records import Problem
from ratchet.storage import write_records
from ratchet_pipelines.compile import compile_pipeline
from ratchet_pipelines.verdicts import last_verdict

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def _walk(kubeflow: Kubeflow, path: Path, run: str) -> Walk:
    return Walk(*load(path), f"s3://{BUCKET}/root", run, kubeflow.run)


def _verdict(run: str) -> Verdict:
    found = last_verdict(f"s3://{BUCKET}/root", run)
    assert found is not None
    return found


def test_self_improvement_runs_to_its_verdict_through_a_pod_that_is_killed_at_work(
    kubeflow: Kubeflow, backing: Backing, tmp_path: Path
) -> None:
    killed: list[str] = []
    _kill_once(kubeflow, "train", killed)
    path = compile_pipeline("self-improvement", tmp_path / "p.yaml", rounds=1)
    walk = _walk(kubeflow, path, "improving")
    began = time.monotonic()
    walk.pipeline(backing.parameters("improving") | {"run_name": "improving"})
    print(table(times(kubeflow.cluster, kubeflow.namespace), time.monotonic() - began))
    assert killed
    ran = [name.rpartition("/")[2] for name in walk.done]
    assert {"gate", "gate-2", "log-2"} <= set(ran)
    verdict = _verdict("improving")
    assert verdict.verdict in ("PROMOTE", "INCONCLUSIVE")
    assert set(verdict.references) == {"base = champion"}  # one checkpoint, so compared with once
    _logged_once(backing.mlflow, "improving", rounds=2)
    status, tags = _recorded(backing, "improving")
    assert (status, tags["ratchet.end"]) == ("FINISHED", "finished")


def _recorded(backing: Backing, experiment: str) -> tuple[str, dict[str, str]]:
    """The status and the tags of the experiment's only run."""
    import mlflow

    client = mlflow.MlflowClient(backing.mlflow)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    (run,) = client.search_runs([found.experiment_id])
    return run.info.status, dict(run.data.tags)


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


def _stopped(kubeflow: Kubeflow, path: Path, parameters: dict[str, Any]) -> str:
    """What is said of the step at which the run stops."""
    with pytest.raises(StepFailed) as stopped:
        _walk(kubeflow, path, "stopped").pipeline({"run_name": "stopped", **parameters})
    return str(stopped.value)


def test_a_node_without_accelerators_keeps_the_step_waiting_and_the_cluster_says_so(
    kubeflow: Kubeflow, backing: Backing, tmp_path: Path
) -> None:
    path = compile_pipeline("self-improvement", tmp_path / "p.yaml", rounds=1)
    given = backing.parameters("waiting") | {"train_gpus": "64"}
    said = _stopped(_limited_to(kubeflow, "train", 20), path, given)
    assert said.startswith("step train did not end within 20 s")
    assert "Insufficient nvidia.com/gpu" in said


def test_an_image_that_is_not_there_keeps_the_step_waiting_and_the_cluster_says_so(
    kubeflow: Kubeflow, backing: Backing, tmp_path: Path
) -> None:
    path = compile_pipeline("self-improvement", tmp_path / "p.yaml", rounds=1)
    there = kubeflow.image
    missing = replace(
        kubeflow, image=lambda name: there(name).partition("@")[0] + ":none" if name == "train" else there(name)
    )
    said = _stopped(_limited_to(missing, "train", 30), path, backing.parameters("missing"))
    assert said.startswith("step train did not end within 30 s")
    assert "not found" in said or "ErrImagePull" in said


def test_data_that_fails_its_checks_ends_the_run_with_the_reason_and_is_not_tried_again(
    kubeflow: Kubeflow, backing: Backing, tmp_path: Path
) -> None:
    problems = list(generate(0, 20, 5, 0))
    write_records(tmp_path / "bad.parquet", [*problems, problems[0]], Problem)
    backing.s3.upload_file(str(tmp_path / "bad.parquet"), BUCKET, "bad.parquet")
    path = compile_pipeline("self-improvement", tmp_path / "p.yaml", rounds=1)
    given = backing.parameters("bad") | {"data_problems": f"s3://{BUCKET}/bad.parquet"}
    said = _stopped(kubeflow, path, given)
    assert said.startswith("step validate:")
    assert "InputError" in said
    pods = kubeflow.cluster.core.list_namespaced_pod(kubeflow.namespace, label_selector="test=pipeline").items
    assert sorted(pod.metadata.labels["job-name"].rpartition("-")[0] for pod in pods) == ["record-end", "validate"]
    status, tags = _recorded(backing, "bad")
    assert (status, tags["ratchet.end"]) == ("FAILED", "failed")
    assert "validate" in tags["ratchet.end_step"]


def _limited_to(kubeflow: Kubeflow, step: str, seconds: float) -> Kubeflow:
    """The same with another limit for one step."""
    limited = replace(kubeflow)
    whole = limited.run

    def run(one: Step) -> dict[str, Any]:
        limited.limit_s = seconds if one.name == step else kubeflow.limit_s
        return whole(one)

    limited.run = run  # type: ignore[method-assign]
    return limited
