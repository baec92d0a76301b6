"""A worker: starts its zygote while it knows no test, then takes jobs from the grader one at a time."""

import fcntl
import gc
import json
import os
import socket
from typing import TYPE_CHECKING, NoReturn

from ratchet.grade.sandbox import isolation, kernel, wire, zygote

if TYPE_CHECKING:
    from ratchet.grade.sandbox.limits import Level, Limits


def main(level: "Level", limits: "Limits") -> NoReturn:
    """Serves the grader over the standard input and output until the input ends."""
    lacking = isolation.missing(level)
    if lacking is not None:
        wire.send(1, json.dumps({"failed": lacking}).encode())
        os._exit(0)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote_pid = kernel.fork()
    if zygote_pid == 0:
        try:
            _become_zygote(ours, theirs, level, limits)
        finally:
            os._exit(1)
    theirs.close()
    # From here on tests are about: no process of the same user may look into this one or those forked from it.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    _serve(ours, level, limits)
    ours.close()  # by which the zygote ends
    os.waitpid(zygote_pid, 0)
    os._exit(0)


def _become_zygote(ours: socket.socket, theirs: socket.socket, level: "Level", limits: "Limits") -> NoReturn:
    ours.close()
    _renew(0, 1, 2)
    control = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, isolation.CHANNEL + 1)
    theirs.close()
    os.dup2(0, isolation.CHANNEL)  # so that no other descriptor gets this number
    zygote.serve(socket.socket(fileno=control), level, limits)


def _renew(*standard: int) -> None:
    """Points standard streams nowhere."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for each in standard:
        os.dup2(quiet, each)
    os.close(quiet)


def _serve(control: socket.socket, level: "Level", limits: "Limits") -> None:
    from ratchet.grade.sandbox import attempt, testers  # the zygote does without what these need
    from ratchet.grade.sandbox.children import Children

    desk = testers.Desk(os.dup(0), os.dup(1))
    _renew(0, 1)  # tests may print
    children = Children(control, level)
    failed = children.greet()
    gc.freeze()  # a tester's collections then leave these pages alone
    wire.send(desk.verdicts, json.dumps({} if failed is None else {"failed": failed}).encode())
    message = desk.next()
    while message is not None:
        children.renew()
        job = json.loads(message)
        if job["cases"] is None:
            children.require()
            message = testers.serve(job, desk, children, limits)
            continue
        desk.take(job["number"])
        desk.answer(attempt.by_cases(job, children, limits))
        message = desk.next()
