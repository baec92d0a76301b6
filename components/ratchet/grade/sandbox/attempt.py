"""One attempt: a fresh child for the program, its problem's tests or cases, and the verdict."""

import signal
from contextlib import suppress
from typing import Any

from ratchet.grade.sandbox import script, tester
from ratchet.grade.sandbox.children import PATIENCE_S, Children, End
from ratchet.grade.sandbox.lifeline import Lifeline, Lost, out_of_time
from ratchet.grade.sandbox.limits import Level, Limits
from ratchet.grade.sandbox.names import Tests
from ratchet.grade.sandbox.tester import Conversation, Verdict


def by_tests(program: str, tests: Tests, children: Children, limits: Limits) -> tuple[Verdict, bool]:
    """What the tests, run in this process, say of the program; and whether they came to their end here."""
    with children.next() as channel:
        lifeline = Lifeline(channel, limits)
        conversation = Conversation(lifeline)
        with suppress(Lost):  # of which `run` will hear
            lifeline.send(program.encode("utf-8", "surrogatepass"))
        found = tester.run(tests, conversation)
        return _with_its_end(found, lifeline.pid, children, limits), conversation.end is None


def by_cases(job: dict[str, Any], children: Children, limits: Limits) -> Verdict:
    """What the cases of input and output say of the job's program."""
    if not job["cases"]:
        return {"outcome": "ungradable", "reason": "there are no tests"}
    for number, case in enumerate(job["cases"], start=1):
        with children.next_script() as channel:
            outcome = script.run(channel, job["program"], case["input"], limits)
        end = children.end(PATIENCE_S if outcome.reason is None else 0.0)
        if outcome.failed:
            return {"outcome": "error", "reason": outcome.reason}
        if outcome.reason is not None:
            return {"outcome": "incorrect", "reason": outcome.reason}
        if end.status != 0 or end.cpu_s > limits.cpu_s:
            return _of_end(end, limits, children.level)
        if not script.same(outcome.text, case["output"]):
            return {"outcome": "incorrect", "reason": f"test {number} of {len(job['cases'])}: another output"}
    return {"outcome": "correct", "reason": None}


def _with_its_end(found: Verdict, pid: int, children: Children, limits: Limits) -> Verdict:
    """The verdict once the child has been ended: another, where how it ended must tell, or it took too long."""
    if found["outcome"] == "lost":
        return _of_end(children.end(PATIENCE_S), limits, children.level)
    used_s = children.used_s(pid) if pid else None
    if pid and used_s is not None and (used_s <= limits.cpu_s or found["outcome"] != "correct"):
        children.kill(pid)
        return found
    end = children.end(0.0)
    slow = found["outcome"] == "correct" and end.cpu_s > limits.cpu_s
    return _of_end(end, limits, children.level) if slow else found


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
