"""Every kind of problem to its grader."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import cast, get_args

from ratchet.errors import InputError
from ratchet.grade.choice import grade_choice
from ratchet.grade.exact import grade_exact
from ratchet.grade.judging import Judges
from ratchet.grade.judging import Kind as JudgedKind
from ratchet.grade.marks import Judged
from ratchet.grade.numeric import grade_numeric
from ratchet.grade.settings import Grading
from ratchet.records import Grade, Kind, Problem

Item = tuple[Problem, str]  # a problem, and the text to be graded


class Graders:
    """All graders, as a context: processes are started where a kind needs them, and ended with it."""

    def __init__(self, settings: Grading) -> None:
        self._settings = settings
        self._tolerance = Fraction(str(settings.tolerance))
        self._open = ExitStack()
        self._judges: dict[JudgedKind, Judges] = {}

    def __enter__(self) -> "Graders":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def grade(self, items: Sequence[Item]) -> list[Grade]:
        """A grade for each item, in order; all of them say attempt 0."""
        places: dict[str, list[int]] = {}
        for place, (problem, _) in enumerate(items):
            places.setdefault(problem.kind, []).append(place)
        found: dict[int, Grade] = {}
        for kind, at in places.items():
            found.update(zip(at, self._of_kind(kind, [items[place] for place in at]), strict=True))
        return [found[place] for place in range(len(items))]

    def _of_kind(self, kind: str, items: Sequence[Item]) -> list[Grade]:
        if kind == "code":
            return self._programs(items)
        if kind in get_args(JudgedKind):
            judged = self._judged(cast(JudgedKind, kind), items)
        else:
            judged = [grade_text(*item, self._tolerance) for item in items]
        return [Grade(problem.id, problem.suite, 0, *by) for (problem, _), by in zip(items, judged, strict=True)]

    def _judged(self, kind: JudgedKind, items: Sequence[Item]) -> list[Judged]:
        if kind not in self._judges:
            self._judges[kind] = self._open.enter_context(Judges(kind, self._settings.processes))
        return self._judges[kind].judge([(text, problem.answer) for problem, text in items])

    def _programs(self, items: Sequence[Item]) -> list[Grade]:
        from ratchet.grade.code import grade_programs

        graded = grade_programs(items, self._settings.processes, self._settings.isolation)
        return [
            replace(grade, problem_id=problem.id, suite=problem.suite, attempt=0)
            for (problem, _), grade in zip(items, graded, strict=True)
        ]


def grade_text(problem: Problem, text: str, tolerance: Fraction = Fraction(0)) -> Judged:  # noqa: B008  frozen
    """The judgement of a text by a kind that needs no other process: `numeric`, `choice` or `exact`."""
    if problem.kind == "numeric":
        return grade_numeric(text, problem.answer, tolerance)
    if problem.kind == "choice":
        return grade_choice(text, problem.answer, problem.prompt)
    return grade_exact(text, problem.answer)


def require_graders(problems: Sequence[Problem]) -> None:
    """Refuse a kind that there is none of: a Parquet file may say anything."""
    for problem in problems:
        if problem.kind not in get_args(Kind):
            raise InputError(
                f"problem {problem.id!r} of kind {problem.kind!r}", expected="kind " + ", ".join(get_args(Kind))
            )
