"""Crossover: with how many attempts does the base catch up with the candidate?"""

from collections.abc import Sequence

import numpy as np

from ratchet.metrics.bounds import Floats, p_at_least, p_at_most
from ratchet.metrics.counts import Integers
from ratchet.metrics.intervals import TAIL, Estimate


def crossover(gaps: Sequence[Floats], clusters: Integers | None = None) -> Estimate:
    """k*, the least k from which on the base's pass@k is at least the candidate's; gaps[k - 1] = base - candidate.

    `gaps` holds the problems' paired differences for every k from 1 to n. Null where the base is behind at n: k* is
    then right-censored, and the interval's low end still holds.

    Both ends follow from pointwise tests without a correction for how many there are. k* > k is established where the
    base is behind at every k up to there: of these hypotheses, tested from k = 1 on until one fails, only the first
    true one can err. k* <= k is established where the base is ahead at every k from there on: it errs only if the gap
    at k* - 1, one fixed k, is misjudged.
    """
    means = np.array([gap.mean() for gap in gaps])
    n = len(gaps)
    behind = np.flatnonzero(means < 0.0)
    first_doubt = np.flatnonzero([not _small(p_at_least(gap, 0.0, 1.0, clusters)) for gap in gaps])
    last_doubt = np.flatnonzero([not _small(p_at_most(gap, 0.0, -1.0, clusters)) for gap in gaps])
    low = float(first_doubt[0] + 1) if len(first_doubt) else n + 1.0
    high = float(last_doubt[-1] + 2) if len(last_doubt) else 1.0
    if len(behind) and behind[-1] == n - 1:
        return Estimate(None, low=low, reason=f"right-censored: at k = {n} the base is still behind")
    value = float(behind[-1] + 2) if len(behind) else 1.0
    return Estimate(value, low, high if high <= n else None, numerator=value, denominator=len(gaps[0]))


def _small(p: float | None) -> bool:
    return p is not None and p <= TAIL
