"""How a TrainJob stands, from statuses as Kubernetes writes them."""

from typing import Any

from ratchet.train.standing import Standing, standing


def _job(**status: str) -> dict[str, Any]:
    conditions = [{"type": kind, "status": "True", "message": said} for kind, said in status.items()]
    return {"metadata": {"name": "job"}, "spec": {}, "status": {"conditions": conditions}}


def _pod(number: int, phase: str, state: dict[str, Any] | None = None, last: dict[str, Any] | None = None) -> Any:
    statuses = [{"state": state, "lastState": last or {}}] if state else []
    return {"metadata": {"name": f"job-node-0-{number}"}, "status": {"phase": phase, "containerStatuses": statuses}}


RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def test_it_works_when_all_nodes_run_although_no_condition_says_so() -> None:
    running = [_pod(0, "Running", RUNNING), _pod(1, "Running", RUNNING)]
    assert standing(_job(), running, [], 2) == Standing("working")
    assert standing(_job(), running[:1], [], 2) == Standing("waiting", "its pods are being started")
    assert standing(_job(), [running[0], _pod(1, "Succeeded")], [], 2) == Standing("working")
    ended = _pod(1, "Running", {"terminated": {"exitCode": 0, "reason": "Completed"}})  # the phase follows later
    assert standing(_job(), [running[0], ended], [], 2) == Standing("working")


def test_it_is_complete_when_the_job_says_so() -> None:
    ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    pods = [_pod(0, "Succeeded", ended), _pod(1, "Succeeded", ended)]
    assert standing(_job(Complete="done"), pods, [], 2) == Standing("complete", pod="job-node-0-0")


def test_an_image_that_is_missing_is_told_in_the_words_of_the_pod() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling\nimage "x:1"'}}
    found = standing(_job(), [_pod(0, "Running", RUNNING), _pod(1, "Pending", waiting)], [], 2)
    assert found == Standing("waiting", 'job-node-0-1: ImagePullBackOff: Back-off pulling image "x:1"', "job-node-0-1")


def test_a_pod_that_fits_on_no_node_is_told_in_the_words_of_the_scheduler() -> None:
    pod = _pod(0, "Pending")
    said = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    pod["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    ]
    assert standing(_job(), [pod], [], 2).words == f"job-node-0-0: Unschedulable: {said}"


def test_without_a_pod_the_newest_warning_about_the_job_or_what_it_made_is_told() -> None:
    def event(about: str, said: str, at: str, kind: str = "Warning") -> dict[str, Any]:
        return {
            "type": kind,
            "reason": "FailedCreate",
            "message": said,
            "involvedObject": {"name": about},
            "lastTimestamp": at,
        }

    events = [
        event("job-node-0", 'violates PodSecurity "restricted:latest"', "2026-01-01T00:00:02Z"),
        event("job-node-0", "older", "2026-01-01T00:00:01Z"),
        event("another", "of another job", "2026-01-01T00:00:03Z"),
        event("job", "made", "2026-01-01T00:00:03Z", kind="Normal"),
    ]
    assert standing(_job(), [], events, 2) == Standing(
        "waiting", 'FailedCreate: violates PodSecurity "restricted:latest"'
    )
    assert standing(_job(), [], [], 2) == Standing("waiting", "no pod was made")


def test_a_node_that_refused_what_it_was_given_is_the_end_and_one_that_was_lost_is_not() -> None:
    def ended(code: int, reason: str) -> dict[str, Any]:
        return {"terminated": {"exitCode": code, "reason": reason}}

    back_off = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    refusing = _pod(1, "Running", back_off, last=ended(64, "Error"))
    assert standing(_job(), [_pod(0, "Running", RUNNING), refusing], [], 2) == Standing(
        "failed", "refused what it was given", "job-node-0-1"
    )
    lost = _pod(1, "Running", back_off, last=ended(137, "OOMKilled"))
    found = standing(_job(), [_pod(0, "Running", RUNNING), lost], [], 2)
    assert (found.state, found.words) == (
        "waiting",
        "job-node-0-1: CrashLoopBackOff after OOMKilled (exit code 137): back-off 10s",
    )


def test_a_job_that_failed_is_told_with_what_its_pod_ended_by() -> None:
    ended = {"terminated": {"exitCode": 75, "reason": "Error"}}
    found = standing(_job(Failed="jobset failed"), [_pod(0, "Failed", ended)], [], 2)
    assert found == Standing("failed", "job-node-0-0: Error (exit code 75); jobset failed", "job-node-0-0")


def test_a_suspended_job_waits_in_a_queue() -> None:
    assert standing(_job() | {"spec": {"suspend": True}}, [], [], 2).state == "queued"
