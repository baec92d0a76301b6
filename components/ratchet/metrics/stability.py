"""How reliably a problem is solved: all of k attempts right (pass^k), or at least s of them (pass@k-s)."""

import numpy as np
from scipy.stats import hypergeom

from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers


def at_least_s_of_k(correct: Integers, graded: Integers, k: int, s: int) -> Floats:
    """The share of each problem's k-subsets of graded attempts that hold at least s right ones; NaN where n < k.

    With n attempts of which c are right it is sum_{j=s..k} C(c, j) C(n-c, k-j) / C(n, k): the unbiased estimate of the
    chance that s of k new attempts are right. s = 1 is pass@k and s = k is pass^k.
    """
    if not 1 <= s <= k:
        raise ValueError(f"k = {k}, s = {s}: at least one and at most k of k attempts can be asked for")
    enough = graded >= k
    chance = hypergeom.sf(s - 1, np.where(enough, graded, k), np.where(enough, correct, 0), k)
    return np.where(enough, chance, np.nan)


def all_of_k(correct: Integers, graded: Integers, k: int) -> Floats:
    """The unbiased pass^k of each problem, C(c, k) / C(n, k): the chance that all of k are right; NaN where n < k."""
    return at_least_s_of_k(correct, graded, k, k)
