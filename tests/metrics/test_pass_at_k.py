"""pass@k against its definition and against the wrong ways to compute it."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.metrics.pass_at_k import pass_at_k


def share_of_subsets_with_a_correct_attempt(correct: int, graded: int, k: int) -> float:
    """The definition itself: try every k-subset of the attempts."""
    attempts = [True] * correct + [False] * (graded - correct)
    subsets = list(combinations(attempts, k))
    return sum(any(subset) for subset in subsets) / len(subsets)


def test_it_is_the_share_of_k_subsets_that_hold_a_correct_attempt() -> None:
    cases = [(c, n, k) for n in range(1, 10) for c in range(n + 1) for k in range(1, n + 1)]
    for correct, graded, k in cases:
        value = pass_at_k(np.array([correct]), np.array([graded]), k)[0]
        assert value == pytest.approx(share_of_subsets_with_a_correct_attempt(correct, graded, k), abs=1e-14)


def test_one_correct_attempt_of_four_passes_at_four_for_certain() -> None:
    # Drawing four with replacement would give 1 - (3/4)^4 = .684; there is only one 4-subset of 4 attempts.
    assert pass_at_k(np.array([1]), np.array([4]), 4)[0] == 1.0


def test_it_is_undefined_where_there_are_fewer_than_k_attempts() -> None:
    values = pass_at_k(np.array([1, 3, 0]), np.array([3, 4, 0]), 4)
    assert np.isnan(values).tolist() == [True, False, True]


def test_large_counts_neither_overflow_nor_leave_the_unit_interval() -> None:
    # 1 - C(9000, 5000) / C(10000, 5000): 1 - 2^-1000 or so, which is 1; C(10000, 5000) is no double.
    values = pass_at_k(np.array([1000, 0, 10000]), np.array([10000, 10000, 10000]), 5000)
    assert values.tolist() == [1.0, 0.0, 1.0]


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, n))))
def test_it_grows_with_k_and_with_correct_attempts(case: tuple[int, int, int]) -> None:
    correct, graded, k = case
    here = pass_at_k(np.array([correct]), np.array([graded]), k)[0]
    assert 0.0 <= here <= 1.0
    if k < graded:
        assert pass_at_k(np.array([correct]), np.array([graded]), k + 1)[0] >= here - 1e-12
    if correct < graded:
        assert pass_at_k(np.array([correct + 1]), np.array([graded]), k)[0] >= here - 1e-12


def test_k_below_one_is_a_defect_of_the_caller() -> None:
    with pytest.raises(ValueError, match="k >= 1"):
        pass_at_k(np.array([1]), np.array([1]), 0)
