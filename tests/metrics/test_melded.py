"""Melded bounds: known cases, and coverage where the plain ways fail."""

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from ratchet.metrics.bounds import lower_bound, p_at_most, upper_bound
from ratchet.metrics.melded import Sampled, meld


def column(ones: int, of: int) -> np.ndarray:
    return np.array([[1.0]] * ones + [[0.0]] * (of - ones))


def test_a_single_mean_has_the_bounds_that_it_has_without_melding() -> None:
    rng = np.random.default_rng(5)
    values = rng.beta(0.5, 1.0, 60)
    known = meld([Sampled(values[:, None], (True,))], lambda means: means[:, 0])
    assert known.value == pytest.approx(values.mean())
    assert known.lower(0.05) == pytest.approx(lower_bound(values, 0.0, 0.05), abs=0.003)
    assert known.upper(0.05) == pytest.approx(upper_bound(values, 1.0, 0.05), abs=0.003)
    assert known.p_at_most(0.2) == pytest.approx(p_at_most(values, 0.2, 0.0), abs=0.01)


def test_with_clusters_too() -> None:
    rng = np.random.default_rng(6)
    values, clusters = np.repeat(rng.random(30), 3), np.repeat(np.arange(30), 3)
    known = meld([Sampled(values[:, None], (True,), clusters)], lambda means: means[:, 0])
    assert known.lower(0.05) == pytest.approx(lower_bound(values, 0.0, 0.05, clusters), abs=0.004)


def test_the_difference_of_two_shares_draws_from_clopper_and_pearsons_distributions() -> None:
    # Melding two binomials (Fay, Proschan & Brittain 2015): low end from Beta(x2, n2-x2+1) - Beta(x1+1, n1-x1)
    samples = [Sampled(column(4, 12), (False,)), Sampled(column(9, 15), (True,))]
    known = meld(samples, lambda means: means[:, 1] - means[:, 0])
    rng = np.random.default_rng(7)
    lows = beta.rvs(9, 7, size=400_000, random_state=rng) - beta.rvs(5, 8, size=400_000, random_state=rng)
    assert known.value == pytest.approx(9 / 15 - 4 / 12)
    assert known.lower(0.025) == pytest.approx(np.quantile(lows, 0.025), abs=0.01)


def test_paired_columns_share_their_weights() -> None:
    # Two columns that always agree: their difference is 0 in every draw, but for the one problem unseen.
    shared = np.random.default_rng(8).random((50, 1))
    known = meld([Sampled(np.hstack([shared, shared]), (True, False))], lambda means: means[:, 0] - means[:, 1])
    assert known.lower(0.05) == pytest.approx(-(1 - 0.05 ** (1 / 50)), abs=0.003)
    assert known.upper(0.05) == pytest.approx(1 - 0.05 ** (1 / 50), abs=0.003)


def test_the_same_data_give_the_same_bounds() -> None:
    samples = [Sampled(column(4, 12), (False,)), Sampled(column(9, 15), (True,))]
    first, second = (meld(samples, lambda means: means[:, 1] / means[:, 0]) for _ in range(2))
    assert first.lower(0.025) == second.lower(0.025)


def test_a_ratio_of_small_shares_is_covered_where_a_bootstrap_is_not() -> None:
    # 40 problems each: the first group is solved half of the time, the last almost never (true ratio .02 / .5 = .04).
    rng, runs, covered, by_bootstrap = np.random.default_rng(9), 200, 0, 0
    for _ in range(runs):
        first, last = (rng.random((40, 1)) < rate for rate in (0.5, 0.02))
        samples = [Sampled(first.astype(float), (False,)), Sampled(last.astype(float), (True,))]
        known = meld(samples, lambda means: means[:, 1] / np.maximum(means[:, 0], 1e-12), draws=2000)
        covered += known.lower(0.025) <= 0.04 <= known.upper(0.025)
        resampled = rng.binomial(40, last.mean(), 500) / np.maximum(rng.binomial(40, first.mean(), 500), 1)
        by_bootstrap += np.quantile(resampled, 0.025) <= 0.04 <= np.quantile(resampled, 0.975)
    assert binomtest(covered, runs, 0.95, alternative="less").pvalue > 0.01
    assert by_bootstrap / runs < 0.7
