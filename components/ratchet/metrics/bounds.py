"""Bounds and p-values for the mean of bounded values that hold where t and bootstrap intervals collapse.

Gaffke's bound (Gaffke 2005; Learned-Miller & Thomas 2020): beside the n values that were seen stands one that was not,
at the worst end of the range, and all n + 1 get random weights W ~ Dirichlet(1, ..., 1). The lower bound at level alpha
is the alpha-quantile of sum W_i x_i, the p-value of "the mean is at most m" is P(sum W_i x_i <= m). For 0/1 values this
is Clopper-Pearson, with no loss seen in n it leaves about 3/n, and in large samples it is as tight as a t bound. That
it holds is proved for 0/1 values and conjectured for others, where no counterexample is known (`docs/gate.md`).

Dirichlet weights are exponential variables over their sum, so P(sum W_i x_i <= m) = P(sum E_i (x_i - m) <= 0), which is
computed exactly (`_chance_not_positive`), without drawing anything.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from ratchet.metrics.counts import Integers

Floats = NDArray[np.float64]
MOST_PROBLEMS = 10_000_000  # no estimate of the problems needed looks further than this
_NEGLIGIBLE = 1e-13  # of the sum, below which the rest of an integral is left out
_TINY = 1e-100  # beside the largest coefficient of a sum: left out
_STEP = 0.2  # the integral's error is about e^(-6 / step), relative


def p_at_most(values: Floats, threshold: float, floor: float, clusters: Integers | None = None) -> float | None:
    """The p-value of "the true mean is at most `threshold`": small means that the mean is established above it.

    `floor` is the least value possible. Values that share a number in `clusters` rise or fall together, and the cluster
    is what was drawn: its sum is one observation, and the one unseen cluster is as large as the largest seen (were it
    of mean size, many candidates that lose large clusters would pass). None without values.
    """
    sums, sizes = _units(values, clusters)
    return None if not len(sums) else _p(sums, sizes, threshold, floor)


def p_at_least(values: Floats, threshold: float, ceiling: float, clusters: Integers | None = None) -> float | None:
    """The p-value of "the true mean is at least `threshold`": small means that the mean is established below it."""
    return p_at_most(-values, -threshold, -ceiling, clusters)


def lower_bound(values: Floats, floor: float, alpha: float, clusters: Integers | None = None) -> float | None:
    """A number that the true mean is below with a chance of at most alpha; None without values."""
    sums, sizes = _units(values, clusters)
    if not len(sums):
        return None
    highest = float((sums / sizes).max())
    if highest <= floor:
        return floor
    return root(lambda m: _p(sums, sizes, m, floor) - alpha, floor, highest)


def upper_bound(values: Floats, ceiling: float, alpha: float, clusters: Integers | None = None) -> float | None:
    """A number that the true mean is above with a chance of at most alpha; None without values."""
    mirrored = lower_bound(-values, -ceiling, alpha, clusters)
    return None if mirrored is None else -mirrored


def problems_needed(
    values: Floats, threshold: float, floor: float, alpha: float, clusters: Integers | None = None
) -> int | None:
    """About how many problems establish a mean above `threshold` if more of them look like those in `values`.

    The p-value is computed with every value standing for r of its kind, and r is what brings it to alpha. None where
    the observed mean does not lie above the threshold (no number helps) or it would take over `MOST_PROBLEMS`.
    """
    sums, sizes = _units(values, clusters)
    most = MOST_PROBLEMS / max(len(values), 1)
    if not len(sums) or sums.sum() <= threshold * sizes.sum() or _p(sums, sizes, threshold, floor, most) > alpha:
        return None
    log_ratio = root(lambda r: _p(sums, sizes, threshold, floor, math.exp(r)) - alpha, -20.0, math.log(most))
    return math.ceil(math.exp(log_ratio) * len(values))


def _units(values: Floats, clusters: Integers | None) -> tuple[Floats, Floats]:
    """The sum and the size of each unit that was drawn: of each cluster, or of each value alone."""
    if np.isnan(values).any():
        raise ValueError("a value is NaN: what can't be computed has no bound")
    if clusters is None:
        return values.astype(np.float64), np.ones(len(values))
    sizes = np.bincount(clusters).astype(np.float64)
    sums = np.bincount(clusters, weights=values).astype(np.float64)
    return sums[sizes > 0], sizes[sizes > 0]


def _p(sums: Floats, sizes: Floats, threshold: float, floor: float, copies: float = 1.0) -> float:
    if floor > (sums / sizes).min() + 1e-9:
        raise ValueError(f"a value below {floor}, the least that was said to be possible")
    seen, counts = np.unique(sums - threshold * sizes, return_counts=True)
    unseen = sizes.max() * (floor - threshold)
    return _chance_not_positive(np.append(seen, unseen), np.append(copies * counts, 1.0))


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
    c = pole * float(expit(root(lambda v: _slope(a, counts, pole * expit(v)), math.log(_TINY), 33.0)))
    height: float = math.exp(-float((counts * np.log1p(-a * c)).sum()))
    tilted = np.append(a / (1.0 - a * c), -1.0 / c)  # the last is the pole of 1/s
    return min(1.0, max(0.0, height * _path_integral(tilted, np.append(counts, 1.0)) / -c))


def _slope(a: Floats, counts: Floats, s: float) -> float:
    """The derivative of log|M(s)/s|, which is convex between two poles."""
    return float((counts * a / (1.0 - a * s)).sum()) - 1.0 / s


def _path_integral(x: Floats, counts: Floats) -> float:
    """1/(2 pi i) * the integral of prod (1 - x_j z)^-counts_j upwards through z = 0, where it has its saddle point.

    The path z(u) = width (i sinh u - bend (cosh u - 1)) is a hyperbola that follows the steepest descent to third order
    and stays clear of the poles, which lie on the real axis; the trapezoid rule in u converges geometrically.
    """
    width = 1.0 / math.sqrt(float((counts * x**2).sum()))
    bend = -2.0 / 3.0 * float((counts * (x * width) ** 3).sum())
    total, u = 0.5 * width, _STEP
    while True:  # one half of the path: the other is its mirror image
        z = width * (1j * math.sinh(u) - bend * (math.cosh(u) - 1.0))
        direction = width * (math.cosh(u) + 1j * bend * math.sinh(u))  # z'(u) / i
        term = np.exp(-(counts * np.log(1.0 - x * z)).sum()) * direction
        total += float(term.real)
        if abs(term) < _NEGLIGIBLE * abs(total):
            return total * _STEP / math.pi
        u += _STEP


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing or decreasing function crosses 0; the end that is nearer to it where it does not."""
    at_low, at_high = function(low), function(high)
    if (at_low > 0.0) == (at_high > 0.0):
        return low if abs(at_low) < abs(at_high) else high
    return float(brentq(function, low, high, xtol=1e-12, rtol=1e-11))
