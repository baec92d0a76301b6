"""Agreement as a confidence: how many of a problem's other attempts gave the same answer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ratchet.records import Grade


def with_agreement(grades: Sequence[Grade]) -> list[Grade]:
    """The grades, each with the share of the problem's other attempts that gave its answer.

    Leave-one-out, (m - 1) / (n - 1) for an answer that m of n attempts gave: an attempt does not vote for itself.
    Attempts that the machinery failed on neither vote nor get a confidence; an attempt without an answer agrees with
    none, 0. None where there is no other attempt.
    """
    voters = [(grade.suite, grade.problem_id) for grade in grades if grade.outcome != "error"]
    attempts = Counter(voters)
    votes = Counter(_vote(grade) for grade in grades if grade.outcome != "error")
    return [replace(grade, confidence=_share(grade, attempts, votes)) for grade in grades]


def _vote(grade: Grade) -> tuple[str, str, str | None]:
    return grade.suite, grade.problem_id, grade.answer


def _share(
    grade: Grade, attempts: Counter[tuple[str, str]], votes: Counter[tuple[str, str, str | None]]
) -> float | None:
    others = attempts[grade.suite, grade.problem_id] - 1
    if grade.outcome == "error" or others < 1:
        return None
    return 0.0 if grade.answer is None else (votes[_vote(grade)] - 1) / others
