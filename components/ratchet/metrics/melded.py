"""Bounds and p-values for functions of several means: each mean is drawn from what its own bound knows, then combined.

Gaffke's lower bound of a mean (`ratchet.metrics.bounds`) is a quantile of its weighted means: the values that were seen
and one unseen at the worst end, with weights from a flat Dirichlet distribution. Fay, Proschan and Brittain (2015)
*meld* such one-sample procedures: a bound for a function that rises in one mean and falls in another is the quantile of
the function of draws from the first mean's lower side and from the second one's upper side. Means of the same problems
share their weights, so that what is paired stays paired. The draws are many and their seed is fixed: the same data give
the same bounds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers

DRAWS = 10_000
SEED = 20_26_11
_DRAWS_AT_ONCE = 2_000_000  # numbers: what is held in memory while drawing


@dataclass(frozen=True, slots=True)
class Sampled:
    """Problems that were sampled together: a column of values between 0 and 1 for each mean over them.

    `rises[j]` says whether the function that is bounded rises with the mean of column j, else it falls.
    """

    values: Floats
    rises: tuple[bool, ...]
    clusters: Integers | None = None


@dataclass(frozen=True, slots=True)
class Melded:
    """A function of means: its estimate, and draws that lie low and high enough for bounds at either side."""

    value: float
    lows: Floats
    highs: Floats

    def lower(self, alpha: float) -> float:
        """A number that the true value is below with a chance of about alpha at most."""
        return float(np.quantile(self.lows, alpha))

    def upper(self, alpha: float) -> float:
        """A number that the true value is above with a chance of about alpha at most."""
        return float(np.quantile(self.highs, 1.0 - alpha))

    def p_at_most(self, threshold: float) -> float:
        """The p-value of "the true value is at most `threshold`": small means that it is established above it."""
        return (1.0 + float((self.lows <= threshold).sum())) / (1.0 + len(self.lows))

    def p_at_least(self, threshold: float) -> float:
        """The p-value of "the true value is at least `threshold`": small means that it is established below it."""
        return (1.0 + float((self.highs >= threshold).sum())) / (1.0 + len(self.highs))


def meld(samples: Sequence[Sampled], function: Callable[[Floats], Floats], draws: int = DRAWS) -> Melded:
    """What is known of `function(means)`, the means being those of all columns of all samples, in order.

    `function` takes an array of rows of means and gives a number for each row. Samples are independent of each other.
    """
    observed = np.concatenate([sample.values.mean(axis=0) for sample in samples])
    rng = np.random.default_rng(SEED)
    pairs = [_means(sample, draws, rng) for sample in samples]
    lows, highs = (np.concatenate([pair[side] for pair in pairs], axis=1) for side in (0, 1))
    return Melded(float(function(observed[None, :])[0]), function(lows), function(highs))


def _means(sample: Sampled, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Weighted means of the columns with the unseen unit where it makes the function least, and greatest."""
    rows, sizes = _units(sample)
    kinds, counts = np.unique(np.column_stack([rows, sizes]), axis=0, return_counts=True)
    largest, worst = float(sizes.max()), np.array(sample.rises, dtype=np.float64)
    lows, highs = np.empty((draws, len(worst))), np.empty((draws, len(worst)))
    step = max(1, _DRAWS_AT_ONCE // len(kinds))
    for start in range(0, draws, step):
        chosen = slice(start, min(start + step, draws))
        shape = (chosen.stop - start, len(kinds))
        seen = rng.standard_gamma(np.broadcast_to(counts.astype(np.float64), shape))
        unseen = rng.standard_exponential((shape[0], 1))
        sums, weight = seen @ kinds[:, :-1], (seen @ kinds[:, -1:]) + unseen * largest
        lows[chosen] = (sums + unseen * largest * (1.0 - worst)) / weight
        highs[chosen] = (sums + unseen * largest * worst) / weight
    return lows, highs


def _units(sample: Sampled) -> tuple[Floats, Floats]:
    """Sums of the columns and size of each unit that was drawn: of each cluster, or of each problem alone."""
    if sample.clusters is None:
        return sample.values, np.ones(len(sample.values))
    sizes = np.bincount(sample.clusters).astype(np.float64)
    sums: Floats = np.column_stack([np.bincount(sample.clusters, weights=c) for c in sample.values.T])
    return sums[sizes > 0].astype(np.float64), sizes[sizes > 0]
