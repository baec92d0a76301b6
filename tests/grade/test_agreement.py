"""Confidences: how many of a problem's other attempts gave the same answer, and how likely the model found it."""

import math

import pytest

from ratchet.grade.agreement import with_agreement
from ratchet.grade.likelihood import with_likelihood
from ratchet.records import Grade, Outcome, Sample


def _grades(*given: tuple[Outcome, str | None], problem: str = "1") -> list[Grade]:
    return [Grade(problem, "s", attempt, outcome, answer) for attempt, (outcome, answer) in enumerate(given)]


def _confidences(*given: tuple[Outcome, str | None]) -> list[float | None]:
    return [grade.confidence for grade in with_agreement(_grades(*given))]


def test_an_attempt_does_not_vote_for_itself() -> None:
    # of four attempts two say 4: each of them has 1 of 3 others on its side, the two others have none
    right, wrong = ("correct", "4"), ("incorrect", "5")
    assert _confidences(right, right, wrong, ("incorrect", "6")) == [1 / 3, 1 / 3, 0, 0]
    assert _confidences(right, right) == [1, 1]


def test_one_attempt_has_no_others_to_agree_with() -> None:
    assert _confidences(("correct", "4")) == [None]


def test_attempts_without_an_answer_agree_with_none_and_failed_ones_are_left_out() -> None:
    nothing, failed = ("incorrect", None), ("error", None)
    assert _confidences(nothing, nothing, ("correct", "4"), ("correct", "4")) == [0, 0, 1 / 3, 1 / 3]
    assert _confidences(failed, failed, ("correct", "4"), ("correct", "4")) == [None, None, 1, 1]


def test_problems_do_not_vote_for_each_other() -> None:
    grades = _grades(("correct", "4")) + _grades(("correct", "4"), ("incorrect", "5"), problem="2")
    assert [grade.confidence for grade in with_agreement(grades)] == [None, 0, 0]


def test_a_likelihood_is_the_geometric_mean_of_the_tokens_probabilities() -> None:
    grades = _grades(("correct", "4"), ("incorrect", "5"), ("error", None), ("incorrect", None))
    # three tokens of probabilities 1/2, 1/4 and 1/8 have the product 1/64, whose third root is 1/4
    logprobs = [(math.log(1 / 64), 3), (0.0, 2), (math.log(0.5), 1), (0.0, 0)]
    drawn = [Sample("p", "default", n, "", "stop", tokens, logprob) for n, (logprob, tokens) in enumerate(logprobs)]
    found = [grade.confidence for grade in with_likelihood(grades, drawn)]
    assert found[0] == pytest.approx(0.25)
    assert found[1:] == [1.0, None, None]
