"""Where new solutions come from: the base could already find them (selection), or it could not (capability).

The improvement set holds the problems that the candidate solves and the base does not, each asked once (methods: P1).
One answer a problem changes even in an unchanged model, so nothing here is decided by one draw: every number is the
average over all choices of the attempts that stand for "asked once", and the base's pass@N on the set is taken from
the attempts that were not chosen. With n attempts of the base at a problem, c of them right, and the candidate's share
of right attempts q, the problem is in the improvement set with the weight

    q * (n - c) / n, and there the base's pass@N is that of its other n - 1 attempts, c of them right.

The *control* does the same for all problems that the base fails, with the weight (n - c) / n. The *null* is the base
against itself, run twice: weight c (n - c) / (n (n - 1)), and its n - 2 other attempts, c - 1 of them right. All
weights and products are unbiased, since the attempts that choose a problem never judge it.
"""

from dataclasses import dataclass

import numpy as np

from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers
from ratchet.metrics.pass_at_k import pass_at_k


@dataclass(frozen=True, slots=True)
class Reached:
    """Problems weighted by how likely they are in a set, and that weight times the base's pass@N in them.

    `parts.sum() / wholes.sum()` is the base's pass@N on the set, for `ratchet.metrics.intervals.ratio_estimate`.
    """

    parts: Floats
    wholes: Floats


def gained(candidate_share: Floats, base_correct: Integers, base_graded: Integers) -> Floats:
    """The chance that a problem is in the improvement set: right when the candidate is asked, wrong for the base."""
    return candidate_share * (1.0 - base_correct / base_graded)


def lost(candidate_share: Floats, base_correct: Integers, base_graded: Integers) -> Floats:
    """The chance that a problem is in the regression set: right when the base is asked, wrong for the candidate."""
    return (1.0 - candidate_share) * (base_correct / base_graded)


def flipped_by_chance(base_correct: Integers, base_graded: Integers) -> Floats:
    """The chance of either for the base against itself, from two different attempts; needs two attempts a problem."""
    c, n = base_correct.astype(np.float64), base_graded.astype(np.float64)
    return c * (n - c) / (n * (n - 1.0))


def reached_in_improvement(candidate_share: Floats, base_correct: Integers, base_graded: Integers, k: int) -> Reached:
    """The base's pass@k on the improvement set; needs k + 1 attempts a problem."""
    weights = gained(candidate_share, base_correct, base_graded)
    return _reached(weights, base_correct, base_graded - 1, k)


def reached_in_failures(base_correct: Integers, base_graded: Integers, k: int) -> Reached:
    """The control: the base's pass@k on all problems that it fails when asked once; needs k + 1 attempts a problem."""
    return _reached(1.0 - base_correct / base_graded, base_correct, base_graded - 1, k)


def reached_by_chance(base_correct: Integers, base_graded: Integers, k: int) -> Reached:
    """The null: the base's pass@k on what a second run of the base would gain; needs k + 2 attempts a problem."""
    return _reached(flipped_by_chance(base_correct, base_graded), base_correct - 1, base_graded - 2, k)


def _reached(weights: Floats, correct: Integers, graded: Integers, k: int) -> Reached:
    """A weight of 0 makes its pass@k irrelevant, also where its counts are impossible."""
    within = np.clip(correct, 0, graded)
    return Reached(parts=weights * pass_at_k(within, graded, k), wholes=weights)
