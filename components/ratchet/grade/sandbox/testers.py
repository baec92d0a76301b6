"""The worker's side of its testers: one at a time, kept as long as the programs are attempts at one problem."""

import json
import os
import resource
import signal
import socket
from typing import Any, NoReturn

from ratchet.grade.sandbox import kernel, tester
from ratchet.grade.sandbox.lifeline import cpu_s
from ratchet.grade.sandbox.limits import Limits
from ratchet.grade.sandbox.tester import TESTER_CPU_S, Verdict

TESTER_MEMORY = 2**31
PACKET = 4096
CONTROL = 3  # the one descriptor that a tester keeps beside the standard three
_SAME = ("tests", "entry_point", "prompt")  # what a tester is for


class Testers:
    """The tester of a worker, if there is one now."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.pid = 0
        self.said: tuple[Any, ...] = ()
        self.control: socket.socket | None = None

    def verdict(self, job: dict[str, Any], channel: socket.socket) -> Verdict:
        """The tests' verdict on the program at the other end of the channel."""
        said = tuple(job[name] for name in _SAME)
        if self.control is None or said != self.said:
            self.end()
            self.control = self._start(job)
            self.said = said
        used_s = cpu_s(self.pid) or 0.0
        try:
            socket.send_fds(self.control, [b"1"], [channel.fileno()])
            packet = self.control.recv(PACKET)
        except TimeoutError:
            self.end()
            return {"outcome": "error", "reason": f"no verdict within {self.limits.wall_s:g} s of the clock"}
        except OSError:
            packet = b""
        if not packet:
            return self._ended_early(used_s)
        verdict, stays = json.loads(packet)
        if not stays:
            self.end()
        found: Verdict = verdict
        return found

    def end(self) -> tuple[int, float]:
        """Ends the tester, if there is one: its exit code and its processor time."""
        if self.control is None:
            return 0, 0.0
        self.control.close()
        self.control = None
        os.kill(self.pid, signal.SIGKILL)
        _, status, used = os.wait4(self.pid, 0)
        return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime

    def _ended_early(self, used_s: float) -> Verdict:
        code, in_all_s = self.end()
        # The timer counts in ticks, and so not to the second.
        if in_all_s - used_s >= self.limits.cpu_s + TESTER_CPU_S - 1:
            return {"outcome": "incorrect", "reason": "the tests used up their time on what the program returned"}
        return {"outcome": "error", "reason": f"the tester ended early ({code})"}

    def _start(self, job: dict[str, Any]) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(self.limits.wall_s)
        self.pid = kernel.fork()
        if self.pid == 0:
            try:
                _become_tester(theirs.detach(), job, self.limits)
            finally:
                os._exit(1)
        theirs.close()
        return ours


def _become_tester(control: int, job: dict[str, Any], limits: Limits) -> NoReturn:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(control, CONTROL)
    os.closerange(CONTROL + 1, 1 << 20)  # the grader's channel and the zygote's
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    os.close(quiet)
    kernel.set_limit(resource.RLIMIT_AS, TESTER_MEMORY)
    kernel.set_limit(resource.RLIMIT_CORE, 0)
    tester.serve(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, CONTROL), job, limits)
