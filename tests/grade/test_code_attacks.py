"""Hostile programs, kept as data in `attacks/`: none scores, costs the next program its grade, or leaves a trace.

Each defines `solve` wrongly, so that it could be correct only by its trick; those that try to reach something return
the right answer where they did; those that leave something do so where they find it at their next run, in the other
style, by the same worker and after other programs. `@BAIT@` is a folder and `@PID@` a process, there for them to find.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ratchet.grade.code import grade_programs
from ratchet.grade.sandbox.limits import Level, Limits
from ratchet.grade.sandbox.pool import levels_here
from ratchet.records import Grade, Problem

ATTACKS = sorted(path.stem for path in Path(__file__).with_name("attacks").glob("*.txt"))
STYLES = {
    # The sums of the squares below 4 and below 10: 0 + 1 + 4 + 9 and 285.
    "humaneval": Problem(
        id="humaneval",
        prompt='def solve(n):\n    """The sum of the squares below n."""\n',
        answer="",
        kind="code",
        tests="def check(candidate):\n    assert candidate(4) == 14\n    assert candidate(10) == 285\n",
        entry_point="solve",
    ),
    "mbpp": Problem(
        id="mbpp",
        prompt="Write a function solve that sums the squares below n.",
        answer="",
        kind="code",
        tests="assert solve(4) == 14\nassert solve(10) == 285",
    ),
}
WRONG = "def solve(n):\n    return 14\n"  # passes the first test and fails the second
HONEST = "def solve(n):\n    return sum(k * k for k in range(n))\n"
LIMITS = Limits(cpu_s=1, idle_s=0.3, memory_bytes=2**29)
BAIT_TEXT = '["candidate(4) == 14"]'


@dataclass(frozen=True)
class Siege:
    """All attacks in both styles, at one level of isolation, by one worker."""

    attacked: dict[tuple[str, str], Grade]
    following: dict[tuple[str, str], Grade]
    wrong: dict[tuple[str, str], Grade]
    bait: Path
    bait_process: subprocess.Popen[bytes]
    left_behind: set[str]


@pytest.fixture(scope="module", params=["namespaces", "landlock"])
def siege(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    level: Level = request.param
    lacking = levels_here()[level]
    if lacking is not None:
        pytest.skip(f"needs a host that gives the level {level}: {lacking}")
    bait = tmp_path_factory.mktemp("bait")
    (bait / "tests.json").write_text(BAIT_TEXT)
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            yield _besiege(level, bait, process)
        finally:
            process.kill()


def _besiege(level: Level, bait: Path, process: "subprocess.Popen[bytes]") -> Siege:
    keys = [(name, style) for name in ATTACKS for style in STYLES]
    items = []
    for name, style in keys:
        program = Path(__file__).with_name("attacks").joinpath(f"{name}.txt").read_text()
        program = program.replace("@BAIT@", str(bait)).replace("@PID@", str(process.pid))
        items += [(STYLES[style], program), (STYLES[style], HONEST), (STYLES[style], WRONG)]
    before = _traces()
    grades = list(grade_programs(items, workers=1, level=level, limits=LIMITS))
    left = _traces() - before
    attacked, following, wrong = (dict(zip(keys, grades[place::3], strict=True)) for place in range(3))
    return Siege(attacked, following, wrong, bait, process, left)


def _traces() -> set[str]:
    """This process's descriptors and children."""
    descriptors = {f"descriptor {path.name}" for path in Path("/proc/self/fd").iterdir()}
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return descriptors | {f"child {pid}" for pid in children}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_scores_incorrect(siege: Siege, name: str, style: str) -> None:
    grade = siege.attacked[name, style]
    assert (grade.outcome, grade.reason is None) == ("incorrect", False), grade


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ATTACKS)
def test_the_programs_after_an_attack_get_their_grades(siege: Siege, name: str, style: str) -> None:
    assert siege.following[name, style].outcome == "correct"
    assert siege.wrong[name, style].outcome == "incorrect"


def test_what_lies_beside_the_sandbox_is_untouched(siege: Siege) -> None:
    assert [path.name for path in siege.bait.iterdir()] == ["tests.json"]
    assert (siege.bait / "tests.json").read_text() == BAIT_TEXT
    assert siege.bait_process.poll() is None


def test_nothing_is_left_running_or_open(siege: Siege) -> None:
    assert siege.left_behind == set()


def test_no_process_of_a_sandbox_outlives_it(siege: Siege) -> None:
    survivors = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if b"ratchet.grade.sandbox.worker" in command and _started_by_this_process(path.parent):
            survivors.append(path)
    assert survivors == []


def _started_by_this_process(process: Path) -> bool:
    """Whether the process's parent is this one or, where its own parent is gone, the first of all."""
    try:
        return int(process.joinpath("stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
    except OSError:
        return False
