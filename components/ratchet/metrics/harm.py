"""The p-value that BLOCK rests on: harm beyond a margin is established, where rare gains may have gone unseen.

Gaffke's p-value (`ratchet.metrics.bounds`) puts the one unseen problem at the far end: harm is doubted as if a problem
wholly gained had only just been missed. That costs about 1 / (n standard errors) on the scale of z, half a standard
error for 500 problems x 32 attempts. Here the unseen problem is as good as the best that was seen, and what could be
better still is weighed by the chance that none of it showed: were a share e of the problems wholly gained, all n would
have missed it with the chance (1 - e)^n, and the others would have to be so much worse. So the p-value is

    w = max over e of (1 - e)^(0.8 n) * G(e),    kept between half of Gaffke's p-value and the whole of it,

where G(e) is Gaffke's p-value of "the mean harm of the others is at most (margin + e) / (1 - e)", with the unseen one
at the least value seen. It is searched, not proved: with the power n instead of 0.8 n, or without e, there are worlds
in which it errs more than alpha (`docs/guarantees.md`). Gaffke's own validity holds it to at most 2 alpha anywhere.
"""

import math

from scipy.optimize import minimize_scalar

from ratchet.metrics.bounds import Floats, weighed_mean
from ratchet.metrics.paired import Change, PairedMean

POWER = 0.8  # of the chance that nothing showed: the rest pays for samples in which something did
LEAST_SHARE = 0.5  # of Gaffke's p-value, which is kept
_UNDECIDED = 0.5  # a p-value from which on nothing is gained by looking closer


def p_of_harm(change: Change, threshold: float, rising: bool) -> float:
    """The p-value of "the true change is no worse than `threshold`"; a rise is harm where `rising` says so.

    For means of problems that each count for themselves it is that of this module; for relative changes, clusters and
    melded changes it is the change's own.
    """
    if not isinstance(change, PairedMean) or change.clusters is not None:
        return change.p_at_most(threshold) if rising else change.p_at_least(threshold)
    if rising:
        return p_above(change.values, threshold, change.lowest)
    return p_above(-change.values, -threshold, -change.highest)


def p_above(values: Floats, threshold: float, floor: float) -> float:
    """The p-value of "the true mean is at most `threshold`"; `floor` is the least value possible, and below it."""
    gaffke = weighed_mean(values, floor, None).p(threshold)
    if gaffke >= _UNDECIDED or gaffke == 0.0:
        return gaffke
    number, seen = len(values), weighed_mean(values, float(values.min()), None)

    def unseen(share: float) -> float:
        """What is left of the p-value if this share of the problems lies at the floor and none of it was seen."""
        others = (threshold - share * floor) / (1.0 - share)
        return math.exp(POWER * number * math.log1p(-share)) * seen.p(others)

    # a larger share than this weighs less than half of Gaffke's p-value, which is kept in any case
    most = -math.expm1(math.log(LEAST_SHARE * gaffke) / (POWER * number))
    found = minimize_scalar(
        lambda share: -unseen(share), bounds=(0.0, most), method="bounded", options={"xatol": most / 500}
    )
    return min(gaffke, max(LEAST_SHARE * gaffke, unseen(0.0), -float(found.fun)))
