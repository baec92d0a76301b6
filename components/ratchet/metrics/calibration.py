"""Calibration: whether a model that says .8 is right eight times in ten. Computed an attempt at a time.

An average over a problem's attempts would hide that each of them was miscalibrated. Every problem weighs the same and
its attempts share its weight, as in pass@1: where all problems have equally many, this is the plain pool of attempts.
The bins are closed on the right, [0, 1/15], (1/15, 2/15], ... (14/15, 1] (Guo et al. 2017).

ECE is sum_b |E gap_b|, where gap_b is the sum of confidence - correct over a problem's attempts in bin b divided by the
number of all its attempts. The plug-in estimate, which is what users know and what is reported, is biased upward: noise
counts as miscalibration whatever its sign, and a bootstrap adds the noise once more. The interval comes from another
side. For any signs s the mean of sum_b s_b gap_b is at most ECE, and for the signs of the true gaps it is ECE.

- *Upper end*: the upper bound of that mean for the observed signs, which lie higher than the true signs would.
- *Lower end*: each problem is weighed with the signs of the problems before it, in an order that is drawn once from a
  fixed seed. No problem has a say in its own signs, so the mean is at most ECE; none is given up to a split.

Both use Gaffke's bound (`ratchet.metrics.bounds`). `benchmarks/calibration_coverage.py` measures what they cover.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers
from ratchet.metrics.intervals import TAIL, Estimate, mean_estimate, ratio_estimate
from ratchet.metrics.paired import PairedMean

Booleans = NDArray[np.bool_]
BINS = 15
SEED = 20_26_11  # of the order in which signs are learnt
NO_CONFIDENCE = "no graded attempt has a confidence"
_DECIMALS = 9  # of confidence * BINS: 1/3 lies on an edge, however it was rounded


@dataclass(frozen=True, slots=True)
class Confidences:
    """Graded attempts that have a confidence; `problems` holds the number of each one's problem, 0 to `count` - 1.

    A problem may have no attempt here. `clusters` has a number for each problem.
    """

    problems: Integers
    confidence: Floats
    correct: Integers
    count: int
    clusters: Integers | None = None

    def __post_init__(self) -> None:
        if not ((self.confidence >= 0.0) & (self.confidence <= 1.0)).all():
            raise ValueError("a confidence is not between 0 and 1")
        if not len(self.problems) == len(self.confidence) == len(self.correct):
            raise ValueError("problems, confidence and correct need one entry an attempt each")
        if self.clusters is not None and len(self.clusters) != self.count:
            raise ValueError(f"{len(self.clusters)} clusters for {self.count} problems")


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability diagram: `low` < confidence <= `high`, 0 being in the first.

    `attempts` and `problems` count what is in it; the mean confidence and the accuracy are None in an empty bin.
    """

    low: float
    high: float
    attempts: int
    problems: int
    confidence: float | None
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Bracket:
    """A number between the true means of `below` and of `above`, each of which bounds it from its own side.

    It answers as a `ratchet.metrics.paired.Change` does.
    """

    value: float
    below: PairedMean
    above: PairedMean

    def lower(self, alpha: float) -> float:
        """A number that the true one is below with a chance of at most alpha."""
        return self.below.lower(alpha)

    def upper(self, alpha: float) -> float:
        """A number that the true one is above with a chance of at most alpha."""
        return self.above.upper(alpha)

    def p_at_most(self, threshold: float) -> float:
        """The p-value of "the true number is at most `threshold`": small means that it is established above it."""
        return self.below.p_at_most(threshold)

    def p_at_least(self, threshold: float) -> float:
        """The p-value of "the true number is at least `threshold`": small means that it is established below it."""
        return self.above.p_at_least(threshold)


def bin_of(confidence: Floats) -> Integers:
    """The bin of each confidence, from 0: the first whose upper edge it does not exceed."""
    bins: Integers = np.clip(np.ceil(np.round(confidence * BINS, _DECIMALS)) - 1, 0, BINS - 1).astype(np.int64)
    return bins


def reliability_bins(data: Confidences) -> tuple[Bin, ...]:
    """All bins in order. Accuracy and mean confidence are weighted as ECE is, by the shares of the problems' attempts.

    The interval of an accuracy is that of a ratio of means over problems (`ratio_estimate`).
    """
    inside = _spread(data, np.ones(len(data.problems)))
    right, confidence = _spread(data, data.correct), _spread(data, data.confidence).sum(axis=0)
    attempts = np.bincount(bin_of(data.confidence), minlength=BINS)
    has = _has_confidence(data)
    units = None if data.clusters is None else data.clusters[has]
    return tuple(
        Bin(
            low=b / BINS,
            high=(b + 1) / BINS,
            attempts=int(attempts[b]),
            problems=int((inside[:, b] > 0.0).sum()),
            confidence=float(confidence[b] / inside[:, b].sum()) if attempts[b] else None,
            accuracy=ratio_estimate(right[has, b], inside[has, b], "no confidence in this bin", units),
        )
        for b in range(BINS)
    )


def ece(data: Confidences) -> Estimate:
    """The expected calibration error as plug-in estimate, with a valid interval; null without a confidence.

    The interval covers the true ECE and always holds the estimate, so that it reaches far up where noise is large.
    """
    has = _has_confidence(data)
    left_out = int((~has).sum())
    if not has.any():
        return Estimate(None, left_out=left_out, reason=NO_CONFIDENCE)
    found = ece_bracket(data)
    return Estimate(
        value=found.value,
        low=min(found.value, max(0.0, found.lower(TAIL))),
        high=max(found.value, found.upper(TAIL)),
        numerator=found.value * int(has.sum()),
        denominator=int(has.sum()),
        left_out=left_out,
    )


def ece_bracket(data: Confidences) -> Bracket:
    """ECE with bounds at any level; there must be a confidence."""
    gaps, units = _gaps(data, _has_confidence(data))
    return Bracket(
        value=_plug_in(gaps),
        below=PairedMean((gaps * _signs_before(gaps, units)).sum(axis=1), -1.0, 1.0, units),
        above=PairedMean(gaps @ _signs(gaps), -1.0, 1.0, units),
    )


def ece_change(candidate: Confidences, reference: Confidences) -> Bracket | None:
    """ECE of the candidate minus ECE of the reference, over the problems that have a confidence on both sides.

    The biases of the two plug-in estimates cancel only where both sides are equally noisy in every bin. So the least
    change takes the candidate's lower end and the reference's upper end, the greatest the other two, and the problem's
    two numbers are subtracted: what is paired stays paired. None where no problem has both.
    """
    both = _has_confidence(candidate) & _has_confidence(reference)
    if not both.any():
        return None
    (ours, units), (theirs, _) = _gaps(candidate, both), _gaps(reference, both)
    least = (ours * _signs_before(ours, units)).sum(axis=1) - theirs @ _signs(theirs)
    most = ours @ _signs(ours) - (theirs * _signs_before(theirs, units)).sum(axis=1)
    return Bracket(
        _plug_in(ours) - _plug_in(theirs),
        below=PairedMean(least, -2.0, 2.0, units),
        above=PairedMean(most, -2.0, 2.0, units),
    )


def brier_by_problem(data: Confidences) -> Floats:
    """The mean of (confidence - correct)^2 over each problem's attempts, NaN where it has none."""
    squares = np.bincount(data.problems, weights=(data.confidence - data.correct) ** 2, minlength=data.count)
    attempts = np.bincount(data.problems, minlength=data.count)
    return np.where(attempts > 0, squares / np.maximum(attempts, 1), np.nan)


def brier(data: Confidences) -> Estimate:
    """The Brier score, the mean over problems of their mean squared error; null without a confidence (Brier 1950)."""
    return mean_estimate(brier_by_problem(data), NO_CONFIDENCE, data.clusters)


def brier_change(candidate: Confidences, reference: Confidences) -> PairedMean | None:
    """The Brier score of the candidate minus that of the reference, problem by problem; None where none has both."""
    change = brier_by_problem(candidate) - brier_by_problem(reference)
    both = ~np.isnan(change)
    units = None if candidate.clusters is None else candidate.clusters[both]
    return PairedMean(change[both], -1.0, 1.0, units) if both.any() else None


def _has_confidence(data: Confidences) -> Booleans:
    return np.bincount(data.problems, minlength=data.count) > 0


def _spread(data: Confidences, values: Floats | Integers) -> Floats:
    """Problems x bins: the values of a problem's attempts in a bin, added up, over the number of all its attempts."""
    cells = data.problems * BINS + bin_of(data.confidence)
    sums = np.bincount(cells, weights=values, minlength=data.count * BINS).reshape(data.count, BINS)
    attempts = np.bincount(data.problems, minlength=data.count)
    return sums / np.maximum(attempts, 1)[:, None]


def _gaps(data: Confidences, kept: Booleans) -> tuple[Floats, Integers | None]:
    """The gaps of the problems `kept`, a column a bin, and their clusters."""
    gaps = _spread(data, data.confidence - data.correct)[kept]
    return gaps, None if data.clusters is None else data.clusters[kept]


def _plug_in(gaps: Floats) -> float:
    return float(np.abs(gaps.mean(axis=0)).sum())


def _signs(gaps: Floats) -> Floats:
    """The sign of each bin's gap as observed."""
    return np.where(gaps.sum(axis=0) < 0.0, -1.0, 1.0)


def _signs_before(gaps: Floats, clusters: Integers | None) -> Floats:
    """For each problem the signs of the bins' gaps over the problems (clusters) before it in the drawn order.

    A bin without any takes the sign of all bins together, and the first of all that of overconfidence.
    """
    units = np.arange(len(gaps)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    count = int(units.max()) + 1
    place = np.random.default_rng(SEED).permutation(count)[units]
    sums = np.zeros((count, BINS))
    np.add.at(sums, place, gaps)
    before = np.vstack([np.zeros(BINS), np.cumsum(sums, axis=0)[:-1]])
    overall = np.where(before.sum(axis=1, keepdims=True) < 0.0, -1.0, 1.0)
    signs: Floats = np.where(before == 0.0, overall, np.sign(before))[place]
    return signs
