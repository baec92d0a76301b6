"""One attempt: a fresh child for the program, its problem's tester, and the verdict."""

import signal
import socket
from contextlib import suppress
from typing import Any, NamedTuple

from ratchet.grade.sandbox import child, script, zygote
from ratchet.grade.sandbox.lifeline import Lifeline, Lost, new_channel, out_of_time
from ratchet.grade.sandbox.limits import Level, Limits
from ratchet.grade.sandbox.tester import Verdict
from ratchet.grade.sandbox.testers import Testers

PATIENCE_S = 2.0  # for the end of a child whose channel has ended


class End(NamedTuple):
    """How a child ended."""

    status: int
    """Its exit code, or minus the signal."""
    killed: bool
    """Whether that was the zygote."""
    cpu_s: float


def verdict(job: dict[str, Any], limits: Limits, control: socket.socket, level: Level, testers: Testers) -> Verdict:
    """What comes of the job's program: by its tests or its cases of input and output, or by how it ended."""
    if job["cases"] is None:
        found, end = _tested(job, limits, control, testers)
        slow = found["outcome"] == "correct" and end.cpu_s > limits.cpu_s
        return _of_end(end, limits, level) if slow or found["outcome"] == "lost" else found
    if not job["cases"]:
        return {"outcome": "ungradable", "reason": "there are no tests"}
    for number, case in enumerate(job["cases"], start=1):
        with _child(control) as channel:
            outcome = script.run(channel, job["program"], case["input"], limits)
        end = _ended(control, PATIENCE_S if outcome.reason is None else 0.0)
        if outcome.failed:
            return {"outcome": "error", "reason": outcome.reason}
        if outcome.reason is not None:
            return {"outcome": "incorrect", "reason": outcome.reason}
        if end.status != 0 or end.cpu_s > limits.cpu_s:
            return _of_end(end, limits, level)
        if not script.same(outcome.text, case["output"]):
            return {"outcome": "incorrect", "reason": f"test {number} of {len(job['cases'])}: another output"}
    return {"outcome": "correct", "reason": None}


def _child(control: socket.socket) -> socket.socket:
    """The channel to a new child."""
    ours, theirs = new_channel()
    with theirs:
        socket.send_fds(control, [b"1"], [theirs.fileno()])
    return ours


def _ended(control: socket.socket, patience_s: float) -> End:
    """How the child ended; after the patience it is killed."""
    control.send(zygote.PATIENCE.pack(patience_s))
    return End(*zygote.REPORT.unpack(control.recv(zygote.PACKET)))


def _tested(job: dict[str, Any], limits: Limits, control: socket.socket, testers: Testers) -> tuple[Verdict, End]:
    """The tests' verdict, and how the child ended."""
    with _child(control) as channel:
        with suppress(Lost):  # which the tester will see
            Lifeline(channel, limits).send(child.job(job["program"]))
        found = testers.verdict(job, channel)
    return found, _ended(control, PATIENCE_S if found["outcome"] == "lost" else 0.0)


def _of_end(end: End, limits: Limits, level: Level) -> Verdict:
    """The verdict on a program that ended before its tests did."""
    status = end.status
    if end.cpu_s > limits.cpu_s:
        return {"outcome": "incorrect", "reason": out_of_time(limits)}
    if end.killed:
        return {"outcome": "incorrect", "reason": "the program closed its channel"}
    if status == -signal.SIGKILL and level != "process":
        # The filter of system calls refuses a program to kill itself so: this came from outside.
        return {"outcome": "error", "reason": "the program was killed from outside (out of memory?)"}
    if status < 0:
        return {"outcome": "incorrect", "reason": f"the program ended by signal {-status}"}
    return {"outcome": "incorrect", "reason": f"the program ended with exit code {status}"}
