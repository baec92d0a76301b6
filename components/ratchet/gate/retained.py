"""`retained`: of the problems that the reference solves reliably, the share that the candidate still solves."""

from dataclasses import dataclass

import numpy as np

from ratchet.evaluate.suite import Suite
from ratchet.metrics.bounds import Floats
from ratchet.metrics.paired import PairedMean

SEED = 20_26_11
SPLITS = 2000


@dataclass(frozen=True, slots=True)
class Retained:
    """How both sides fare on the problems that the reference solves reliably.

    `change` is candidate minus reference, problem by problem. `by_chance` holds what the change would be were both
    sides' attempts one pool, split at random: its 5 % and 95 % quantiles. It is shown and decides nothing.
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


def _by_chance(candidate: Suite, unseen: Suite, chosen: np.ndarray) -> tuple[float, float]:
    mine, theirs = (side.counts.graded[chosen] for side in (candidate, unseen))
    right = candidate.counts.correct[chosen] + unseen.counts.correct[chosen]
    rng = np.random.default_rng(SEED)
    drawn = rng.hypergeometric(right, mine + theirs - right, mine, size=(SPLITS, len(mine)))
    changes: Floats = (drawn / mine - (right - drawn) / theirs).mean(axis=1)
    low, high = np.quantile(changes, (0.05, 0.95))
    return float(low), float(high)
