"""A TrainJob from its making to its end: made or adopted, followed, and removed again, also where the step is ended."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ratchet.errors import InputError
from ratchet.patience import patiently
from ratchet.train.standing import Standing, standing
from ratchet.train.trainjob import GROUP, MADE_FROM, PLURAL, VERSION

JOBSET = "jobset.sigs.k8s.io/jobset-name"  # label of the pods
PATIENCE_S = 600  # with an API that does not answer
REMOVAL_S = 120
STOPPED_EXIT_CODE = 143
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    """The Kubernetes API as a step has it: the client, and the namespace that the step runs in."""

    client: Any
    namespace: str

    def core(self, verb: str, *names: str, **options: Any) -> Any:
        """What a call of the core API returns, as its JSON."""
        from kubernetes import client

        call = getattr(client.CoreV1Api(self.client), verb)
        found = patiently(lambda: call(*names, self.namespace, _request_timeout=30, **options), _is_passing, PATIENCE_S)
        return self.client.sanitize_for_serialization(found)

    def jobs(self, verb: str, *names: Any) -> Any:
        """What a call about TrainJobs returns."""
        from kubernetes import client

        call = getattr(client.CustomObjectsApi(self.client), f"{verb}_namespaced_custom_object")
        return patiently(
            lambda: call(GROUP, VERSION, self.namespace, PLURAL, *names, _request_timeout=30), _is_passing, PATIENCE_S
        )


def followed(api: Api, job: Object, start_limit_s: float, limit_s: float, poll_s: float = 5) -> None:
    """Make the TrainJob, or adopt the one that an earlier start of the step made, and wait for its end.

    It ends with an InputError that has the cluster's own words where the job fails, where its nodes do not all run
    within `start_limit_s`, or where it takes longer than `limit_s`. In each case the job is removed, and also where
    the step itself is told to stop: what was trained is in the workspace.
    """
    name = job["metadata"]["name"]
    with _stoppable():
        try:
            _make(api, job)
            _await_end(api, job, start_limit_s, limit_s, poll_s)
        finally:
            _remove(api, name)


def _await_end(api: Api, job: Object, start_limit_s: float, limit_s: float, poll_s: float) -> None:
    name, nodes = job["metadata"]["name"], job["spec"]["trainer"]["numNodes"]
    began = ran = time.monotonic()
    told = ""
    while True:
        there = _find(api, name)
        if there is None:
            raise InputError(f"TrainJob {name} is gone", expected="nobody to remove it while a step waits for it")
        pods = _pods(api, name)
        now = standing(there, pods, [], nodes)
        if now.state == "waiting":  # the one state that events explain: a namespace may hold thousands
            now = standing(there, pods, _events(api), nodes)
        told = _tell(now, told)
        if now.state == "complete":
            print(_log(api, now.pod), file=sys.stderr)
            return
        if now.state == "failed":
            raise _ended(api, name, now, "failed")
        if now.state in ("working", "queued"):
            ran = time.monotonic()
        elif time.monotonic() - ran > start_limit_s:
            raise _ended(api, name, now, f"has nodes that did not run for {start_limit_s:g} s")
        if time.monotonic() - began > limit_s:
            raise _ended(api, name, now, f"did not end within {limit_s:g} s")
        time.sleep(poll_s)


def _ended(api: Api, name: str, now: Standing, how: str) -> InputError:
    """The end of a job that did not succeed, with the last line that its pod printed."""
    lines = [line for line in _log(api, now.pod).splitlines() if line.strip()]
    said = [now.words, *lines[-1:]]
    return InputError(
        f"TrainJob {name} {how}: " + "; ".join(part for part in said if part),
        expected="every node to run and to end with success",
        next="mend what it names; the step goes on from the last saved state when it is started again",
    )


def _make(api: Api, job: Object) -> None:
    """Make the job, unless one of the same specification is there and not at its end; another one makes room."""
    from kubernetes.client import ApiException

    name = job["metadata"]["name"]
    end = time.monotonic() + REMOVAL_S
    while True:
        try:
            api.jobs("create", dict(job))
            return
        except ApiException as refused:
            if refused.status != 409:
                raise _refused(name, refused) from refused
        there = _find(api, name)
        if there and _goes_on(there) and there["metadata"].get("annotations", {}).get(MADE_FROM) == _made_from(job):
            print(f"goes on with TrainJob {name}", file=sys.stderr)
            return
        if time.monotonic() > end:
            raise InputError(f"TrainJob {name} is still there", expected="it to go when it was removed")
        _remove(api, name)
        time.sleep(1)


def _goes_on(job: Object) -> bool:
    ended = {one["type"] for one in (job.get("status") or {}).get("conditions") or [] if one["status"] == "True"}
    return "deletionTimestamp" not in job["metadata"] and not ended & {"Failed"}


def _made_from(job: Object) -> str:
    return str(job["metadata"]["annotations"][MADE_FROM])


def _refused(name: str, refused: Any) -> InputError:
    """What the API said against the job, and what that asks of the platform."""
    said = " ".join(str(refused.body or refused.reason).split())[:400]
    what_next = {
        403: "the chart's value pipelines.trainJobs gives runs the right",
        404: "install Kubeflow Trainer 2.0, or train on one node",
    }.get(refused.status, "train_job names the runtime and what a node gets")
    return InputError(
        f"the cluster refused TrainJob {name} ({refused.status}: {said})", expected="it to be made", next=what_next
    )


def _remove(api: Api, name: str) -> None:
    from kubernetes.client import ApiException

    try:
        api.jobs("delete", name)
    except ApiException as refused:
        if refused.status not in (403, 404):  # it is gone, or none was made for want of the right
            raise


def _find(api: Api, name: str) -> Any:
    """The job, or None where there is none."""
    from kubernetes.client import ApiException

    try:
        return api.jobs("get", name)
    except ApiException as refused:
        if refused.status == 404:
            return None
        raise


def _pods(api: Api, name: str) -> list[Any]:
    return list(api.core("list_namespaced_pod", label_selector=f"{JOBSET}={name}")["items"])


def _events(api: Api) -> list[Any]:
    return list(api.core("list_namespaced_event")["items"])


def _log(api: Api, pod: str) -> str:
    """The last lines that the pod printed; nothing where it printed none."""
    from kubernetes.client import ApiException

    if not pod:
        return ""
    with suppress(ApiException):  # a pod that never started has no log
        return str(api.core("read_namespaced_pod_log", pod, tail_lines=20))
    return ""


def _tell(now: Standing, told: str) -> str:
    """What was said of the job, after saying it where it is news."""
    line = f"{now.state}: {now.words}" if now.words else now.state
    if line != told:
        print(f"TrainJob {line}", file=sys.stderr, flush=True)
    return line


def _is_passing(error: Exception) -> bool:
    """Whether the API is away or overloaded."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    status = getattr(error, "status", None) or 503
    return isinstance(error, (ApiException, HTTPError)) and (status >= 500 or status == 429)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Within it SIGTERM, with which Kubernetes ends a pod, unwinds the step as an error does."""

    def stop(number: int, frame: Any) -> None:
        sys.exit(STOPPED_EXIT_CODE)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
