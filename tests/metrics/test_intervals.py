"""Estimates: means and ratios with their intervals, by hand and by a second method."""

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from ratchet.metrics.intervals import mean_estimate, ratio_estimate


def test_the_mean_of_certain_outcomes_has_the_interval_of_clopper_and_pearson() -> None:
    found = mean_estimate(np.array([1.0] * 7 + [0.0] * 13 + [np.nan]), "nothing")
    exact = binomtest(7, 20).proportion_ci(method="exact")
    assert (found.value, found.numerator, found.denominator, found.left_out) == (pytest.approx(0.35), 7.0, 20, 1)
    assert (found.low, found.high) == (pytest.approx(exact.low, abs=1e-9), pytest.approx(exact.high, abs=1e-9))


def test_without_a_value_it_is_null_and_says_why() -> None:
    found = mean_estimate(np.array([np.nan, np.nan]), "no problem was tried")
    assert (found.value, found.low, found.high, found.numerator) == (None, None, None, None)
    assert (found.denominator, found.left_out, found.reason) == (0.0, 2, "no problem was tried")


def test_a_ratio_of_whole_problems_is_the_share_among_those_that_count() -> None:
    # 30 problems, 12 of weight 1 and of those 9 right: the others say nothing, so it is Clopper-Pearson's 9 of 12,
    # but for the one problem unseen, whose weight is taken to be 1 as well.
    wholes = np.array([1.0] * 12 + [0.0] * 18)
    parts = np.array([1.0] * 9 + [0.0] * 21)
    found = ratio_estimate(parts, wholes, "empty")
    assert (found.value, found.numerator, found.denominator) == (0.75, 9.0, 12.0)
    assert found.low == pytest.approx(beta.ppf(0.025, 9, 4), abs=1e-9)
    assert found.high == pytest.approx(beta.ppf(0.975, 10, 3), abs=1e-9)


def test_the_ends_of_a_ratio_reach_0_and_1_where_nothing_else_was_seen() -> None:
    none, all_of_it = ratio_estimate(np.zeros(9), np.ones(9), "empty"), ratio_estimate(np.ones(9), np.ones(9), "empty")
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 9), abs=1e-9))
    assert (all_of_it.low, all_of_it.high) == (pytest.approx(0.025 ** (1 / 9), abs=1e-9), 1.0)


def test_an_empty_set_has_no_ratio() -> None:
    found = ratio_estimate(np.zeros(5), np.zeros(5), "the set is empty")
    assert (found.value, found.reason) == (None, "the set is empty")


def test_two_copies_of_every_problem_in_one_cluster_say_no_more_than_one() -> None:
    rng = np.random.default_rng(4)
    wholes = rng.random(40)
    parts = wholes * rng.random(40)
    once = ratio_estimate(parts, wholes, "")
    twice = ratio_estimate(np.tile(parts, 2), np.tile(wholes, 2), "", np.tile(np.arange(40), 2))
    assert (twice.value, twice.low, twice.high) == pytest.approx((once.value, once.low, once.high))
