r"""The process that a judge runs in: JSON requests in, each after its length, one JSON reply a line out.

A judge is a function of a gold answer and a text: `ratchet.grade.math_judge` or `ratchet.grade.gym_judge`. The server
imports one, once, and forks a child, which reads the requests itself. A child that uses up the CPU time of a request is
ended by the kernel, in C code as well; the server then says what ended it and forks the next one, in milliseconds. What
compares never meets a model's text outside such a child.

Run by `ratchet.grade.judging` as `python -m ratchet.grade.judge_server KIND CPU_SECONDS MEMORY_BYTES`.
"""

import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

Judge = Callable[[str, str], tuple[str, str | None, str | None]]

REQUESTS_A_CHILD = 1000  # then a new one: caches grow with what they have seen
FINISHED, AGAIN = 0, 75  # exit codes of a child: no more requests; begin a new child
REPLIES = 3  # the descriptor of the replies: what anything prints goes to /dev/null


def main() -> None:
    """Serve until the requests end."""
    kind, cpu_s, memory = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    logging.disable(logging.CRITICAL)
    os.dup2(1, REPLIES)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    module = import_module(f"ratchet.grade.{kind}_judge")
    module.warm()  # imports everything before the first fork
    _reply({"ready": True})
    while True:
        child = os.fork()
        if child == 0:
            os._exit(_serve(module.judge, cpu_s, memory))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == FINISHED:
            return
        if code != AGAIN:
            _reply({"ended": code})


def _serve(judge: Judge, cpu_s: float, memory: int) -> int:
    """The child's exit code, after it has answered requests."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for _ in range(REQUESTS_A_CHILD):
        data = _request()
        if not data:
            return FINISHED
        request = json.loads(data)
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        outcome, answer, reason = judge(request["gold"], request["text"])
        signal.setitimer(signal.ITIMER_PROF, 0)
        _reply({"id": request["id"], "outcome": outcome, "answer": answer, "reason": reason})
    return AGAIN


def framed(request: dict[str, Any]) -> bytes:
    """A request as it is sent: its length in four bytes, then its JSON."""
    data = json.dumps(request).encode()
    return len(data).to_bytes(4) + data


def _request() -> bytes:
    """The next request and not a byte more: what is read ahead a next child would miss; empty at the end."""
    head = _exactly(4)
    return _exactly(int.from_bytes(head)) if head else b""


def _exactly(size: int) -> bytes:
    pieces = b""
    while len(pieces) < size:
        piece = os.read(0, size - len(pieces))
        if not piece:
            return b""
        pieces += piece
    return pieces


def _reply(value: dict[str, Any]) -> None:
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(REPLIES, data) :]


if __name__ == "__main__":
    main()
