"""Rise and collapse: where a number peaked over a history of steps, and how far it has fallen since.

`dynamics` describes one history as it was seen. Its peak is biased upward: the largest of many noisy numbers is large
by luck as well, by some 9 points with 30 problems of one attempt. `scored_peak` finds the peak on one half of the
problems and scores it on the other, both ways, and gives intervals for the peak and the fall of the *true* curve mu:

- gap = max_t mu_t - mu_end. *Lower end*: each problem is scored at the step that led over the problems before it, in an
  order drawn once from a fixed seed. No problem has a say in its own step, so the mean is at most the true gap.
- *Upper end*: the largest of the steps' own upper bounds. That of the true peak holds, so the largest does.

One interval of the values scored across halves would be simpler and does not hold: where both halves find the same
lucky step they err together, and over a flat history of 3 to 20 steps it lies above 0 in 3 to 5 % of cases, not 2.5 %.

Source: the detector quantities of arXiv 2606.21090. Steps count from 0, the first number of a history. Numbers are
shares such as pass@1, not per cent: a collapse is a fall of more than .2.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ratchet.metrics.bounds import Floats, lower_bound, lowest_ratio, p_at_least, p_at_most, upper_bound
from ratchet.metrics.counts import Integers
from ratchet.metrics.intervals import TAIL, Estimate

COLLAPSE = 0.2  # a gap above it is a collapse
SEED = 20_26_11  # of the order of the problems, and so of the halves
EXACT_SEEDS = 6  # as many seeds have 6^6 = 46,656 resamples: all are taken
RESAMPLES = 20_000
_AT_ZERO = "the peak is 0"


@dataclass(frozen=True, slots=True)
class Dynamics:
    """One history: what is undefined is None and has its entry in `reasons`.

    `onset` is the first step after the peak that lies below peak - gap / 2. `jump_share` is the largest fall within one
    step over the gap, from the peak on, since an earlier fall is no part of the gap; above 1 where it recovers between.
    """

    peak: float | None = None
    peak_step: int | None = None
    end: float | None = None
    gap: float | None = None
    ratio: float | None = None
    collapse: bool | None = None
    onset: int | None = None
    jump_share: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoredPeak:
    """The peak without the luck of having been chosen; `peak_steps` are those of the first and of the second half.

    `collapse` is whether the gap's estimate exceeds 0.2; the gap's interval says how sure that is.
    """

    peak: Estimate
    end: Estimate
    gap: Estimate
    ratio: Estimate
    peak_steps: tuple[int, int] | None
    collapse: bool | None


def dynamics(history: Sequence[float]) -> Dynamics:
    """Peak (the first of equal ones), end, gap = peak - end, ratio = end / peak, collapse, onset and jump share."""
    if not history:
        names = ("peak", "peak_step", "end", "gap", "ratio", "collapse", "onset", "jump_share")
        return Dynamics(reasons=dict.fromkeys(names, "the history has no step"))
    if not np.isfinite(history).all():
        raise ValueError("a step of the history is not a finite number")
    peak_step = int(np.argmax(history))
    peak, end = float(history[peak_step]), float(history[-1])
    gap = peak - end
    after = list(history[peak_step:])
    reasons = {} if gap > 0.0 else dict.fromkeys(("onset", "jump_share"), "nothing fell after the peak")
    if peak == 0.0:
        reasons["ratio"] = _AT_ZERO
    falls = [before - later for before, later in itertools.pairwise(after)]
    return Dynamics(
        peak=peak,
        peak_step=peak_step,
        end=end,
        gap=gap,
        ratio=end / peak if peak != 0.0 else None,
        collapse=gap > COLLAPSE,
        onset=peak_step + next(i for i, v in enumerate(after) if v < peak - gap / 2) if gap > 0.0 else None,
        jump_share=max(falls) / gap if gap > 0.0 else None,
        reasons=reasons,
    )


def carry_over(campaigns: Sequence[Sequence[float]]) -> tuple[float | None, ...]:
    """For each campaign but the last the start of the next one minus its end; None where either has no step."""
    return tuple(
        after[0] - before[-1] if len(before) and len(after) else None for before, after in itertools.pairwise(campaigns)
    )


def scored_peak(values: Floats, clusters: Integers | None = None) -> ScoredPeak:
    """Peak, end, gap and ratio of a history of per-problem values between 0 and 1: steps x problems.

    A problem with a NaN at any step is left out, since the steps are compared on the same problems; two units
    (problems, or clusters, which stay in one half) are the least. The halves follow from the order of the problems and
    a fixed seed. The ratio is end / peak; where its estimate is at most 1 the interval is too.
    """
    kept = ~np.isnan(values).any(axis=0)
    left_out = int((~kept).sum())
    values, units = values[:, kept], None if clusters is None else clusters[kept]
    place = _places(values.shape[1], units)
    if not len(values) or len(np.unique(place)) < 2:
        none = Estimate(None, left_out=left_out, reason="fewer than two problems (clusters) have a value at every step")
        return ScoredPeak(none, none, none, none, None, None)
    first = place < (place.max() + 1) // 2
    steps = int(values[:, first].mean(axis=1).argmax()), int(values[:, ~first].mean(axis=1).argmax())
    across, before = np.where(first, values[steps[1]], values[steps[0]]), peak_before(values, units)
    end = values[-1]
    gap = _estimate(across - end, before - end, values - end, -1.0, units, left_out)
    return ScoredPeak(
        peak=_estimate(across, before, values, 0.0, units, left_out),
        end=_estimate(end, end, end[None, :], 0.0, units, left_out),
        gap=gap,
        ratio=_ratio(across, before, values, units, left_out),
        peak_steps=steps,
        collapse=gap.value is not None and gap.value > COLLAPSE,
    )


def peak_before(values: Floats, clusters: Integers | None = None) -> Floats:
    """Each problem's value at the step with the highest mean over the problems (clusters) before it.

    The order is drawn once from a fixed seed. The mean of these values is, in expectation, at most the true peak.
    """
    place = _places(values.shape[1], clusters)
    sums = np.zeros((int(place.max()) + 1, len(values)))
    np.add.at(sums, place, values.T)
    before = np.vstack([np.zeros(len(values)), np.cumsum(sums, axis=0)[:-1]])
    peaks = before.argmax(axis=1)[place]
    return np.asarray(values[peaks, np.arange(values.shape[1])], dtype=np.float64)


def over_seeds(values: Sequence[float], reference: Sequence[float] | None = None) -> Estimate:
    """The mean over seeds, or of the differences to the same seeds of `reference`, with a percentile interval.

    Seeds are what is resampled, never steps: all resamples of up to six seeds, else 20,000 drawn ones. It can't reach
    beyond the seeds that were seen: with normal values it covers 67 % with three seeds and 84 % with five, not 95 %.
    """
    if reference is not None and len(reference) != len(values):
        raise ValueError(f"{len(values)} seeds against {len(reference)}: a pair has one of each")
    seeds = np.array(values, dtype=np.float64) - (0.0 if reference is None else np.array(reference, dtype=np.float64))
    count = len(seeds)
    if count < 2:
        reason = "one seed has no interval" if count else "no seed"
        return Estimate(float(seeds[0]) if count else None, denominator=count, reason=reason)
    if count <= EXACT_SEEDS:
        means = np.array([sum(chosen) / count for chosen in itertools.product(seeds, repeat=count)])
    else:
        means = np.random.default_rng(SEED).choice(seeds, (RESAMPLES, count)).mean(axis=1)
    low, high = (float(end) for end in np.quantile(means, (TAIL, 1.0 - TAIL)))
    return Estimate(float(seeds.mean()), low, high, numerator=float(seeds.sum()), denominator=count)


def _places(count: int, clusters: Integers | None) -> NDArray[np.int64]:
    """Each problem's place in the drawn order; the problems of a cluster share one."""
    units = np.arange(count) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    drawn = np.random.default_rng(SEED).permutation(int(units.max(initial=-1)) + 1)
    places: NDArray[np.int64] = drawn[units]
    return places


def _estimate(
    across: Floats, before: Floats, steps: Floats, lowest: float, units: Integers | None, left_out: int
) -> Estimate:
    """The mean across halves; the interval from the problems scored at the step before them and from all steps."""
    value = float(across.mean())
    low, high = lower_bound(before, lowest, TAIL, units), value
    for step in steps[np.argsort(-steps.mean(axis=1))]:
        if high < 1.0 and (p_at_least(step, high, 1.0, units) or 0.0) > TAIL:
            high = upper_bound(step, 1.0, TAIL, units) or 0.0
    assert low is not None
    return Estimate(value, min(low, value), max(high, value), float(across.sum()), len(across), left_out)


def _ratio(across: Floats, before: Floats, steps: Floats, units: Integers | None, left_out: int) -> Estimate:
    """mean(end) / mean(peak): a ratio is at most r exactly where the mean of end - r * peak is at most 0."""
    end = steps[-1]
    if not across.any():
        return Estimate(None, left_out=left_out, reason=_AT_ZERO)
    value = float(end.sum() / across.sum())

    low = min(1.0, value)
    for step in steps[np.argsort(-steps.mean(axis=1))]:
        if low > 0.0 and (p_at_most(end - low * step, 0.0, -low, units) or 0.0) > TAIL:
            low = lowest_ratio(end, step, (0.0, 1.0), TAIL, (0.0, low), units) if end.any() else 0.0
    high = -lowest_ratio(-end, before, (-1.0, 0.0), TAIL, (-1.0, 0.0), units) if before.any() else 1.0
    return Estimate(value, low, max(high, value), float(end.sum()), float(across.sum()), left_out)
