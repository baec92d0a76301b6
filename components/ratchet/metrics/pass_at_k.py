"""pass@k: the chance that at least one of k attempts at a problem is right."""

import numpy as np
from numpy.typing import NDArray

from ratchet.metrics.counts import Integers

LARGEST_LOOKED_UP = 2**20  # a thousand attempts a problem


def pass_at_k(correct: Integers, graded: Integers, k: int) -> NDArray[np.float64]:
    """The unbiased pass@k of each problem, 1 - C(n-c, k) / C(n, k), NaN where n < k.

    With n graded attempts of which c are right: the share of the k-subsets of the attempts that hold a right one.
    Computed as 1 - prod_{i<k} (n-c-i) / (n-i), which needs no large binomials, and once for each pair of c and n: there
    are far fewer pairs than problems.
    """
    if k < 1:
        raise ValueError(f"k = {k}: pass@k needs k >= 1")
    correct, graded = np.asarray(correct), np.asarray(graded)
    width = int(graded.max(initial=0)) + 1
    pairs, place = _numbered(correct * width + graded)
    n = (pairs % width).astype(np.float64)
    wrong = n - pairs // width
    all_wrong = np.ones_like(n)
    for i in range(k):
        with np.errstate(divide="ignore", invalid="ignore"):
            all_wrong *= np.clip((wrong - i) / (n - i), 0.0, 1.0)
    return np.where(n >= k, 1.0 - all_wrong, np.nan)[place]


def _numbered(codes: Integers) -> tuple[Integers, Integers]:
    """The different codes in order, and the place of each code among them; small codes are looked up, not sorted."""
    largest = int(codes.max(initial=-1))
    if largest > LARGEST_LOOKED_UP:
        values, places = np.unique(codes, return_inverse=True)
        return values, places
    seen = np.zeros(largest + 1, dtype=bool)
    seen[codes] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[codes]
