"""Improvement set and the base's pass@N on it: each number against all choices of attempts, one by one."""

from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import pytest

from ratchet.metrics import attribution
from ratchet.metrics.attribution import Reached

BASE = [(0, 4), (1, 4), (2, 5), (4, 4)]  # (right, attempts) of the base at four problems
SHARE = [Fraction(1, 2), Fraction(1), Fraction(1, 4), Fraction(3, 4)]  # of the candidate's attempts that are right


def outcomes(right: int, n: int) -> list[int]:
    return [1] * right + [0] * (n - right)


def subsets_with_a_right_one(attempts: list[int], k: int) -> Fraction:
    subsets = list(combinations(attempts, k))
    return Fraction(sum(any(subset) for subset in subsets), len(subsets))


def chosen_then_judged(k: int) -> tuple[list[Fraction], list[Fraction]]:
    """For each problem: over all choices of one base attempt that is wrong, its weight, and pass@k of the others."""
    parts, wholes = [], []
    for (right, n), share in zip(BASE, SHARE, strict=True):
        part = whole = Fraction(0)
        for i, outcome in enumerate(outcomes(right, n)):
            if outcome == 0:
                others = [o for j, o in enumerate(outcomes(right, n)) if j != i]
                whole += share / n
                part += share / n * subsets_with_a_right_one(others, k)
        parts.append(part)
        wholes.append(whole)
    return parts, wholes


def as_counts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([float(s) for s in SHARE]), np.array([c for c, _ in BASE]), np.array([n for _, n in BASE])


def numbers(reached: Reached) -> tuple[list[float], list[float]]:
    return list(reached.parts), list(reached.wholes)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_base_is_judged_by_the_attempts_that_did_not_choose_the_problem(k: int) -> None:
    parts, wholes = chosen_then_judged(k)
    found = attribution.reached_in_improvement(*as_counts(), k)
    assert numbers(found) == (pytest.approx([float(p) for p in parts]), pytest.approx([float(w) for w in wholes]))


@pytest.mark.parametrize("k", [1, 2])
def test_the_null_takes_two_different_attempts_of_the_base_and_judges_by_the_rest(k: int) -> None:
    parts, wholes = [], []
    for right, n in BASE:
        attempts = outcomes(right, n)
        pairs = [(i, j) for i, j in permutations(range(n), 2) if attempts[i] == 1 and attempts[j] == 0]
        whole = Fraction(len(pairs), n * (n - 1))
        part = sum(
            (subsets_with_a_right_one([o for m, o in enumerate(attempts) if m not in pair], k) for pair in pairs),
            Fraction(0),
        ) / (n * (n - 1))
        parts.append(float(part))
        wholes.append(float(whole))
    _, correct, graded = as_counts()
    found = attribution.reached_by_chance(correct, graded, k)
    assert numbers(found) == (pytest.approx(parts), pytest.approx(wholes))


def test_the_control_is_the_improvement_set_of_a_candidate_that_solves_everything() -> None:
    _, correct, graded = as_counts()
    control = attribution.reached_in_failures(correct, graded, 2)
    everything = attribution.reached_in_improvement(np.ones(4), correct, graded, 2)
    assert numbers(control) == (pytest.approx(list(everything.parts)), pytest.approx(list(everything.wholes)))


def test_gains_less_losses_are_the_change_of_pass_at_1() -> None:
    share, correct, graded = as_counts()
    difference = attribution.gained(share, correct, graded) - attribution.lost(share, correct, graded)
    assert difference == pytest.approx(share - correct / graded)


def test_a_second_run_of_the_base_gains_what_the_null_says() -> None:
    # 200,000 problems with rates of Beta(1, 1): the expected weight is E[p(1-p)] = 1/6, and the base's pass@2 in the
    # set E[p(1-p)(1-(1-p)^2)] / (1/6) = (1/6 - B(2,4)) * 6 = (1/6 - 1/20) * 6 = 0.7
    rng = np.random.default_rng(3)
    rate = rng.random(200_000)
    correct, graded = rng.binomial(6, rate), np.full(200_000, 6)
    null = attribution.reached_by_chance(correct, graded, 2)
    assert null.wholes.mean() == pytest.approx(1 / 6, abs=0.002)
    assert null.parts.sum() / null.wholes.sum() == pytest.approx(0.7, abs=0.005)
    second = attribution.reached_in_improvement(rng.binomial(6, rate) / 6, correct, graded, 2)
    assert second.wholes.mean() == pytest.approx(1 / 6, abs=0.002)
    assert second.parts.sum() / second.wholes.sum() == pytest.approx(0.7, abs=0.005)
