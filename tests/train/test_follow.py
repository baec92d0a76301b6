"""A TrainJob is made once, followed to its end with the cluster's own words, and never left behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.train.kube import Kube, serving

from ratchet.errors import InputError
from ratchet.train.follow import Api, followed

JOB = {
    "apiVersion": "trainer.kubeflow.org/v1alpha1",
    "kind": "TrainJob",
    "metadata": {"name": "job", "annotations": {"ratchet/made-from": "a"}},
    "spec": {"trainer": {"numNodes": 2}},
}


@pytest.fixture
def cluster() -> Iterator[tuple[Kube, Api]]:
    with serving() as both:
        yield both


def _pod(number: int, **state: Any) -> dict[str, Any]:
    container = {"name": "node", "image": "i", "imageID": "", "ready": True, "restartCount": 0, "state": state}
    return {
        "metadata": {"name": f"job-node-0-{number}"},
        "status": {"phase": "Running", "containerStatuses": [container]},
    }


def _run(api: Api, start_limit_s: float = 5, limit_s: float = 10) -> None:
    followed(api, JOB, start_limit_s, limit_s, poll_s=0.01)


def test_a_job_is_made_followed_and_removed(cluster: tuple[Kube, Api], capsys: pytest.CaptureFixture[str]) -> None:
    kube, api = cluster
    kube.pods = [
        _pod(0, running={"startedAt": "2026-01-01T00:00:00Z"}),
        _pod(1, running={"startedAt": "2026-01-01T00:00:00Z"}),
    ]
    kube.statuses, kube.log = [None, None, "Complete"], "step 1\nstep 2"
    _run(api)
    assert kube.asked == ["POST", "GET", "GET", "GET", "DELETE"]
    assert kube.jobs == {}
    assert capsys.readouterr().err.splitlines() == ["TrainJob working", "TrainJob complete", "step 1", "step 2"]


def test_the_job_of_an_earlier_start_is_gone_on_with(
    cluster: tuple[Kube, Api], capsys: pytest.CaptureFixture[str]
) -> None:
    kube, api = cluster
    kube.jobs["job"], kube.statuses = JOB, [None, "Complete"]
    _run(api)
    assert kube.asked == ["POST", "GET", "GET", "DELETE"]
    assert capsys.readouterr().err.startswith("goes on with TrainJob job\n")


@pytest.mark.parametrize("why", ["failed before", "made from other settings", "being removed"])
def test_a_job_that_is_no_use_makes_room(cluster: tuple[Kube, Api], why: str) -> None:
    kube, api = cluster
    there = {**JOB, "metadata": {**JOB["metadata"]}}  # type: ignore[dict-item]
    if why == "made from other settings":
        there["metadata"]["annotations"] = {"ratchet/made-from": "b"}
    if why == "being removed":
        there["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    kube.jobs["job"], kube.statuses = there, ["Failed" if why == "failed before" else None, "Complete"]
    _run(api)
    assert kube.asked == ["POST", "GET", "DELETE", "POST", "GET", "DELETE"]


def test_a_job_that_fails_is_told_with_the_last_line_of_its_pod(cluster: tuple[Kube, Api]) -> None:
    kube, api = cluster
    kube.pods = [_pod(0, terminated={"exitCode": 64, "reason": "Error"})]
    kube.log = "begins\nratchet: e.parquet: an example of 300 tokens\n"
    said = "TrainJob job failed: refused what it was given; ratchet: e.parquet: an example of 300 tokens; expected"
    with pytest.raises(InputError, match=said):
        _run(api)
    assert kube.jobs == {}


def test_nodes_that_do_not_start_in_time_are_told_in_their_own_words(cluster: tuple[Kube, Api]) -> None:
    kube, api = cluster
    kube.pods = [
        _pod(0, running={"startedAt": "2026-01-01T00:00:00Z"}),
        _pod(1, waiting={"reason": "ErrImagePull", "message": "no such image"}),
    ]
    said = r"has nodes that did not run for 0.2 s: job-node-0-1: ErrImagePull: no such image"
    with pytest.raises(InputError, match=said):
        _run(api, start_limit_s=0.2)
    assert kube.jobs == {}


def test_waiting_in_a_queue_does_not_count_and_everything_has_a_limit(cluster: tuple[Kube, Api]) -> None:
    kube, api = cluster
    kube.jobs["job"] = {**JOB, "spec": {**JOB["spec"], "suspend": True}}  # type: ignore[dict-item]
    with pytest.raises(InputError, match=r"did not end within 0.5 s: suspended: it waits in a queue"):
        _run(api, start_limit_s=0.1, limit_s=0.5)


def test_a_job_that_is_removed_by_somebody_else_is_said_to_be_gone(cluster: tuple[Kube, Api]) -> None:
    kube, api = cluster
    kube.statuses = [None]
    answer = kube.answer

    def vanishing(verb: str, path: str, body: Any) -> tuple[int, Any]:
        if kube.asked.count("GET") == 2:
            kube.jobs.clear()
        return answer(verb, path, body)

    kube.answer = vanishing  # type: ignore[method-assign]
    with pytest.raises(InputError, match="TrainJob job is gone"):
        _run(api)


def test_what_the_cluster_has_against_the_job_is_said_with_what_to_do(cluster: tuple[Kube, Api]) -> None:
    kube, api = cluster
    kube.answer = lambda verb, path, body: (404, {"message": "the server could not find it"})  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"refused TrainJob job \(404: .*; install Kubeflow Trainer 2.0"):
        _run(api)
    kube.answer = lambda verb, path, body: (403, {"message": "forbidden"})  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"\(403: .*pipelines.trainJobs gives runs the right"):
        _run(api)


def test_an_api_that_is_away_for_a_moment_is_asked_again(cluster: tuple[Kube, Api]) -> None:
    kube, api = cluster
    kube.away, kube.statuses = 1, ["Complete"]
    _run(api)
    assert kube.jobs == {}


def test_a_step_that_is_told_to_stop_removes_the_job(cluster: tuple[Kube, Api], tmp_path: Path) -> None:
    kube, _ = cluster
    program = "\n".join(
        [
            "import kubernetes.client as k; from ratchet.train.follow import Api, followed",
            f"api = Api(k.ApiClient(k.Configuration(host={kube.url!r})), 'team')",
            f"followed(api, {JOB!r}, 60, 60, 0.05)",
        ]
    )
    step = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while kube.asked.count("GET") < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert set(kube.jobs) == {"job"}
    step.send_signal(signal.SIGTERM)
    assert (step.wait(60), kube.jobs) == (143, {})
