"""The pipeline for schedules on a real cluster: the first champion, then two rounds from it that overlap."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.access import until
from tests.cluster.graph import Step, Walk, load
from tests.cluster.kubeflow import Kubeflow
from tests.cluster.loop import BUCKET, Backing, Took, away, table, times

from ratchet_pipelines.compile import compile_pipeline

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

MODEL = "solver"
AWAY_S = 60.0


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    return compile_pipeline("scheduled-retraining", tmp_path / "pipeline.yaml")


def _run(kubeflow: Kubeflow, backing: Backing, compiled: Path, name: str, **over: Any) -> str:
    """What came of the promotion at the end of a run of the pipeline."""
    said: dict[str, Any] = {}

    def step(one: Step) -> dict[str, Any]:
        said[_verb(one.name)] = found = kubeflow.run(one)
        return found

    walk = Walk(*load(compiled), f"s3://{BUCKET}/root", name, step)
    walk.pipeline(backing.parameters("retraining") | {"mlflow_model": MODEL} | over)
    return str(said["promote"]["Output"])


def test_a_first_champion_is_made_while_s3_is_away_and_of_two_rounds_that_overlap_one_follows_it(
    kubeflow: Kubeflow, backing: Backing, compiled: Path
) -> None:
    outages = _away_while_at_work(kubeflow, backing, "log")
    began = time.monotonic()
    assert _run(kubeflow, backing, compiled, "first") == "champion"
    _report(kubeflow, "first run", began)
    assert len(outages) == 1
    assert _took(kubeflow, "log").whole_s > AWAY_S  # it met the outage, and came through
    first = _champion(backing)

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(_run, kubeflow, backing, compiled, f"round-{seed}", run_seed=seed) for seed in (1, 2)]
        ended = sorted(run.result() for run in runs)
    _report(kubeflow, "both rounds", began)
    # The second to ask was gated against a champion that is none any more.
    assert ended == ["champion", "error"]
    second = _champion(backing)
    assert second["ratchet.digest"] != first["ratchet.digest"]
    assert second["ratchet.parent"] == first["ratchet.digest"]


def _verb(step: str) -> str:
    """The name of the step without the number that tells it from others of that name."""
    return step.rstrip("-0123456789")


def _champion(backing: Backing) -> dict[str, str]:
    """The tags that the champion was logged with."""
    import mlflow

    client = mlflow.MlflowClient(backing.mlflow)
    digest = client.get_model_version_by_alias(MODEL, "champion").tags["ratchet.digest"]
    found = client.get_experiment_by_name("retraining")
    assert found is not None
    models = client.search_logged_models([found.experiment_id])
    (logged,) = [model for model in models if model.tags["ratchet.digest"] == digest]
    return dict(logged.tags)


def _away_while_at_work(kubeflow: Kubeflow, backing: Backing, step: str) -> list[float]:
    """Kill the S3 server for AWAY_S, once, when the step's own container has started; filled with when it happened."""
    happened: list[float] = []

    def watch(name: str, job: str) -> None:
        if _verb(name) == step and not happened:
            happened.append(time.monotonic())
            threading.Thread(target=outage, args=(job,), daemon=True).start()

    def outage(job: str) -> None:
        until(lambda: _at_work(kubeflow, job), 120, "the step at work")
        away(backing, AWAY_S)

    kubeflow.watch = watch
    return happened


def _at_work(kubeflow: Kubeflow, job: str) -> bool:
    pods = kubeflow.cluster.core.list_namespaced_pod(kubeflow.namespace, label_selector=f"job-name={job}").items
    found = [one for pod in pods for one in pod.status.init_container_statuses or []]
    return any(one.name == "step" and one.state.running for one in found)


def _took(kubeflow: Kubeflow, step: str) -> Took:
    return next(one for one in times(kubeflow.cluster, kubeflow.namespace) if _verb(one.step) == step)


def _report(kubeflow: Kubeflow, what: str, began: float) -> None:
    print(what, table(times(kubeflow.cluster, kubeflow.namespace), time.monotonic() - began), sep="\n")
