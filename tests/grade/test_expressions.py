"""Expressions are compared by math-verify, in processes that they may end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratchet.grade.expressions import LONGEST_EXPRESSION, boxed, request_text
from ratchet.grade.judging import Judges, Limits
from ratchet.grade.marks import Request

BOMB = "\\boxed{10^{10^{10}}}"  # ten thousand million digits, computed in C


@pytest.fixture(scope="module")
def graders() -> Iterator[Judges]:
    with Judges("math", 1, Limits(cpu_s=1.0)) as started:
        yield started


@pytest.mark.parametrize(
    ("text", "gold", "outcome"),
    [
        ("\\boxed{\\frac{1}{2}}", "0.5", "correct"),
        ("\\boxed{\\frac{2}{4}}", "\\frac12", "correct"),
        ("\\boxed{(x+1)^2}", "x^2+2x+1", "correct"),
        ("\\boxed{(x+1)^2}", "x^2+2x", "incorrect"),
        ("\\boxed{\\left(3, \\frac{\\pi}{2}\\right)}", "(3,\\pi/2)", "correct"),
        ("\\boxed{\\sqrt{12}}", "$2\\sqrt{3}$", "correct"),
        ("\\boxed{1} so, no, \\boxed{2}", "2", "correct"),
        ("\\boxed{2} so, no, \\boxed{1}", "2", "incorrect"),  # the last box counts
        ("\\boxed{1, 2, 3}", "2", "incorrect"),
        ("\\boxed{1 \\text{ or } 2}", "2", "incorrect"),
        ("#### 2", "2", "correct"),
        ("The answer is $\\frac{3}{4}$.", "0.75", "correct"),
        ("\\boxed{1{,}000}", "1,\\!000", "correct"),
        ("no idea", "2", "incorrect"),
        ("", "2", "incorrect"),
        ("\\boxed{}", "2", "incorrect"),
        ("\\boxed{" + "9" * 60_000 + "}", "2", "incorrect"),
        ("\\boxed{2}", "\\frac{", "ungradable"),
        ("\\boxed{2}", "", "ungradable"),
    ],
)
def test_outcomes(graders: Judges, text: str, gold: str, outcome: str) -> None:
    assert graders.judge([(text, gold)])[0][0] == outcome


def test_a_bomb_is_incorrect_by_its_own_cpu_time_and_costs_the_next_answer_nothing(graders: Judges) -> None:
    judged = graders.judge([("\\boxed{2}", "2"), (BOMB, "2"), ("\\boxed{3}", "3")])
    assert judged == [
        ("correct", "2", None),
        ("incorrect", None, "the comparison used up its 1 s of CPU time"),
        ("correct", "3", None),
    ]


def _child(graders: Judges) -> int:
    server = graders._all[0]._process
    assert server is not None
    (child,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return int(child)


def test_a_comparison_runs_within_a_memory_limit(graders: Judges) -> None:
    assert graders.judge([("\\boxed{2}", "2")])[0][0] == "correct"
    limits = Path(f"/proc/{_child(graders)}/limits").read_text().splitlines()
    assert next(line.split()[3:5] for line in limits if line.startswith("Max address")) == [str(2**30)] * 2


def test_a_worker_that_something_else_ends_is_replaced(graders: Judges) -> None:
    assert graders.judge([("\\boxed{2}", "2")])[0][0] == "correct"
    for number in (signal.SIGSEGV, signal.SIGKILL):
        os.kill(_child(graders), number)
        time.sleep(0.1)
        assert graders.judge([(f"\\boxed{{{number:d}+1}}", f"{number + 1}")])[0][0] == "correct"


def test_machinery_that_never_answers_is_an_error_and_not_a_wrong_answer() -> None:
    with Judges("math", 1, Limits(wall_s=0.001)) as graders:
        assert graders.judge([("\\boxed{2}", "2")]) == [("error", None, "the math grader failed twice")]


def test_equal_answers_are_compared_once_and_failures_again(graders: Judges) -> None:
    graders._known[Request(boxed("5"), boxed("5"))] = ("error", None, "the math grader failed twice")
    start = time.process_time()
    assert {outcome for outcome, _, _ in graders.judge([(BOMB, "2"), ("\\boxed{5}", "5")] * 50)} == {
        "incorrect",
        "correct",
    }
    assert time.process_time() - start < 1  # a second of CPU time for the bomb, none of it in this process


def test_no_process_outlives_its_grader() -> None:
    program = (
        "import os; from ratchet.grade.judging import Judges\n"
        "g = Judges('math', 1).__enter__(); g.judge([('\\\\boxed{1}', '1')])\n"
        "print(g._all[0]._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    server = Path("/proc", done.stdout.strip())
    assert done.returncode == -signal.SIGKILL
    for _ in range(200):
        if not server.exists() or "State:\tZ" in (server / "status").read_text():
            return
        time.sleep(0.05)
    raise AssertionError("the server is still there after 10 s")


def test_what_math_verify_is_given() -> None:
    assert request_text("#### 3 \nbecause") == "\\boxed{3}"
    assert request_text("so $\\boxed{x}$.") == "\\boxed{x}"
    assert request_text("The answer is 3.") == "The answer is 3."
    assert request_text(" ") is None
    assert request_text("\\boxed{" + "1" * (LONGEST_EXPRESSION + 1) + "}") is None
    assert boxed(" $$x$$. ") == boxed("\\boxed{x}") == "\\boxed{x}"
