"""Relative changes: bounds that answer as their p-values do, and what they are by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from ratchet.metrics.bounds import lowest_ratio, p_at_most
from ratchet.metrics.paired import HIGHEST_RATIO, RelativeMean


def test_against_a_reference_that_is_always_right_the_change_is_the_mean_less_one() -> None:
    # 20 problems, 15 right, the reference 1 everywhere: both ends are Clopper-Pearson's, but for the unseen problem,
    # whose reference is 1 below (the ratio's least) and 0 above (so that it adds 1 to the top and nothing below).
    found = RelativeMean(np.repeat([1.0, 0.0], [15, 5]), np.ones(20))
    assert found.value == pytest.approx(-0.25)
    assert found.lower(0.05) == pytest.approx(beta.ppf(0.05, 15, 6) - 1.0, abs=1e-9)


def test_a_candidate_that_solves_nothing_has_fallen_by_all_of_it() -> None:
    found = RelativeMean(np.zeros(30), np.full(30, 0.5))
    assert (found.value, found.lower(0.05)) == (-1.0, -1.0)
    assert -1.0 < found.upper(0.05) < 0.0


def test_a_reference_that_is_almost_nothing_leaves_the_upper_end_far_away() -> None:
    assert RelativeMean(np.ones(2), np.full(2, 1e-6)).upper(0.05) == HIGHEST_RATIO


lists = st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.1, 1.0)), min_size=2, max_size=30)


@settings(max_examples=40, deadline=None)
@given(lists, st.sampled_from([0.025, 0.05, 0.3]), st.booleans())
def test_at_a_bound_the_p_value_is_alpha(pairs: list[tuple[float, float]], alpha: float, clustered: bool) -> None:
    mine, theirs = np.array(pairs).T
    units = np.arange(len(mine)) // 2 if clustered else None
    found = RelativeMean(mine, theirs, units)
    low, high = found.lower(alpha), found.upper(alpha)
    assert -1.0 <= low <= found.value + 1e-9
    assert found.value - 1e-9 <= high
    if -1.0 + 1e-6 < low < found.value - 1e-6:
        assert found.p_at_most(low) == pytest.approx(alpha, rel=1e-5)
    if found.value + 1e-6 < high < HIGHEST_RATIO:
        assert found.p_at_least(high) == pytest.approx(alpha, rel=1e-5)


def test_the_lowest_ratio_is_where_the_test_of_its_difference_turns() -> None:
    rng = np.random.default_rng(7)
    bottoms = rng.random(300)
    tops = bottoms * rng.random(300)
    low = lowest_ratio(tops, bottoms, (0.0, 1.0), 0.01, (0.0, 1.0))
    assert 0.0 < low < tops.sum() / bottoms.sum()
    assert p_at_most(tops - low * bottoms, 0.0, -low) == pytest.approx(0.01, rel=1e-6)
