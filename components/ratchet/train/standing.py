"""How a TrainJob stands, read from what the API says of it, of its pods and of what happened to them.

Trainer 2.0 has no condition for a job that runs, and a job that can't start (no image, too few accelerators, pods that
are refused) never becomes Failed. So the pods are looked at, and their own words are what is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ratchet.errors import USAGE_EXIT_CODE

Object = Mapping[str, Any]
State = Literal["complete", "failed", "queued", "waiting", "working"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a TrainJob, and the cluster's words for it; `pod` is the one whose log says more."""

    state: State
    words: str = ""
    pod: str = ""


def standing(job: Object, pods: Sequence[Object], events: Sequence[Object], nodes: int) -> Standing:
    """How the job stands.

    `failed` where the job says so, or where a node refused what it was given: it would refuse it again. A node that
    failed otherwise is started again by the job. `working` where all nodes run.
    """
    conditions = {one["type"]: one for one in (job.get("status") or {}).get("conditions") or []}
    spoken = [(pod, _words(pod)) for pod in pods]
    pod, words = next(((pod, said) for pod, said in spoken if said), (None, ""))
    name = str(pod["metadata"]["name"]) if pod else ""
    if _true(conditions, "Complete"):
        return Standing("complete", pod=str(pods[0]["metadata"]["name"]) if pods else "")
    refusing = next((pod for pod in pods if USAGE_EXIT_CODE in _exit_codes(pod)), None)
    if refusing is not None:
        return Standing("failed", "refused what it was given", str(refusing["metadata"]["name"]))
    if _true(conditions, "Failed"):
        said = " ".join(str(conditions["Failed"].get("message", "")).split())
        return Standing("failed", "; ".join(part for part in (words, said) if part), name)
    if (job.get("spec") or {}).get("suspend"):
        return Standing("queued", "suspended: it waits in a queue")
    if sum(_runs(pod) for pod in pods) >= nodes:
        return Standing("working")
    nothing_said = "its pods are being started" if pods else "no pod was made"
    return Standing("waiting", words or _happened(str(job["metadata"]["name"]), events) or nothing_said, name)


def _true(conditions: Mapping[str, Object], kind: str) -> bool:
    return conditions.get(kind, {}).get("status") == "True"


def _statuses(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _exit_codes(pod: Object) -> set[int]:
    """Of its containers, those that were started again too."""
    states = [one.get(when) or {} for one in _statuses(pod) for when in ("state", "lastState")]
    return {state["terminated"]["exitCode"] for state in states if state.get("terminated")}


def _runs(pod: Object) -> bool:
    if (pod.get("status") or {}).get("phase") == "Succeeded":
        return True
    states = [one.get("state") or {} for one in (pod.get("status") or {}).get("containerStatuses") or []]
    ended_well = [(state.get("terminated") or {}).get("exitCode") == 0 for state in states]
    return bool(states) and all(state.get("running") or well for state, well in zip(states, ended_well, strict=True))


def _words(pod: Object) -> str:
    """Why the pod does not run, in the cluster's words; empty where it does."""
    name = pod["metadata"]["name"]
    for status in _statuses(pod):
        state = status.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("message") or waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{name}: {waiting['reason']}{_after(status)}: {_line(waiting.get('message'))}".rstrip(": ")
        if ended.get("exitCode"):
            said = f"{ended.get('reason', 'Error')} (exit code {ended['exitCode']})"
            return f"{name}: {said}: {_line(ended.get('message'))}".rstrip(": ")
    for one in (pod.get("status") or {}).get("conditions") or []:
        if one["type"] == "PodScheduled" and one["status"] == "False":
            return f"{name}: {one.get('reason')}: {_line(one.get('message'))}"
    return ""


def _after(status: Object) -> str:
    """What the container ended with before it waited to be started again."""
    ended = (status.get("lastState") or {}).get("terminated") or {}
    return f" after {ended.get('reason', 'Error')} (exit code {ended['exitCode']})" if ended.get("exitCode") else ""


def _happened(name: str, events: Sequence[Object]) -> str:
    """The newest warning about the job or what it made: why there is no pod."""
    about = [
        one
        for one in events
        if one.get("type") == "Warning" and str(one["involvedObject"].get("name", "")).startswith(name)
    ]
    newest = max(about, key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""), default=None)
    return f"{newest.get('reason')}: {_line(newest.get('message'))}" if newest is not None else ""


def _line(text: Any) -> str:
    return " ".join(str(text or "").split())[:400]
