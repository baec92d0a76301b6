"""Judges in processes that a hostile answer can end without harm.

A comparison that uses up its CPU time or memory is `incorrect`: CPU time, so that a busy host changes no verdict. Where
the machinery fails, the comparison is tried once more in a new process, and is then an `error`.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Literal

from ratchet.grade import expressions, gym
from ratchet.grade.judge_server import framed
from ratchet.grade.marks import Judged, Request, shown

Kind = Literal["math", "gym"]
MOST_KNOWN = 50_000  # judgements kept, so that an answer given again and again is compared once
FAULTS = {-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT, -signal.SIGILL, -signal.SIGFPE}
# How a text and a gold answer of a kind become a request, or a judgement where there is nothing to compare.
_REQUESTS: Mapping[Kind, Callable[[str, str], Request | Judged]] = {
    "math": expressions.request_of,
    "gym": gym.request_of,
}
_INSTALLED: Mapping[Kind, Callable[[], None]] = {"math": expressions.require_installed, "gym": gym.require_installed}
# One thread a process, and one order of sets: some families of reasoning-gym are not the same with another.
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one comparison may use; `wall_s` is far more than that and ends only what hangs."""

    cpu_s: float = 5.0
    memory_bytes: int = 2**30
    wall_s: float = 300.0


class Judges:
    """Several servers of one kind, each asked one thing at a time; started when first needed."""

    def __init__(self, kind: Kind, workers: int, limits: Limits = Limits()) -> None:  # noqa: B008  frozen
        _INSTALLED[kind]()
        self._request_of = _REQUESTS[kind]
        self._servers: SimpleQueue[_Server] = SimpleQueue()
        self._all = [_Server(kind, limits) for _ in range(workers)]
        for server in self._all:
            self._servers.put(server)
        self._threads = ThreadPoolExecutor(workers)
        self._known: dict[Request, Judged] = {}

    def __enter__(self) -> "Judges":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)
        for server in self._all:
            server.stop()

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judged]:
        """The judgement of each pair of text and gold answer; the same answer is compared only once."""
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        asked = [self._request_of(text, gold) for text, gold in pairs]
        requests = dict.fromkeys(found for found in asked if isinstance(found, Request))
        new = [request for request in requests if self._known.get(request, ("error",))[0] == "error"]
        self._known.update(zip(new, self._threads.map(self._ask, new), strict=True))
        return [self._known[found] if isinstance(found, Request) else found for found in asked]

    def _ask(self, request: Request) -> Judged:
        server = self._servers.get()
        try:
            return server.judge(request)
        finally:
            self._servers.put(server)


class _Server:
    """One server process, started when it is first asked and again after it has failed."""

    def __init__(self, kind: Kind, limits: Limits) -> None:
        self._kind = kind
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._asked = 0

    def judge(self, request: Request) -> Judged:
        """The judgement; a failure that the answer may not have caused is tried again, in a new process."""
        first = self._try(request)
        if isinstance(first, tuple):
            return first
        if first not in FAULTS:
            self.stop()
        second = self._try(request)
        if isinstance(second, tuple):
            return second
        if first in FAULTS and second == first:
            return "incorrect", None, f"the answer ended the comparison twice ({signal.Signals(-first).name})"
        self.stop()
        return "error", None, f"the {self._kind} grader failed twice"

    def stop(self) -> None:
        """End the process and its child, if it runs."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
        self._process, self._buffer = None, b""

    def _try(self, request: Request) -> Judged | int | None:
        """The judgement, the exit code of the child that the request ended, or None where there is no reply."""
        self._asked += 1
        until = time.monotonic() + self._limits.wall_s
        try:
            process = self._process or self._start(until)
            assert process.stdin is not None
            process.stdin.write(framed({"id": self._asked, "gold": request.gold, "text": request.text}))
            process.stdin.flush()
            while True:
                reply = self._reply(until)
                if reply is None:
                    return None
                if reply.get("ended") == -signal.SIGPROF:
                    return "incorrect", None, f"the comparison used up its {self._limits.cpu_s:g} s of CPU time"
                if "ended" in reply:
                    return int(reply["ended"])
                if reply.get("id") == self._asked:
                    answer = reply["answer"]
                    return reply["outcome"], shown(answer) if answer else None, reply["reason"]
        except (OSError, ValueError, KeyError):  # the server is gone, or does not speak as it should
            return None

    def _start(self, until: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ratchet.grade.judge_server", self._kind]
        limits = [str(self._limits.cpu_s), str(self._limits.memory_bytes)]
        self._process = subprocess.Popen(
            command + limits,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,
        )
        if self._reply(until) is None:
            raise OSError(f"the {self._kind} grader did not start")
        return self._process

    def _reply(self, until: float) -> dict[str, Any] | None:
        """The next reply, or None where none comes in time or the server has ended."""
        assert self._process is not None and self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = until - time.monotonic()
            ready = select.select([pipe], [], [], left)[0] if left > 0 else []
            piece = os.read(pipe, 65536) if ready else b""
            if not piece:
                return None
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply
