"""A worker: takes jobs from the grader one at a time and gives each to a fresh tester and a fresh child."""

import array
import gc
import json
import os
import resource
import select
import signal
import socket
from typing import Any, NoReturn

from ratchet.grade.sandbox import isolation, kernel, script, tester, wire, zygote
from ratchet.grade.sandbox.lifeline import out_of_time
from ratchet.grade.sandbox.limits import Level, Limits
from ratchet.grade.sandbox.tester import Verdict

TESTER_CPU_S = 10  # beyond the program's own; what a value costs the tests is bounded so
TESTER_MEMORY = 2**31
PATIENCE_S = 2.0  # for the end of a child whose channel has ended


def main(level: Level) -> NoReturn:
    """Serves the grader over the standard input and output until the input ends."""
    lacking = isolation.missing(level)
    if lacking is not None:
        wire.send(1, json.dumps({"failed": lacking}).encode())
        os._exit(0)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote_pid = os.fork()
    if zygote_pid == 0:
        try:
            _become_zygote(ours, theirs, level)
        finally:
            os._exit(1)
    theirs.close()
    # From here on tests are about: no process of the same user may look into this one or those forked from it.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    hello = ours.recv(zygote.PACKET) or b'{"failed": "the process that children are forked from has ended"}'
    wire.send(1, hello)
    gc.freeze()  # a tester's collections then leave these pages alone
    while (message := wire.receive(0)) is not None:
        job = json.loads(message)
        limits = Limits(**job["limits"])
        wire.send(1, json.dumps(_verdict(job, limits, ours, level)).encode())
    ours.close()  # by which the zygote ends
    os.waitpid(zygote_pid, 0)
    os._exit(0)


def _become_zygote(ours: socket.socket, theirs: socket.socket, level: Level) -> NoReturn:
    ours.close()
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    os.close(quiet)
    zygote.serve(theirs, level)


def _verdict(job: dict[str, Any], limits: Limits, control: socket.socket, level: Level) -> Verdict:
    if job["cases"] is None:
        verdict, report = _tested(job, limits, control)
        slow = verdict["outcome"] == "correct" and report["cpu_s"] > limits.cpu_s
        return _of_end(report, limits, level) if slow or verdict["outcome"] == "lost" else verdict
    if not job["cases"]:
        return {"outcome": "ungradable", "reason": "there are no tests"}
    for number, case in enumerate(job["cases"], start=1):
        with _child(control, limits) as channel:
            outcome = script.run(channel, job["program"], case["input"], limits)
        report = _ended(control, PATIENCE_S if outcome.reason is None else 0.0)
        if outcome.failed:
            return {"outcome": "error", "reason": outcome.reason}
        if outcome.reason is not None:
            return {"outcome": "incorrect", "reason": outcome.reason}
        if report["status"] != 0 or report["cpu_s"] > limits.cpu_s:
            return _of_end(report, limits, level)
        if not script.same(outcome.text, case["output"]):
            return {"outcome": "incorrect", "reason": f"test {number} of {len(job['cases'])}: another output"}
    return {"outcome": "correct", "reason": None}


def _child(control: socket.socket, limits: Limits) -> socket.socket:
    """The channel to a new child."""
    ours, theirs = socket.socketpair()
    with theirs:
        order = json.dumps({name: getattr(limits, name) for name in limits.__slots__}).encode()
        passed = array.array("i", [theirs.fileno()])
        control.sendmsg([order], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
    return ours


def _ended(control: socket.socket, patience_s: float) -> dict[str, Any]:
    """How the child ended; after the patience it is killed."""
    control.send(json.dumps(patience_s).encode())
    report: dict[str, Any] = json.loads(control.recv(zygote.PACKET))
    return report


def _tested(job: dict[str, Any], limits: Limits, control: socket.socket) -> tuple[Verdict, dict[str, Any]]:
    """The tester's verdict, and how the child ended."""
    with _child(control, limits) as channel:
        reading, writing = os.pipe2(os.O_CLOEXEC)  # after the child was ordered, from a process that never had it
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reading)
                control.close()
                _become_tester(channel, writing, job, limits)
            finally:
                os._exit(1)
        os.close(writing)
    verdict = _read_verdict(reading, limits)
    os.close(reading)
    os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    if verdict is None:
        # The limit of resources counts in ticks, and so not to the second.
        spent = used.ru_utime + used.ru_stime >= limits.cpu_s + TESTER_CPU_S - 1
        verdict = {"outcome": "error", "reason": f"the tester ended early ({os.waitstatus_to_exitcode(status)})"}
        if spent:
            verdict = {"outcome": "incorrect", "reason": "the tests used up their time on what the program returned"}
    return verdict, _ended(control, PATIENCE_S if verdict["outcome"] == "lost" else 0.0)


def _become_tester(channel: socket.socket, writing: int, job: dict[str, Any], limits: Limits) -> NoReturn:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # the grader's own channel among them
        os.dup2(quiet, standard)
    kernel.set_limit(resource.RLIMIT_CPU, limits.cpu_s + TESTER_CPU_S)
    kernel.set_limit(resource.RLIMIT_AS, TESTER_MEMORY)
    kernel.set_limit(resource.RLIMIT_CORE, 0)
    os.write(writing, json.dumps(tester.run(channel, job, limits)).encode())
    os._exit(0)


def _read_verdict(reading: int, limits: Limits) -> Verdict | None:
    ready, _, _ = select.select([reading], [], [], limits.wall_s)
    if not ready:
        return {"outcome": "error", "reason": f"no verdict within {limits.wall_s:g} s of the clock"}
    said = os.read(reading, zygote.PACKET)  # one write of less than the atomic size of a pipe
    found: Verdict | None = json.loads(said) if said else None
    return found


def _of_end(report: dict[str, Any], limits: Limits, level: Level) -> Verdict:
    """The verdict on a program that ended before its tests did."""
    status = report["status"]
    if report["cpu_s"] > limits.cpu_s:
        return {"outcome": "incorrect", "reason": out_of_time(limits)}
    if report["killed"]:
        return {"outcome": "incorrect", "reason": "the program closed its channel"}
    if status == -signal.SIGKILL and level != "process":
        # The filter of system calls refuses a program to kill itself so: this came from outside.
        return {"outcome": "error", "reason": "the program was killed from outside (out of memory?)"}
    if status < 0:
        return {"outcome": "incorrect", "reason": f"the program ended by signal {-status}"}
    return {"outcome": "incorrect", "reason": f"the program ended with exit code {status}"}
