"""`retained`: of the problems that the reference solves reliably, the share that the candidate still solves."""

from dataclasses import dataclass

import numpy as np

from ratchet.evaluate.measures import Booleans
from ratchet.evaluate.suite import Suite
from ratchet.metrics.paired import PairedMean

MIDDLE = 1.6448536269514722  # standard deviations: 90 % of a normal distribution lie within


@dataclass(frozen=True, slots=True)
class Retained:
    """How both sides fare on the problems that the reference solves reliably.

    `change` is candidate minus reference, problem by problem. `by_chance` holds what the change would be were both
    sides' attempts one pool, split at random: the ends of its middle 90 %. It is shown and decides nothing.
    """

    candidate: float
    reference: float
    change: PairedMean
    by_chance: tuple[float, float]


def retained_change(candidate: Suite, judged: Suite, unseen: Suite, reliable: float) -> Retained | str:
    """The candidate against a reference whose attempts were split in two; or why nothing can be said.

    Reliable is a problem of whose attempts in `judged` a share of at least `reliable` is right. The reference is then
    compared by its `unseen` attempts: by the judging half every one of these problems would look solved, and any
    candidate as if it had lost some.
    """
    usable = ~np.isnan(candidate.share + unseen.share)
    chosen = usable & (np.nan_to_num(judged.share) >= reliable)
    if not chosen.any():
        return f"the reference solves no problem in {reliable:.0%} of its attempts"
    mine, theirs = candidate.share[chosen], unseen.share[chosen]
    clusters = None if candidate.clusters is None else candidate.clusters[chosen]
    return Retained(
        candidate=float(mine.mean()),
        reference=float(theirs.mean()),
        change=PairedMean(mine - theirs, clusters=clusters),
        by_chance=_by_chance(candidate, unseen, chosen),
    )


def _by_chance(candidate: Suite, unseen: Suite, chosen: Booleans) -> tuple[float, float]:
    """The ends of the middle 90 % of the change under random splits, from its exact variance.

    Of R right ones among N = m + t pooled attempts the candidate's m get a hypergeometric number, whose variance is
    m R/N (1 - R/N) t / (N - 1); the change of a problem is that number times (1/m + 1/t), less R/t, and 0 on average.
    """
    m, t = (side.counts.graded[chosen].astype(np.float64) for side in (candidate, unseen))
    rate = (candidate.counts.correct[chosen] + unseen.counts.correct[chosen]) / (m + t)
    variance = m * rate * (1.0 - rate) * t / np.maximum(m + t - 1.0, 1.0) * (1.0 / m + 1.0 / t) ** 2
    reach = MIDDLE * float(np.sqrt(variance.sum())) / len(m)
    return -reach, reach
