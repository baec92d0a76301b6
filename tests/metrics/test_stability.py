"""pass^k and pass@k-s: the share of k-subsets of the attempts with all, or s, right ones."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.metrics.pass_at_k import pass_at_k
from ratchet.metrics.stability import all_of_k, at_least_s_of_k


def enumerated(correct: int, graded: int, k: int, s: int) -> float:
    attempts = [1] * correct + [0] * (graded - correct)
    subsets = list(combinations(attempts, k))
    return sum(sum(subset) >= s for subset in subsets) / len(subsets)


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, n))), st.data())
def test_it_is_the_share_of_all_subsets_that_hold_enough_right_ones(
    counts: tuple[int, int, int], data: st.DataObject
) -> None:
    correct, graded, k = counts
    s = data.draw(st.integers(1, k))
    found = at_least_s_of_k(np.array([correct]), np.array([graded]), k, s)
    assert found == pytest.approx([enumerated(correct, graded, k, s)], abs=1e-12)


def test_asking_for_one_is_pass_at_k_and_asking_for_all_is_pass_hat_k() -> None:
    correct, graded = np.array([0, 3, 10, 10]), np.array([10, 10, 10, 16])
    assert at_least_s_of_k(correct, graded, 4, 1) == pytest.approx(pass_at_k(correct, graded, 4))
    # C(3,4) = 0; C(10,4)/C(10,4) = 1; C(10,4)/C(16,4) = 210/1820
    assert all_of_k(correct, graded, 4) == pytest.approx([0.0, 0.0, 1.0, 210 / 1820])


def test_a_problem_with_fewer_attempts_than_k_has_none() -> None:
    found = all_of_k(np.array([3, 4]), np.array([3, 4]), 4)
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1.0)


@pytest.mark.parametrize("s", [0, 5])
def test_more_than_k_or_none_of_k_cannot_be_asked_for(s: int) -> None:
    with pytest.raises(ValueError, match="at least one and at most k"):
        at_least_s_of_k(np.array([1]), np.array([4]), 4, s)
