"""The change of each axis in a simulated comparison, as the gate computes it from profiles."""

from dataclasses import replace

import numpy as np

from ratchet.evaluate.suite import Suite
from ratchet.gate.axes import RELIABLE
from ratchet.metrics.bounds import Floats
from ratchet.metrics.calibration import Confidences, ece_change
from ratchet.metrics.counts import Integers
from ratchet.metrics.melded import Sampled, meld
from ratchet.metrics.paired import Change, PairedMean, RelativeMean
from ratchet.plan.simulation import Comparison, Counts, value_table

DRAWS = 2_000  # of a melded change, a tenth of the gate's: a plan needs many of them


def change(comparison: Comparison, axis: str, reference: str) -> Change | None:
    """The change of an axis against a reference; None where the gate could not measure it."""
    what = comparison.setting.policy.measured(axis)
    counts = comparison.suites[what.suite]
    if what.measure == "retained":
        return _retained(comparison, counts, axis, reference)
    if what.measure == "disparity":
        return _disparity(comparison, counts, what.suite, reference)
    if what.measure == "concepts.fringe":
        fringe = comparison.setting.populations[what.suite].fringe
        assert fringe is not None, "axes that are not known of are not planned for"
        touching = fringe[counts.problems.rows] > 0
        mine, theirs = _values("pass@1", comparison, counts, reference)
        return _paired(mine, theirs, counts.problems.clusters, axis, comparison, touching)
    if what.measure == "calibration.ece":
        return _ece(comparison, counts, what.suite)
    if axis in comparison.setting.resampled:
        mine, theirs = _resampled(axis, comparison, counts)
    else:
        mine, theirs = _values(what.measure, comparison, counts, reference)
    return _paired(mine, theirs, counts.problems.clusters, axis, comparison, ~np.isnan(mine + theirs))


def _values(name: str, comparison: Comparison, counts: Counts, reference: str) -> tuple[Floats, Floats]:
    """A measure of both sides; the best of a history is compared by its odd attempts alone."""
    even, odd = counts.theirs[reference]
    attempts = comparison.attempts
    half = reference == "best"
    theirs = value_table(name, attempts // 2)[odd] if half else value_table(name, attempts)[even + odd]
    return value_table(name, attempts)[counts.mine], theirs


def _resampled(axis: str, comparison: Comparison, counts: Counts) -> tuple[Floats, Floats]:
    """A measure on either half of the base's attempts at the drawn problems: the same model twice."""
    first, second = (half[counts.problems.rows] for half in comparison.setting.resampled[axis])
    return np.where(counts.heads, first, second), np.where(counts.heads, second, first)


def _paired(
    mine: Floats, theirs: Floats, clusters: Integers | None, axis: str, comparison: Comparison, chosen: np.ndarray
) -> Change | None:
    if not chosen.any():
        return None
    mine, theirs = mine[chosen], theirs[chosen]
    units = None if clusters is None else clusters[chosen]
    if comparison.setting.policy.axes[axis].max_relative_drop is None:
        return PairedMean(mine - theirs, clusters=units)
    return RelativeMean(mine, theirs, units) if theirs.any() else None


def _retained(comparison: Comparison, counts: Counts, axis: str, reference: str) -> Change | None:
    even, odd = counts.theirs[reference]
    attempts = comparison.attempts
    reliable = comparison.setting.policy.axes[axis].reliable or RELIABLE
    chosen = even / (attempts - attempts // 2) >= reliable
    mine, theirs = counts.mine / attempts, odd / (attempts // 2)
    return _paired(mine, theirs, counts.problems.clusters, axis, comparison, chosen)


def _disparity(comparison: Comparison, counts: Counts, suite: str, reference: str) -> Change | None:
    ends = comparison.setting.populations[suite].ends
    assert ends is not None, "axes that are not known of are not planned for"
    ends = ends[counts.problems.rows]
    mine, theirs = _values("pass@1", comparison, counts, reference)
    shares, clusters = np.column_stack([theirs, mine]), counts.problems.clusters
    first, last = ends == 0, ends == 1
    if not (first.any() and last.any()) or not shares[first].any(axis=0).all():
        return None
    samples = [
        Sampled(shares[chosen], rises, None if clusters is None else clusters[chosen])
        for chosen, rises in ((first, (False, True)), (last, (True, False)))
    ]
    return meld(samples, _risen, DRAWS)


def _risen(means: Floats) -> Floats:
    """The change of disparity, from rows of (first before, first after, last before, last after)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        risen: Floats = means[:, 2] / means[:, 0] - means[:, 3] / means[:, 1]
    return risen


def _ece(comparison: Comparison, counts: Counts, suite: str) -> Change | None:
    first, second = comparison.setting.halves[suite]
    mine, theirs = (first, second) if counts.heads[0] else (second, first)
    return ece_change(_confidences(mine, counts), _confidences(theirs, counts))


def _confidences(half: Suite, counts: Counts) -> Confidences:
    """The confidences of a half's attempts at the drawn problems, each problem as often as it was drawn."""
    stated = half.confidences
    assert stated is not None, "axes that are not known of are not planned for"
    sizes = np.bincount(stated.problems, minlength=stated.count)
    begins = np.cumsum(sizes) - sizes
    rows = counts.problems.rows
    numbers = np.repeat(np.arange(len(rows)), sizes[rows])
    within = np.arange(len(numbers)) - np.repeat(np.cumsum(sizes[rows]) - sizes[rows], sizes[rows])
    chosen = np.repeat(begins[rows], sizes[rows]) + within
    return replace(
        stated,
        problems=numbers,
        confidence=stated.confidence[chosen],
        correct=stated.correct[chosen],
        count=len(rows),
        clusters=counts.problems.clusters,
    )
