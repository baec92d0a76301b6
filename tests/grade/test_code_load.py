"""A verdict is the same on a crowded host."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ratchet.grade.code import grade_programs
from ratchet.grade.sandbox.limits import Limits
from ratchet.grade.sandbox.pool import levels_here
from ratchet.records import Problem

pytestmark = pytest.mark.skipif(
    levels_here()["namespaces"] is not None and levels_here()["landlock"] is not None,
    reason=f"needs a host that isolates programs: {levels_here()}",
)


@pytest.fixture
def crowd() -> Iterator[None]:
    """Eight processes that are always busy, on the one processor that this one has from now on too.

    Each in a session of its own, since a kernel may share processors out by sessions.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    busy = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"], start_new_session=True) for _ in range(8)
    ]
    yield
    for process in busy:
        process.kill()
        process.wait()
    os.sched_setaffinity(0, before)


def test_the_time_that_a_tester_waits_for_a_processor_is_not_the_programs(crowd: None) -> None:
    # 40 answers that the tester, which has used its share meanwhile, reads some 20 ms after they were given: 0.8 s.
    tests = "for n in range(40):\n    sum(range(100000))\n    assert f(n) == n"
    program = "def f(x):\n    sum(range(100000))\n    return x\n"
    problem = Problem("1", "", "", kind="code", tests=tests)
    grades = grade_programs([(problem, program)] * 2, workers=1, limits=Limits(idle_s=0.2))
    assert [(grade.outcome, grade.reason) for grade in grades] == [("correct", None)] * 2


def test_a_program_that_sleeps_is_idle_among_busy_ones_too(crowd: None) -> None:
    problem = Problem("1", "", "", kind="code", tests="assert f() == 1")
    program = "import time\ndef f():\n    time.sleep(60)\n    return 1\n"
    grades = grade_programs([(problem, program)], workers=1, limits=Limits(idle_s=0.5))
    assert [grade.reason for grade in grades] == ["the program slept or waited for more than 0.5 s"]
