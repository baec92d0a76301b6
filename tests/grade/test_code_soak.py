"""Thousands of programs, hostile and honest by turns: each gets its verdict and nothing is left afterwards.

`RATCHET_SOAK` says how many programs, 1,000 if not given. The attacks that only wait for a limit are left out.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from ratchet.grade.code import grade_programs
from ratchet.grade.sandbox.limits import Limits
from ratchet.grade.sandbox.pool import levels_here
from ratchet.records import Problem

NUMBER = int(os.environ.get("RATCHET_SOAK", "1000"))
SLOW = {
    *("atexit", "closes_its_channel", "deep_recursion", "endless_catching", "endless_in_c", "leaves_a_thread"),
    *("memory_bomb", "raw_half_message", "signal_handlers", "sleeps", "stops_itself", "thread_bomb"),
}
# The sums of the squares below 4 and below 10: 0 + 1 + 4 + 9 and 285.
TESTS = "assert solve(4) == 14\nassert solve(10) == 285"
HONEST = "def solve(n):\n    return sum(k * k for k in range(n))\n"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        levels_here()["namespaces"] is not None and levels_here()["landlock"] is not None,
        reason=f"needs a host that isolates programs: {levels_here()}",
    ),
]


def items(bait: Path) -> Iterator[tuple[Problem, str]]:
    """Attacks and honest programs by turns, for ten problems that differ in their tests."""
    attacks = [p.read_text() for p in sorted(Path(__file__).with_name("attacks").glob("*.txt")) if p.stem not in SLOW]
    draw = Random(0)
    for number in range(NUMBER):
        problem = Problem(
            str(number), "", "", kind="code", tests=f"{TESTS}\n# {number // 16 % 10}", entry_point="solve"
        )
        attack = draw.choice(attacks).replace("@BAIT@", str(bait)).replace("@PID@", str(os.getppid()))
        yield problem, HONEST if number % 2 else attack


def traces() -> dict[str, set[str]]:
    """What this process has open and running, and the processes of sandboxes that have lost their parent."""
    return {
        "descriptors": {path.name for path in Path("/proc/self/fd").iterdir()},
        "children": set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
        "orphans": {path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if orphaned(path)},
    }


def orphaned(path: Path) -> bool:
    try:
        parent = int(path.with_name("stat").read_text().rpartition(")")[2].split()[1])
        return parent == 1 and b"ratchet.grade.sandbox" in path.read_bytes()
    except OSError:  # it has ended
        return False


def test_after_many_programs_nothing_is_left_and_every_verdict_was_right(tmp_path: Path) -> None:
    before = traces()
    counts: Counter[tuple[bool, str]] = Counter()
    wrong = []
    for number, grade in enumerate(grade_programs(items(tmp_path), workers=2, limits=Limits(cpu_s=2, idle_s=0.5))):
        counts[bool(number % 2), grade.outcome] += 1
        if grade.outcome != ("correct" if number % 2 else "incorrect"):
            wrong.append((number, grade.outcome, grade.reason, grade.answer))
    assert wrong == []
    assert counts == {(True, "correct"): NUMBER // 2, (False, "incorrect"): NUMBER - NUMBER // 2}
    assert traces() == before
