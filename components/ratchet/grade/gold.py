"""The check before every run: a grader that fails the gold answers grades nothing else."""

from collections.abc import Sequence
from pathlib import Path

from ratchet.errors import InputError
from ratchet.grade.expressions import boxed
from ratchet.grade.kinds import Graders, Item
from ratchet.grade.marks import last_mark
from ratchet.records import Grade, Problem


def check_gold(problems: Sequence[Problem], graders: Graders, where: Path) -> None:
    """Refuse problems whose gold answers do not all come out correct; the first such problem is named.

    Checked are the answer as a text that marks it, and the solution where it marks an answer; of a program the solution
    or else the answer, where there is one.
    """
    items = [item for problem in problems for item in gold_items(problem)]
    failed = [grade for grade in graders.grade(items) if grade.outcome != "correct"]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        first = f"problem {failed[0].problem_id!r} of suite {failed[0].suite!r}"
        raise InputError(
            f"the gold answer of {first} {_came_out(failed[0])}{more}",
            where=where,
            expected="gold answers that are all graded correct, before any attempt is",
            next="mend the problem or leave it out",
        )


def gold_items(problem: Problem) -> list[Item]:
    """The texts that must be graded correct for this problem."""
    if problem.kind == "code":
        programs = (problem.solution or "", problem.answer)
        return [(problem, program) for program in programs if program.strip()][:1]
    solution = problem.solution
    marked = [solution] if solution and last_mark(solution) else []
    answer = boxed(problem.answer) if problem.kind == "math" else f"#### {problem.answer}"
    return [(problem, text) for text in (answer, *marked)]


def _came_out(grade: Grade) -> str:
    said = grade.reason or f"the answer found is {grade.answer!r}"
    return f"comes out {grade.outcome}: {said}"
