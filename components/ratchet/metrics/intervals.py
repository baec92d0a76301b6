"""Estimates with intervals that hold where t, percentile, BCa, bootstrap-t and Newcombe intervals collapse to a point.

Every interval is equal-tailed: each end comes from a one-sided bound at half of 1 - `LEVEL`. Which method serves which
kind of number was chosen by measured coverage (`docs/profile.md`, `benchmarks/coverage.py`).
"""

from dataclasses import dataclass

import numpy as np

from ratchet.metrics.bounds import Floats, lower_bound, lowest_ratio, upper_bound
from ratchet.metrics.counts import Integers

LEVEL = 0.95
TAIL = (1.0 - LEVEL) / 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval; `value` is None with a `reason` where it can't be computed, and never 0 instead.

    `numerator` and `denominator` are what the value is the ratio of: for an average over problems the sum of their
    values and how many have one. `left_out` counts the problems that have none.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    numerator: float | None = None
    denominator: float = 0.0
    left_out: int = 0
    reason: str | None = None


def mean_estimate(values: Floats, undefined: str, clusters: Integers | None = None, lowest: float = 0.0) -> Estimate:
    """The mean of the values that are defined, each between `lowest` and 1; null, as `undefined` says, without any.

    The interval is Gaffke's (`ratchet.metrics.bounds`). NaN marks a problem that has no value.
    """
    defined = ~np.isnan(values)
    left_out = int((~defined).sum())
    if not defined.any():
        return Estimate(None, left_out=left_out, reason=undefined)
    kept = values[defined]
    units = None if clusters is None else clusters[defined]
    return Estimate(
        value=float(kept.mean()),
        low=lower_bound(kept, lowest, TAIL, units),
        high=upper_bound(kept, 1.0, TAIL, units),
        numerator=float(kept.sum()),
        denominator=len(kept),
        left_out=left_out,
    )


def ratio_estimate(parts: Floats, wholes: Floats, undefined: str, clusters: Integers | None = None) -> Estimate:
    """sum(parts) / sum(wholes) where 0 <= part <= whole <= 1 in each problem; null where nothing is in the wholes.

    The ratio is at most r exactly where the mean of part - r * whole, which lies in [-r, 1 - r], is at most 0: each end
    is the r at which Gaffke's p-value of that is half of 1 - LEVEL.
    """
    numerator, denominator = float(parts.sum()), float(wholes.sum())
    if denominator <= 0.0:
        return Estimate(None, reason=undefined)
    return Estimate(
        value=numerator / denominator,
        low=_lowest_ratio(parts, wholes, clusters),
        high=1.0 - _lowest_ratio(wholes - parts, wholes, clusters),
        numerator=numerator,
        denominator=denominator,
    )


def _lowest_ratio(parts: Floats, wholes: Floats, clusters: Integers | None) -> float:
    return lowest_ratio(parts, wholes, (0.0, 1.0), TAIL, (0.0, 1.0), clusters) if parts.any() else 0.0
