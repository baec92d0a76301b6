"""The grader's side: worker processes, and the order of their verdicts."""

import itertools
import json
import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ratchet.errors import InputError
from ratchet.grade.sandbox import wire
from ratchet.grade.sandbox.limits import LEVELS, Level, Limits

AHEAD = 256  # verdicts a worker that are held back for an earlier one still on its way
AT_HAND = 2  # jobs that a worker has at a time, so that it need not wait for the next
_PACKAGE = Path(__file__).parents[2]
# The packages by hand, without their `__init__`: a worker needs the sandbox's modules alone, and starts in no time.
_BOOT = """
import sys, types
for name, folder in (("ratchet", sys.argv[1]), ("ratchet.grade", sys.argv[1] + "/grade")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
import json
from ratchet.grade.sandbox import libraries, worker
worker.main(sys.argv[2], types.SimpleNamespace(**json.loads(sys.argv[3])))
"""
# True only where everything that the two levels promise holds.
_TRIAL = """
import os, socket
def refused(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError:
        return True
def trial(secret, parent):
    return all((
        refused(socket.socket), refused(os.fork), refused(open, secret), refused(open, f"/proc/{parent}/mem", "rb"),
        refused(os.kill, parent, 0), refused(os.execv, "/bin/true", ["true"]), refused(open, "/new", "w"),
        refused(open, "/tmp/new", "w"), refused(os.chmod, "/", 0o755), refused(os.setuid, 0),
    ))
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A program and its tests: Python in `tests`, or cases of input and output."""

    program: str
    tests: str = ""
    entry_point: str | None = None
    prompt: str = ""
    cases: list[dict[str, str]] | None = None


class Worker:
    """One worker process and the jobs that it has, the one in work first."""

    def __init__(self, level: Level, limits: Limits):
        command = [sys.executable, "-s", "-S", "-P", "-B", "-c", _BOOT, str(_PACKAGE), level]
        command.append(json.dumps(asdict(limits)))
        # Nothing of the grader's environment, which may hold secrets. The order of sets is the same for all.
        environment = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "LD_BIND_NOW": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd="/", start_new_session=True
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input, self.output = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.jobs: deque[tuple[int, Job]] = deque()
        hello = wire.receive(self.output)
        self.failed: str | None = "the worker ended" if hello is None else json.loads(hello).get("failed")

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends the worker: at once where it has a job, whose processes go with it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if self.jobs:
            self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def give(self, number: int, job: Job) -> None:
        """Hands a job over."""
        self.jobs.append((number, job))
        with suppress(BrokenPipeError):  # of which `take` will hear
            said = {name: getattr(job, name) for name in job.__slots__}
            wire.send(self.input, json.dumps({"number": number, **said}).encode())

    def take(self) -> tuple[int, dict[str, Any]]:
        """The number of the first of its jobs and the verdict on it; an error where the worker has died of it."""
        number, _ = self.jobs.popleft()
        while (said := wire.receive(self.output)) is not None:
            found: dict[str, Any] = json.loads(said)
            if found["number"] == number:  # and no second answer to the one before
                return number, found
        self.failed = "the worker ended"
        return number, {"outcome": "error", "reason": "the worker that graded it ended"}


def levels_here() -> dict[Level, str | None]:
    """For each level why this host can't give it, or None where a trial shows that it can."""
    return {level: _lacking(level) for level in LEVELS}


def best_level(minimum: Level | None = None) -> Level:
    """The best level of this host; an InputError where that is less than the minimum."""
    reasons = []
    for level in LEVELS[: LEVELS.index(minimum or LEVELS[-1]) + 1]:
        lacking = _lacking(level)
        if lacking is None:
            return level
        reasons.append(f"{level}: {lacking}")
    expected = f"a host that gives {minimum!r} or better" if minimum else "a host that can run programs"
    raise InputError(f"this host does not isolate programs so far ({'; '.join(reasons)})", expected=expected)


def verdicts(jobs: Iterable[Job], level: Level, workers: int, limits: Limits) -> Iterator[dict[str, Any]]:
    """The verdict on each job, in the order of the jobs."""
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        waiting = iter(enumerate(jobs))
        returned: deque[tuple[int, Job]] = deque()  # by workers that ended before they came to it
        done: dict[int, dict[str, Any]] = {}
        given = following = 0
        at_work = [_started(stack, selector, level, limits) for _ in range(workers)]
        while True:
            for worker in sorted(at_work * AT_HAND, key=lambda w: len(w.jobs)):
                if len(worker.jobs) < AT_HAND and returned:
                    worker.give(*returned.popleft())
                elif len(worker.jobs) < AT_HAND and given < following + AHEAD * workers:
                    for item in itertools.islice(waiting, 1):
                        given += 1
                        worker.give(*item)
            if following == given:
                return
            for key, _ in selector.select():
                worker = key.data
                number, done[number] = worker.take()
                if worker.failed is not None:
                    returned += worker.jobs
                    selector.unregister(worker.output)
                    worker.__exit__(None, None, None)
                    at_work[at_work.index(worker)] = _started(stack, selector, level, limits)
            while following in done:
                yield done.pop(following)
                following += 1


def _started(stack: ExitStack, selector: selectors.BaseSelector, level: Level, limits: Limits) -> Worker:
    worker = stack.enter_context(Worker(level, limits))
    if worker.failed is not None:
        raise RuntimeError(f"a grading worker did not start: {worker.failed}")
    selector.register(worker.output, selectors.EVENT_READ, worker)
    return worker


def _lacking(level: Level) -> str | None:
    with Worker(level, Limits()) as worker:
        if worker.failed is not None or level == "process":
            return worker.failed
        tests = f"assert trial({__file__!r}, {os.getpid()})"
        worker.give(0, Job(_TRIAL, tests, "trial"))
        _, verdict = worker.take()
    return None if verdict["outcome"] == "correct" else f"the trial did not hold: {verdict['reason']}"
