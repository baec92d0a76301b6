"""The check before every run: a grader that fails the gold answers grades nothing else."""

from collections.abc import Sequence
from pathlib import Path

from ratchet.errors import InputError
from ratchet.grade.expressions import boxed
from ratchet.grade.gym import entry_fault, marked, read_entry
from ratchet.grade.kinds import Graders, Item, grade_text
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
    solved = [solution] if solution and problem.kind != "gym" and last_mark(solution) else []
    return [(problem, text) for text in (_answer_text(problem), *solved)]


def unreadable(problem: Problem) -> str | None:
    """Why the grader can't read the problem's gold answer, or reads another one in it; None where it reads it.

    What takes a process of its own is left to the check before every run: whether math-verify reads an expression,
    whether a scorer of reasoning-gym takes its own answer for right, and whether a program passes its tests.
    """
    if problem.kind == "gym":
        return entry_fault(problem.answer)
    if problem.kind in ("math", "code"):
        return None
    outcome, answer, reason = grade_text(problem, _answer_text(problem))
    return None if outcome == "correct" else reason or f"the grader reads {answer!r} in {problem.answer[:40]!r}"


def _answer_text(problem: Problem) -> str:
    """The gold answer as a text that marks it; as it is where it can't be read."""
    if problem.kind == "math":
        return boxed(problem.answer)
    if problem.kind == "gym" and entry_fault(problem.answer) is None:
        return marked(read_entry(problem.answer))
    return f"#### {problem.answer}"


def _came_out(grade: Grade) -> str:
    said = grade.reason or f"the answer found is {grade.answer!r}"
    return f"comes out {grade.outcome}: {said}"
