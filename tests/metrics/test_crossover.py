"""Crossover k*: where the base catches up, with ends that err at most one time in forty each."""

import numpy as np
import pytest
from scipy.stats import binomtest

from ratchet.metrics.crossover import crossover
from ratchet.metrics.pass_at_k import pass_at_k


def gaps_of(means: list[float], problems: int = 400) -> list[np.ndarray]:
    return [np.full(problems, mean) for mean in means]


def test_it_is_the_first_k_from_which_the_base_stays_ahead() -> None:
    assert crossover(gaps_of([-0.2, -0.1, 0.1, 0.2])).value == 3
    assert crossover(gaps_of([-0.2, 0.1, -0.1, 0.2])).value == 4  # ahead at 2, but not for good
    assert crossover(gaps_of([0.1, 0.1, 0.2, 0.3])).value == 1
    assert crossover(gaps_of([0.0, 0.0])).value == 1


def test_a_base_that_never_catches_up_is_censored_and_still_has_a_low_end() -> None:
    found = crossover(gaps_of([-0.2, -0.2, -0.2]))
    assert (found.value, found.low, found.high) == (None, 4.0, None)
    assert found.reason == "right-censored: at k = 3 the base is still behind"


def test_nothing_seen_leaves_everything_open() -> None:
    found = crossover(gaps_of([0.0, 0.0, 0.0]))
    assert (found.value, found.low, found.high) == (1.0, 1.0, None)


def test_the_ends_hold_for_two_models_whose_curves_cross() -> None:
    # Base: every problem at rate .25. Candidate: half at .7, half at 0. True pass@k: 1 - .75^k against .5 - .5 * .3^k:
    # k = 1: .25 < .35; k = 2: .4375 < .455; k = 3: .578 > .4865. So k* = 3.
    rng, wrong, runs, n = np.random.default_rng(8), 0, 150, 16
    for _ in range(runs):
        rate = np.where(rng.random(120) < 0.5, 0.7, 0.0)
        mine, base = rng.binomial(n, rate), rng.binomial(n, 0.25, 120)
        graded = np.full(120, n)
        found = crossover([pass_at_k(base, graded, k) - pass_at_k(mine, graded, k) for k in range(1, n + 1)])
        assert found.low is not None
        wrong += not (found.low <= 3 <= (found.high or n + 1))
    assert binomtest(wrong, runs, 0.05, alternative="greater").pvalue > 0.01


@pytest.mark.parametrize("order", [np.arange(50), np.random.default_rng(0).permutation(50)])
def test_the_order_of_problems_does_not_matter(order: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    gaps = [rng.uniform(-0.5, 0.5, 50) + 0.1 * k for k in range(-3, 4)]
    mixed, plain = crossover([gap[order] for gap in gaps]), crossover(gaps)
    assert (mixed.value, mixed.low, mixed.high) == (plain.value, plain.low, plain.high)
