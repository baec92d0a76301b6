"""A worker: starts its zygote while it knows no test, then takes jobs from the grader one at a time."""

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
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    os.close(quiet)
    zygote.serve(theirs, level, limits)


def _serve(control: socket.socket, level: "Level", limits: "Limits") -> None:
    from ratchet.grade.sandbox.attempt import verdict  # the zygote does without what this needs
    from ratchet.grade.sandbox.testers import Testers

    hello = control.recv(zygote.PACKET) or b'{"failed": "the process that children are forked from has ended"}'
    gc.freeze()  # a tester's collections then leave these pages alone
    testers = Testers(limits)
    wire.send(1, hello)
    while (message := wire.receive(0)) is not None:
        wire.send(1, json.dumps(verdict(json.loads(message), limits, control, level, testers)).encode())
    testers.end()
