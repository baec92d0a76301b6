"""Bounds and p-values for the mean of bounded values that hold where t and bootstrap intervals collapse.

Gaffke's bound (Gaffke 2005; Learned-Miller & Thomas 2020): beside the n values that were seen stands one that was not,
at the worst end of the range, and all n + 1 get random weights W ~ Dirichlet(1, ..., 1). The lower bound at level alpha
is the alpha-quantile of sum W_i x_i, the p-value of "the mean is at most m" is P(sum W_i x_i <= m). For 0/1 values this
is Clopper-Pearson, with no loss seen in n it leaves about 3/n, and in large samples it is as tight as a t bound. That
it holds for all bounded values was long a conjecture, of which Vlassis & Thomas (2026) give a proof (`docs/gate.md`).

Dirichlet weights are exponential variables over their sum, so P(sum W_i x_i <= m) = P(sum E_i (x_i - m) <= 0), which is
computed exactly (`_chance_not_positive`), without drawing anything.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, ndtri

from ratchet.metrics.counts import Integers

Floats = NDArray[np.float64]
MOST_PROBLEMS = 10_000_000  # no estimate of the problems needed looks further than this
_LEAST_P, _LEAST_REST = 1e-300, 1e-16  # p-values and 1 - p that still have a probit
_NEGLIGIBLE = 1e-13  # of the sum, below which the rest of an integral is left out
_TINY = 1e-100  # beside the largest coefficient of a sum: left out
_BENDS = (1.0, -1.0, -0.25, 0.25, 0.0)  # of a path, in parts of what the steepest descent has
_STEPS = tuple(0.1 / 2**i for i in range(12))  # the first is enough, but for extremes
_AGREEMENT = 1e-7  # of a sum with that of twice the step: its own error is far less
_ROUNDING = 1e-9  # of a logarithm
_NODES_AT_ONCE = 32  # an even number
_SADDLE_PRECISION = 1e-3  # of log c: any c gives the same integral, and near the best one it is short


def p_at_most(values: Floats, threshold: float, floor: float, clusters: Integers | None = None) -> float | None:
    """The p-value of "the true mean is at most `threshold`": small means that the mean is established above it.

    `floor` is the least value possible. Values that share a number in `clusters` rise or fall together, and the cluster
    is what was drawn: its sum is one observation, and the one unseen cluster is as large as the largest seen (were it
    of mean size, many candidates that lose large clusters would pass). None without values.
    """
    return weighed_mean(values, floor, clusters).p(threshold) if len(values) else None


def p_at_least(values: Floats, threshold: float, ceiling: float, clusters: Integers | None = None) -> float | None:
    """The p-value of "the true mean is at least `threshold`": small means that the mean is established below it."""
    return p_at_most(-values, -threshold, -ceiling, clusters)


def lower_bound(values: Floats, floor: float, alpha: float, clusters: Integers | None = None) -> float | None:
    """A number that the true mean is below with a chance of at most alpha; None without values."""
    if not len(values):
        return None
    mean = weighed_mean(values, floor, clusters)
    highest = float((mean.tops / mean.bottoms).max())
    return floor if highest <= floor else _crossing(mean, alpha, floor, highest)


def upper_bound(values: Floats, ceiling: float, alpha: float, clusters: Integers | None = None) -> float | None:
    """A number that the true mean is above with a chance of at most alpha; None without values."""
    mirrored = lower_bound(-values, -ceiling, alpha, clusters)
    return None if mirrored is None else -mirrored


def lowest_ratio(
    tops: Floats,
    bottoms: Floats,
    unseen: tuple[float, float],
    alpha: float,
    within: tuple[float, float],
    clusters: Integers | None = None,
) -> float:
    """The ratio r of means at which the p-value of "the mean of top - r * bottom is at most 0" is alpha.

    `unseen` is the top and the bottom that make the ratio least, no bottom is below 0 and one is above it. Where the
    p-value does not cross alpha `within` the two ends, the end that is nearer to it.
    """
    return _crossing(_weighed(tops, bottoms, unseen, clusters), alpha, *within)


def problems_needed(
    values: Floats, threshold: float, floor: float, alpha: float, clusters: Integers | None = None
) -> int | None:
    """About how many problems establish a mean above `threshold` if more of them look like those in `values`.

    The p-value is computed with every value standing for r of its kind, and r is what brings it to alpha. None where
    the observed mean does not lie above the threshold (no number helps) or it would take over `MOST_PROBLEMS`.
    """
    if not len(values) or values.sum() <= threshold * len(values):
        return None
    if threshold <= floor:
        return 1
    most = MOST_PROBLEMS / len(values)
    mean = weighed_mean(values, floor, clusters)
    if mean.p(threshold, most) > alpha:
        return None
    log_ratio = root(
        lambda r: mean.p(threshold, math.exp(r)) - alpha, mean.fewest(threshold, alpha), math.log(most), 1e-9
    )
    return math.ceil(math.exp(log_ratio) * len(values))


@dataclass(frozen=True, slots=True)
class Weighed:
    """Seen units of each kind with their number, and the unseen one; a unit is a top and a bottom.

    For a mean the top is the unit's sum and the bottom its size: that of its cluster, or 1 for a value alone.
    """

    tops: Floats
    bottoms: Floats
    counts: Floats
    unseen: tuple[float, float]

    def p(self, ratio: float, copies: float = 1.0) -> float:
        """The p-value of "the ratio is at most `ratio`", with every seen unit standing for `copies` of its kind."""
        rest = self.unseen[0] - ratio * self.unseen[1]
        return _chance_not_positive(
            np.append(self.tops - ratio * self.bottoms, rest), np.append(copies * self.counts, 1.0)
        )

    def fewest(self, ratio: float, alpha: float) -> float:
        """The logarithm of a number of copies with which the p-value is not below alpha yet.

        Were all N units as good as the best: P(best G_N <= worst E) = (1 + best / worst)^-N.
        """
        best, worst = float((self.tops - ratio * self.bottoms).max()), ratio * self.unseen[1] - self.unseen[0]
        return math.log(-math.log(alpha) / math.log1p(best / worst) / float(self.counts.sum()))


def weighed_mean(values: Floats, floor: float, clusters: Integers | None) -> Weighed:
    """What is drawn, the unseen value being `floor`; its `p` is the p-value of "the true mean is at most that"."""
    if (values < floor - 1e-9).any():
        raise ValueError(f"a value below {floor}, the least that was said to be possible")
    return _weighed(values, np.ones(len(values)), (floor, 1.0), clusters)


def _weighed(tops: Floats, bottoms: Floats, unseen: tuple[float, float], clusters: Integers | None) -> Weighed:
    """What is drawn: clusters, the unseen one as large as the largest, or else each value alone."""
    if np.isnan(tops).any() or np.isnan(bottoms).any():
        raise ValueError("a value is NaN: what can't be computed has no bound")
    largest = 1.0
    if clusters is not None:
        sizes = np.bincount(clusters)
        largest = float(sizes.max())
        tops, bottoms = (np.bincount(clusters, of)[sizes > 0].astype(np.float64) for of in (tops, bottoms))
    kinds, counts = np.unique(tops + 1j * bottoms, return_counts=True)  # pairs sort fast as complex numbers
    return Weighed(kinds.real, kinds.imag, counts.astype(np.float64), (largest * unseen[0], largest * unseen[1]))


def _crossing(weighed: Weighed, alpha: float, low: float, high: float) -> float:
    """Where the p-value, which rises from `low` to `high`, is alpha; the nearer end where it isn't.

    On the probit scale it is nearly a line, since the ratio is nearly normal: a start from there and a few steps do.
    """
    wanted = float(ndtri(alpha))

    @functools.cache
    def excess(ratio: float) -> float:
        return float(ndtri(min(max(weighed.p(ratio), _LEAST_P), 1.0 - _LEAST_REST))) - wanted

    middle, spread = _moments(weighed)
    start = min(max(middle + wanted * spread, low), high)
    at_start = excess(start)
    reach = (abs(at_start) + 0.1) * spread + 1e-12
    while True:
        end = max(start - reach, low) if at_start > 0.0 else min(start + reach, high)
        at_end = excess(end)
        if (at_end > 0.0) != (at_start > 0.0):
            return float(brentq(excess, start, end, xtol=1e-12, rtol=1e-11))
        if end in (low, high):
            return end
        start, at_start, reach = end, at_end, 4.0 * reach


def _moments(weighed: Weighed) -> tuple[float, float]:
    """The ratio with the unseen unit among the others, and its standard error."""
    tops, bottoms = np.append(weighed.tops, weighed.unseen[0]), np.append(weighed.bottoms, weighed.unseen[1])
    counts = np.append(weighed.counts, 1.0)
    whole = float((counts * bottoms).sum())
    ratio = float((counts * tops).sum()) / whole
    return ratio, math.sqrt(float((counts * (tops - ratio * bottoms) ** 2).sum())) / whole


def _chance_not_positive(a: Floats, counts: Floats) -> float:
    """P(S <= 0) for S = sum_j a_j G_j with independent G_j ~ Gamma(counts_j).

    With M(s) = prod (1 - a_j s)^-counts_j it is -1/(2 pi i) times the integral of M(s)/s along any path upwards through
    a c < 0 that leaves the poles of the negative a_j on its left. c is put where |M(s)/s| is least on the real axis and
    the path bends as the steepest descent does: nothing cancels, so the smallest tail keeps its relative precision.
    """
    a = a / max(float(np.abs(a).max()), 1e-300)
    counts, a = counts[np.abs(a) > _TINY], a[np.abs(a) > _TINY]
    if (a < 0.0).all():  # also where nothing is left: S = 0
        return 1.0
    if (a > 0.0).all():
        return 0.0
    if (a * counts).sum() < 0.0:  # S lies mostly below 0: the small tail is the other one
        return 1.0 - _chance_not_positive(-a, counts)
    pole = 1.0 / float(a.min())
    c = pole * float(expit(_saddle(a, counts, pole)))
    height: float = math.exp(-float((counts * np.log1p(-a * c)).sum()))
    tilted = np.append(a / (1.0 - a * c), -1.0 / c)  # the last is the pole of 1/s
    return min(1.0, max(0.0, height * _path_integral(tilted, np.append(counts, 1.0)) / -c))


def _saddle(a: Floats, counts: Floats, pole: float) -> float:
    """The v at which s = pole * expit(v) makes |M(s)/s| least."""
    return root(lambda v: _slope(a, counts, pole * float(expit(v))), math.log(_TINY), 33.0, _SADDLE_PRECISION)


def _slope(a: Floats, counts: Floats, s: float) -> float:
    """The derivative of log|M(s)/s|, which is convex between two poles."""
    return float((counts * a / (1.0 - a * s)).sum()) - 1.0 / s


def _path_integral(x: Floats, counts: Floats) -> float:
    """1/(2 pi i) * the integral of prod (1 - x_j z)^-counts_j upwards through z = 0, where it has its saddle point.

    The path follows the steepest descent to third order. Far from the saddle many small coefficients may outweigh the
    few large ones that bend it there, and the integrand would rise without bound: then the path is bent the other way,
    or less. On the straight one it never rises. The step is halved until the sum stands still.
    """
    width = 1.0 / math.sqrt(float((counts * x**2).sum()))
    steepest = -2.0 / 3.0 * float((counts * (x * width) ** 3).sum())
    for step, share in product(_STEPS, _BENDS):
        sums = _trapezoid(x, counts, width, share * steepest, step)
        if sums is not None and abs(sums[0] - sums[1]) <= _AGREEMENT * abs(sums[0]):
            return sums[0] / math.pi
    raise ArithmeticError(f"no path of an integral converged: x = {x!r}, counts = {counts!r}")


def _trapezoid(x: Floats, counts: Floats, width: float, bend: float, step: float) -> tuple[float, float] | None:
    """The integral by this step and by twice as long a one; None where the integrand rises on the way.

    The path z(u) = width (i sinh u - bend (cosh u - 1)) is a hyperbola that stays clear of the poles, which lie on the
    real axis; the trapezoid rule in u converges geometrically. Once the integrand is negligible the rest of the path is
    left out: from there it might as well go straight up, where the integrand falls further.
    """
    total, even, before, first = 0.5 * width, 0.5 * width, 0.0, 1
    while True:  # one half of the path: the other is its mirror image
        u = step * np.arange(first, first + _NODES_AT_ONCE)
        z = width * (1j * np.sinh(u) - bend * (np.cosh(u) - 1.0))
        direction = width * (np.cosh(u) + 1j * bend * np.sinh(u))  # z'(u) / i
        real, imaginary = 1.0 - np.outer(z.real, x), np.outer(-z.imag, x)  # apart: four times as fast as complex logs
        falls = 0.5 * (np.log(real**2 + imaginary**2) @ counts)  # by how much, on a logarithmic scale
        terms = np.exp(np.minimum(-falls, 0.0) - 1j * (np.arctan2(imaginary, real) @ counts)) * direction
        sums = total + np.cumsum(terms.real)
        rises = np.diff(falls, prepend=before) < -_ROUNDING
        ends = rises | (np.abs(terms) < _NEGLIGIBLE * np.abs(sums))
        end = int(ends.argmax()) if ends.any() else _NODES_AT_ONCE - 1
        even += float(terms.real[1 : end + 1 : 2].sum())
        if rises[end]:
            return None
        if ends[end]:
            return float(sums[end]) * step, 2.0 * even * step
        total, before, first = float(sums[end]), float(falls[end]), first + _NODES_AT_ONCE


def root(function: Callable[[float], float], low: float, high: float, precision: float = 1e-12) -> float:
    """Where an increasing or decreasing function crosses 0; the end that is nearer to it where it does not."""
    at_low, at_high = function(low), function(high)
    if (at_low > 0.0) == (at_high > 0.0):
        return low if abs(at_low) < abs(at_high) else high
    return float(brentq(function, low, high, xtol=precision, rtol=10.0 * precision))
