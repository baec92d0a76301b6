"""Wait for a run of an endpoint, saying what its steps do, and read its verdict from its artifacts."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ratchet.errors import InputError
from ratchet_pipelines.endpoint import Endpoint, Unanswered, connected, explained

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
SECONDS_BETWEEN_LOOKS = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: its state, the step that failed with the cluster's own words, and where its artifacts are."""

    state: str
    failed: str | None = None
    words: str | None = None
    pipeline_root: str | None = None


def follow(
    endpoint: Endpoint,
    run: str,
    timeout_s: float,
    say: Callable[[str], None],
    pause_s: float = SECONDS_BETWEEN_LOOKS,
) -> Ended:
    """How the run ended; `say` gets a line for each step whose state has changed.

    An endpoint that does not answer for a while does not end the wait; the time limit does.
    """
    deadline = time.monotonic() + timeout_s
    seen: dict[str, str] = {}
    look = _looking(endpoint, run, say)
    while True:
        found = look()
        if found is not None:
            steps = (found.run_details.task_details if found.run_details else None) or []
            for line in changes(steps, seen):
                say(line)
            if found.state in ENDED:
                return _ended(found, steps)
        if time.monotonic() > deadline:
            raise _too_late(run, timeout_s, seen)
        time.sleep(pause_s)


def changes(steps: Iterable[Any], seen: dict[str, str]) -> list[str]:
    """A line for each step whose state is another one than in `seen`, which is brought up to date."""
    lines = []
    for step in steps:
        name, state = _name(step), step.state or "PENDING"
        if name and seen.get(step.task_id) != state:
            lines.append(f"{state.lower():<10} {name}")
        seen[step.task_id] = state
    return lines


def _looking(endpoint: Endpoint, run: str, say: Callable[[str], None]) -> Callable[[], Any]:
    """A look at the run as it is now, None where the endpoint does not answer.

    Whether the endpoint is one is asked at the first look alone; a client that has failed is made anew, since its token
    may have been replaced.
    """
    clients: list[Any] = []

    def look() -> Any:
        try:
            if not clients:
                with connected(endpoint) as client:
                    clients.append(client)
            with explained(endpoint):
                return clients[0].get_run(run)
        except Unanswered as error:
            clients.clear()
            say(f"waiting    {error}")
            return None

    return look


def _name(step: Any) -> str:
    """The step's name; empty for the run's own entry and for the drivers that Kubeflow puts before each step."""
    name = str(step.display_name or "")
    return "" if name in ("root", "executor") or name.endswith("-driver") else name


def _ended(run: Any, steps: Iterable[Any]) -> Ended:
    root = run.runtime_config.pipeline_root if run.runtime_config else None
    if run.state == "SUCCEEDED":
        return Ended(run.state, pipeline_root=root)
    failed = [step for step in steps if step.state == "FAILED" and _name(step)]
    first = min(failed, key=lambda step: str(step.end_time or "9"), default=None)
    words = [text for text in (_words(first) if first else None, _words(run)) if text]
    return Ended(run.state, _name(first) if first else None, words[0] if words else None, root)


def _words(thing: Any) -> str | None:
    """The message of the error of a step or a run, of its last state where it has none of its own."""
    errors = [thing.error, *(state.error for state in reversed(thing.state_history or []))]
    return next((" ".join(error.message.split())[:300] for error in errors if error and error.message), None)


def _too_late(run: str, timeout_s: float, seen: dict[str, str]) -> InputError:
    working = sum(state == "RUNNING" for state in seen.values())
    return InputError(
        f"not at its end after {timeout_s:,.0f} s ({working} steps running)",
        where=f"run {run}",
        expected="an end",
        next="the run goes on; wait longer with --timeout, or look at the pods of its steps",
    )
