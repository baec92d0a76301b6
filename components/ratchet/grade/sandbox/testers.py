"""The worker's testers: one at a time, which takes the worker's place as long as the jobs are of one problem.

It reads the jobs and writes the verdicts itself: with one process less between the grader and the program each program
costs less. When a job of another problem comes, it hands that and the children that are left back to the worker.
"""

import json
import mmap
import os
import resource
import signal
import socket
import struct
import time
from typing import Any, NoReturn

from ratchet.grade.sandbox import attempt, kernel, names, wire
from ratchet.grade.sandbox.children import AT_ONCE, Children
from ratchet.grade.sandbox.limits import Limits
from ratchet.grade.sandbox.names import Tests
from ratchet.grade.sandbox.tester import Verdict

TESTER_CPU_S = 10  # beyond the program's own; what a value costs the tests is bounded so
TESTER_MEMORY = 2**31
LOOK_S = 0.5  # how often the worker looks for how long its tester has had its job
_SAME = ("tests", "prompt", "entry_point")  # what a tester is for
_HEAD = struct.Struct("Q?ii")  # the size of the next job, and what `Children` counts
_IN_HAND = struct.Struct("qd")  # a job's number, and since when; 0 where it is answered


class Desk:
    """Where jobs come from and verdicts go; and, seen by the worker and its tester both, which job is in hand."""

    def __init__(self, jobs: int, verdicts: int):
        self.jobs = jobs
        self.verdicts = verdicts
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)

    def next(self) -> bytes | None:
        """The next job, as it comes; None where there will be no more."""
        return wire.receive(self.jobs)

    def take(self, number: int) -> None:
        """Notes that the job is in hand."""
        _IN_HAND.pack_into(self._shared, 0, number, time.monotonic())

    def answer(self, verdict: Verdict) -> None:
        """Answers the job in hand.

        Who ends in between has its job answered twice, and the grader passes over the second answer.
        """
        wire.send(self.verdicts, json.dumps({"number": self.in_hand()[0], **verdict}).encode())
        _IN_HAND.pack_into(self._shared, 0, 0, 0.0)

    def in_hand(self) -> tuple[int, float]:
        """The number of the job in hand, and since when; that is 0 where there is none."""
        number, since = _IN_HAND.unpack_from(self._shared)
        return number, since


def serve(job: dict[str, Any], desk: Desk, children: Children, limits: Limits) -> bytes | None:
    """Has a new tester answer the job and those that follow it at the same problem; returned is the next job, if any.

    An answer is given in any case: where the tester ends early, that is its verdict.
    """
    ours, theirs = socket.socketpair()
    desk.take(job["number"])
    pid = kernel.fork()
    if pid == 0:
        try:
            ours.close()
            _become_tester(job, desk, children, limits, theirs)
        finally:
            os._exit(1)
    theirs.close()
    children.drop()  # they are the tester's now
    with ours:
        following = _handed_back(ours, desk, children, limits, pid)
    _, status = os.waitpid(pid, 0)
    if following is None:
        children.used_folder = children.folder >= 0  # there is no saying
        if desk.in_hand()[1]:
            desk.answer(_of_end(os.waitstatus_to_exitcode(status), limits))
        children.renew()
        children.require()  # for new ones the old are ended, the tester's last with them
    return following or desk.next()


def _handed_back(ours: socket.socket, desk: Desk, children: Children, limits: Limits, pid: int) -> bytes | None:
    """The job that the tester hands back, empty where it had none; None where it ended without a word."""
    ours.settimeout(LOOK_S)
    while True:
        try:
            head, descriptors, _, _ = socket.recv_fds(ours, _HEAD.size, AT_ONCE)
        except TimeoutError:
            since = desk.in_hand()[1]
            if since and time.monotonic() - since > limits.wall_s + LOOK_S:
                os.kill(pid, signal.SIGKILL)
            continue
        if not head:
            return None
        size, children.used_folder, children.forked, children.next_row = _HEAD.unpack(head)
        children.ready.extend(socket.socket(fileno=descriptor) for descriptor in descriptors)
        ours.settimeout(None)
        return wire.exactly(ours.fileno(), size)


def _of_end(code: int, limits: Limits) -> Verdict:
    """The verdict on the program in whose tests the tester ended."""
    if code == -signal.SIGPROF:
        return {"outcome": "incorrect", "reason": "the tests used up their time on what the program returned"}
    if code == -signal.SIGKILL:
        return {"outcome": "error", "reason": f"the tester was killed, or gave no verdict within {limits.wall_s:g} s"}
    return {"outcome": "error", "reason": f"the tester ended early ({code})"}


def _become_tester(
    job: dict[str, Any], desk: Desk, children: Children, limits: Limits, theirs: socket.socket
) -> NoReturn:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(0, 2)  # which is nowhere
    kernel.set_limit(resource.RLIMIT_AS, TESTER_MEMORY)
    kernel.set_limit(resource.RLIMIT_CORE, 0)
    following = _answer_all(job, desk, children, limits)
    head = _HEAD.pack(len(following), children.used_folder, children.forked, children.next_row)
    socket.send_fds(theirs, [head], [channel.fileno() for channel in children.ready])
    theirs.sendall(following)
    os._exit(0)


def _answer_all(job: dict[str, Any], desk: Desk, children: Children, limits: Limits) -> bytes:
    """Answers the job and those that follow it at its problem; returned is the first that doesn't, if it has come.

    Not those that follow a program that may have left something here.
    """
    said = [job[name] for name in _SAME]
    try:
        tests: Tests | Verdict = names.read(*said)
    except SyntaxError as error:
        tests = {"outcome": "ungradable", "reason": f"the tests are no Python: {error.msg}"}
    while True:
        if isinstance(tests, Tests):
            # Ends this process. Per program, unlike a limit of resources.
            signal.setitimer(signal.ITIMER_PROF, limits.cpu_s + TESTER_CPU_S)
            verdict, stays = attempt.by_tests(job["program"], tests, children, limits)
            signal.setitimer(signal.ITIMER_PROF, 0)
            stays = stays and tests.leave_nothing and not children.used_folder
        else:
            verdict, stays = tests, True
        desk.answer(verdict)
        if not stays:
            return b""
        message = desk.next()
        if message is None:
            return b""
        job = json.loads(message)
        if job["cases"] is not None or [job[name] for name in _SAME] != said:
            return message
        desk.take(job["number"])
