"""Programs: found in a model's text, run in the sandbox, judged by their problem's tests."""

import json
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

from ratchet.errors import InputError
from ratchet.grade.sandbox.limits import LEVELS, Level, Limits
from ratchet.grade.sandbox.pool import Job, best_level, verdicts
from ratchet.records import Grade, Outcome, Problem

KEPT = 4000  # characters of a program that its grade keeps
_FENCE = re.compile(r"^ {0,3}```[^\n`]*\n(.*?)(?:^ {0,3}```|\Z)", re.MULTILINE | re.DOTALL)
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv", "/var/run/secrets/kubernetes.io")
_CONTAINER_GROUPS = re.compile(r"docker|kubepods|containerd|libpod|crio")


def grade_programs(
    items: Iterable[tuple[Problem, str]],
    workers: int,
    minimum: str | None = None,
    limits: Limits | None = None,
    level: Level | None = None,
) -> Iterator[Grade]:
    """The grade of each problem and text, in their order; the attempts are numbered 0, for the caller to set.

    Args:
        items: problems of kind `code`, each with what a model wrote.
        workers: how many programs run at a time, one processor each.
        minimum: the least isolation wanted (`namespaces`, `landlock`, `process`); InputError where the host gives less.
        limits: what a program may use.
        level: this level and no other; the best that the host gives if None.
    """
    if minimum is not None and minimum not in LEVELS:
        raise InputError(f"isolation {minimum!r}", expected=" or ".join(LEVELS))
    chosen = level or best_level(minimum)
    if minimum is not None and LEVELS.index(chosen) > LEVELS.index(minimum):
        raise InputError(f"isolation {chosen!r}", expected=f"{minimum!r} or better")
    return _graded(items, workers, limits or Limits(), chosen)


def _graded(items: Iterable[tuple[Problem, str]], workers: int, limits: Limits, level: Level) -> Iterator[Grade]:
    taken: deque[tuple[Problem, str]] = deque()

    def jobs() -> Iterator[Job]:
        for problem, text in items:
            program = extract_program(text, problem.entry_point)
            taken.append((problem, program))
            yield job_of(problem, program)

    isolation = f"{level}, container" if in_container() else level
    for verdict in verdicts(jobs(), level, workers, limits):
        problem, program = taken.popleft()
        yield _grade(problem, program, verdict, isolation)


def extract_program(text: str, entry_point: str | None = None) -> str:
    """The program in a text: the last fenced block that defines the entry point, or else the first; or all of it."""
    blocks: list[str] = _FENCE.findall(text)
    defining = [block for block in blocks if entry_point and _definition(entry_point).search(block)]
    return (defining or blocks[:1] or [text])[-1]


def job_of(problem: Problem, program: str) -> Job:
    """What the sandbox runs: a program with its problem's cases, or one with tests in Python.

    Tests that are a JSON list of objects with `input` and `output` are cases. A program that doesn't define the entry
    point goes on where the prompt ends; one that does gets what the prompt has before its definition.
    """
    tests = problem.tests or ""
    cases = _cases(tests)
    if cases is not None:
        return Job(program, cases=cases)
    name = problem.entry_point
    start = _definition(name).search(problem.prompt) if name else None
    if name and start:
        own = _definition(name).search(program)
        program = problem.prompt[: start.start()] + "\n" + program if own else problem.prompt + program
    return Job(program, tests, name, problem.prompt)


@cache
def in_container() -> bool:
    """Whether this process runs in a container, as far as it shows."""
    if "KUBERNETES_SERVICE_HOST" in os.environ or "container" in os.environ:
        return True
    groups = Path("/proc/1/cgroup")
    named = groups.exists() and _CONTAINER_GROUPS.search(groups.read_text())
    return bool(named) or any(Path(path).exists() for path in _CONTAINER_FILES)


def _definition(name: str) -> re.Pattern[str]:
    return re.compile(
        rf"^(?:(?:async[ \t]+)?def|class)[ \t]+{re.escape(name)}\b|^{re.escape(name)}[ \t]*=", re.MULTILINE
    )


def _cases(tests: str) -> list[dict[str, str]] | None:
    """The cases that the tests are, or None where they are something else."""
    if not tests.lstrip().startswith("["):
        return None
    try:
        said = json.loads(tests)
    except ValueError:
        return None
    fits = isinstance(said, list) and all(isinstance(case, dict) and {"input", "output"} <= set(case) for case in said)
    return [{key: str(case[key]) for key in ("input", "output")} for case in said] if fits else None


def _grade(problem: Problem, program: str, verdict: dict[str, Any], isolation: str) -> Grade:
    outcome = verdict["outcome"]
    assert outcome in get_args(Outcome)
    return Grade(
        problem_id=problem.id,
        suite=problem.suite,
        attempt=0,
        outcome=outcome,
        answer=program[:KEPT],
        reason=verdict["reason"],
        isolation=isolation,
    )
