r"""Math answers: math-verify compares them, in processes that a hostile expression can end without harm.

The answer is the last `\boxed{}`, what stands behind `####`, or else what math-verify finds in the end of the text. A
comparison that uses up its CPU time or memory is `incorrect`: CPU time, so that a busy host changes no verdict. Where
the machinery fails, the comparison is tried once more in a new process, and is then an `error`.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from ratchet.grade.marks import Judged, first_line_of, last_mark, shown
from ratchet.grade.math_server import framed

LONGEST_EXPRESSION = 2000  # characters of a marked answer
TAIL = 4000  # characters that math-verify searches where nothing is marked
MOST_KNOWN = 50_000  # judgements kept, so that an answer given again and again is compared once
_SEPARATOR = re.compile(r"(?<=\d),\\!(?=\d{3})")
FAILED: Judged = ("error", None, "the math grader failed twice")
FAULTS = {-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT, -signal.SIGILL, -signal.SIGFPE}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one comparison may use; `wall_s` is far more than that and ends only what hangs."""

    cpu_s: float = 5.0
    memory_bytes: int = 2**30
    wall_s: float = 300.0


class MathGraders:
    """Several servers of `ratchet.grade.math_server`, each asked one thing at a time; started when first needed."""

    def __init__(self, workers: int, limits: Limits = Limits()) -> None:  # noqa: B008  frozen
        if find_spec("math_verify") is None:
            raise ModuleNotFoundError("No module named 'math_verify'", name="math_verify")
        self._servers: SimpleQueue[_Server] = SimpleQueue()
        self._all = [_Server(limits) for _ in range(workers)]
        for server in self._all:
            self._servers.put(server)
        self._threads = ThreadPoolExecutor(workers)
        self._known: dict[tuple[str, str], Judged] = {}

    def __enter__(self) -> "MathGraders":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)
        for server in self._all:
            server.stop()

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judged]:
        """The judgement of each pair of text and gold answer; the same answer is compared only once."""
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        asked = [(boxed(gold), request_text(text)) for text, gold in pairs]
        keys = dict.fromkeys((gold, text) for gold, text in asked if text is not None)
        new = [key for key in keys if self._known.get(key, FAILED)[0] == "error"]
        self._known.update(zip(new, self._threads.map(self._ask, new), strict=True))
        return [
            _unread(text) if request is None else self._known[gold, request]
            for (gold, request), (text, _) in zip(asked, pairs, strict=True)
        ]

    def _ask(self, key: tuple[str, str]) -> Judged:
        server = self._servers.get()
        try:
            return server.judge(*key)
        finally:
            self._servers.put(server)


def request_text(text: str) -> str | None:
    r"""What math-verify is given of a text: the marked answer in a box, or the end of the text; None: no answer."""
    mark = last_mark(text)
    if mark is None or mark.kind == "phrase":
        return text[-TAIL:] if text.strip() else None
    content = mark.content if mark.kind == "boxed" else first_line_of(mark.content)
    return boxed(content) if 0 < len(content.strip()) <= LONGEST_EXPRESSION else None


def boxed(expression: str) -> str:
    r"""The expression in `\boxed{}`, where math-verify looks first, without `$`, a final stop and `\!`."""
    bare = _SEPARATOR.sub("", expression).replace("\\!", "").strip().removesuffix(".")
    if len(bare) > 1 and bare.startswith("$") and bare.endswith("$"):
        bare = bare.strip("$").strip()
    return bare if bare.startswith("\\boxed{") else f"\\boxed{{{bare}}}"


def _unread(text: str) -> Judged:
    mark = last_mark(text)
    return "incorrect", None, "the answer is too long" if mark and mark.content else "no answer in the text"


class _Server:
    """One server process, started when it is first asked and again after it has failed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._asked = 0

    def judge(self, gold: str, text: str) -> Judged:
        """The judgement; a failure that the expression may not have caused is tried again, in a new process."""
        first = self._try(gold, text)
        if isinstance(first, tuple):
            return first
        if first not in FAULTS:
            self.stop()
        second = self._try(gold, text)
        if isinstance(second, tuple):
            return second
        if first in FAULTS and second == first:
            return "incorrect", None, f"the expression ended the comparison twice ({signal.Signals(-first).name})"
        self.stop()
        return FAILED

    def stop(self) -> None:
        """End the process and its child, if it runs."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
        self._process, self._buffer = None, b""

    def _try(self, gold: str, text: str) -> Judged | int | None:
        """The judgement, the exit code of the child that the request ended, or None where there is no reply."""
        self._asked += 1
        until = time.monotonic() + self._limits.wall_s
        try:
            process = self._process or self._start(until)
            assert process.stdin is not None
            process.stdin.write(framed({"id": self._asked, "gold": gold, "text": text}))
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
        command = [sys.executable, "-m", "ratchet.grade.math_server"]
        limits = [str(self._limits.cpu_s), str(self._limits.memory_bytes)]
        self._process = subprocess.Popen(
            command + limits,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if self._reply(until) is None:
            raise OSError("the math grader did not start")
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
