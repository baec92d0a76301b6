"""Measures by name: which names there are, what each needs, and what the numbers of a suite are by hand."""

import pytest

from ratchet.evaluate.averages import averaged, disparity, suite_metrics
from ratchet.evaluate.measures import default_measures, measure
from ratchet.evaluate.profile import Metric
from ratchet.evaluate.suite import Suite, load_suites
from ratchet.metrics.suggestion import suggested_method
from ratchet.records import Attempt, Outcome
from ratchet.storage import table_of

OUTCOMES: dict[str, Outcome] = {"+": "correct", "-": "incorrect", "u": "ungradable", "e": "error"}


def rows_of(problem_id: str, pattern: str, group: str | None = None, answers: str = "") -> list[Attempt]:
    """One attempt a letter of the pattern, its answer the letter in the same place of `answers`."""
    said = answers or " " * len(pattern)
    return [
        Attempt(problem_id, OUTCOMES[sign], attempt=i, group=group, answer=said[i].strip() or None)
        for i, sign in enumerate(pattern)
    ]


def suite_of(*problems: list[Attempt]) -> Suite:
    return load_suites(table_of((row for rows in problems for row in rows), Attempt))["default"]


def named(suite: Suite, name: str) -> Metric:
    return next(metric for metric in suite_metrics(suite) if metric.name == name)


@pytest.mark.parametrize(
    "name",
    ["pass@1", "pass@4-2", "pass@4-4", "pass^8", "majority@16", "coverage.correct", "balance", "calibration.brier",
     "diversity.distinct_2.correct", "diversity.equations.incorrect", "diversity.embedding_vendi.correct"],
)  # fmt: skip
def test_a_measure_goes_by_its_name(name: str) -> None:
    found = measure(name)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "name",
    ["pass@4-8", "pass@0", "pass@04", "pass@", "pass@4-0", "pass^0", "pass@-1", "pass@10000000", "Pass@1", "pass@1 ",
     "majority@", "balance2", "diversity.distinct_5.correct", "diversity.vendi", "calibration.ece", ""],
)  # fmt: skip
def test_what_is_no_measure_has_none(name: str) -> None:
    assert measure(name) is None


def test_a_measure_needs_as_many_graded_attempts_as_it_speaks_of() -> None:
    suite = suite_of(rows_of("a", "++++"), rows_of("b", "++e+"), rows_of("c", "uuuu"))
    for name in ("pass@4", "pass^4", "pass@4-2", "majority@4"):
        found = averaged(suite, name)
        # c has nothing graded: it has no value, but it is not what makes the metric undefined
        assert (found.estimate, found.reason) == (None, "1 of 3 problems have fewer than 4 graded attempts")
        assert found.left_out == 3
    assert averaged(suite, "pass@3").estimate == 1.0


def test_defaults_are_powers_of_two_up_to_the_most_graded_attempts() -> None:
    names = default_measures(suite_of(rows_of("a", "+" * 5), rows_of("b", "-")))
    assert names[:3] == ["pass@1", "pass@2", "pass@4"]
    assert {"pass^2", "pass^4", "pass@4-2", "majority@4"} <= set(names)
    assert "majority@2" not in names  # the first of two that differ is no majority
    assert default_measures(suite_of(rows_of("a", "+")), [3])[:1] == ["pass@3"]


def test_balance_asks_for_eight_right_ones_and_for_a_high_share() -> None:
    suite = suite_of(rows_of("a", "+" * 12 + "-" * 4), rows_of("b", "++" + "-" * 6), rows_of("c", "u"))
    # a: min(12/8, 1) * 12/16 = .75; b: min(2/8, 1) * 2/8 = 1/16; c has nothing graded
    found = averaged(suite, "balance")
    assert found.estimate == pytest.approx((0.75 + 1 / 16) / 2)
    assert (found.denominator, found.left_out) == (2, 1)


def test_disparity_is_the_fall_from_the_first_group_to_the_last() -> None:
    suite = suite_of(
        rows_of("a", "++--", "1"), rows_of("b", "++++", "1"), rows_of("c", "+---", "2"), rows_of("d", "++-e", "10")
    )
    # numbers sort as numbers: first is 1 with (1/2 + 1)/2 = 3/4, last is 10 with 2/3
    found = disparity(suite)
    assert found.value == pytest.approx((3 / 4 - 2 / 3) / (3 / 4))
    assert found.low is not None and found.high is not None
    assert found.low <= found.value <= found.high <= 1.0
    assert (found.denominator, found.left_out) == (3 / 4, 1)


def test_disparity_is_null_where_the_first_group_solves_nothing_or_is_alone() -> None:
    unsolved = disparity(suite_of(rows_of("a", "--", "1"), rows_of("b", "++", "2")))
    assert (unsolved.value, unsolved.reason) == (None, "pass@1 of the first group is 0")
    # the second group has no graded attempt: one group is left
    alone = disparity(suite_of(rows_of("a", "++", "1"), rows_of("b", "ee", "2"), rows_of("c", "+")))
    assert (alone.value, alone.reason) == (None, "fewer than two groups with graded attempts")


def test_a_majority_without_any_answer_is_null_and_ece_without_any_confidence() -> None:
    suite = suite_of(rows_of("a", "++--"))
    vote, ece, brier = named(suite, "majority@4"), named(suite, "calibration.ece"), named(suite, "calibration.brier")
    assert (vote.estimate, vote.reason) == (None, "no attempt states its answer")
    assert (ece.estimate, ece.reason, ece.left_out) == (None, "no graded attempt has a confidence", 1)
    assert (brier.estimate, brier.reason) == (None, "no graded attempt has a confidence")


def test_answers_of_failed_attempts_have_no_vote() -> None:
    # b says the wrong thing twice and the right one twice, but one of the right ones failed: the wrong one wins 2 to 1
    suite = suite_of(rows_of("a", "++--", answers="xxyz"), rows_of("b", "+-e-+-", answers="xyxyzw"))
    assert averaged(suite, "majority@4").estimate == pytest.approx((1 + 0) / 2)


@pytest.mark.parametrize(
    ("coverage", "low", "high", "method", "sure"),
    [
        (0.6, 0.55, 0.65, "dpo or sft-dpo", True),
        (0.6, 0.45, 0.75, "dpo or sft-dpo", False),
        (0.5, 0.45, 0.55, "sft", False),
        (0.3, 0.2, 0.5, "sft", True),
    ],
)
def test_the_method_is_suggested_by_the_side_of_one_half(
    coverage: float, low: float, high: float, method: str, sure: bool
) -> None:
    found = suggested_method(coverage, low, high)
    assert (found.method, found.sure, found.coverage) == (method, sure, coverage)
