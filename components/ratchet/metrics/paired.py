"""The change of a number between two profiles of the same problems, with what can be said of the true change."""

from dataclasses import dataclass
from typing import Protocol

from ratchet.metrics.bounds import (
    Floats,
    lower_bound,
    lowest_ratio,
    p_at_least,
    p_at_most,
    problems_needed,
    upper_bound,
)
from ratchet.metrics.counts import Integers

HIGHEST_RATIO = 1000.0  # no upper bound of a relative change looks further than this


class Change(Protocol):
    """A change, one-sided bounds on the true one and p-values of hypotheses about it."""

    @property
    def value(self) -> float:
        """The change that was observed."""

    def lower(self, alpha: float) -> float:
        """A number that the true change is below with a chance of at most alpha."""

    def upper(self, alpha: float) -> float:
        """A number that the true change is above with a chance of at most alpha."""

    def p_at_most(self, threshold: float) -> float:
        """The p-value of "the true change is at most `threshold`": small means that it is established above it."""

    def p_at_least(self, threshold: float) -> float:
        """The p-value of "the true change is at least `threshold`": small means that it is established below it."""


@dataclass(frozen=True, slots=True)
class PairedMean:
    """The mean of the problems' own changes, each between `lowest` and `highest`; Gaffke's bound (`bounds`).

    `values` holds one number at least and no NaN; problems that share a number in `clusters` are one observation.
    """

    values: Floats
    lowest: float = -1.0
    highest: float = 1.0
    clusters: Integers | None = None

    @property
    def value(self) -> float:
        """The change that was observed."""
        return float(self.values.mean())

    def lower(self, alpha: float) -> float:
        """A number that the true change is below with a chance of at most alpha."""
        return _known(lower_bound(self.values, self.lowest, alpha, self.clusters))

    def upper(self, alpha: float) -> float:
        """A number that the true change is above with a chance of at most alpha."""
        return _known(upper_bound(self.values, self.highest, alpha, self.clusters))

    def p_at_most(self, threshold: float) -> float:
        """The p-value of "the true change is at most `threshold`"."""
        return _known(p_at_most(self.values, threshold, self.lowest, self.clusters))

    def p_at_least(self, threshold: float) -> float:
        """The p-value of "the true change is at least `threshold`"."""
        return _known(p_at_least(self.values, threshold, self.highest, self.clusters))

    def problems_needed(self, threshold: float, alpha: float) -> int | None:
        """About how many problems like these establish a change above `threshold`; None where no number would."""
        return problems_needed(self.values, threshold, self.lowest, alpha, self.clusters)


@dataclass(frozen=True, slots=True)
class RelativeMean:
    """The relative change mean(mine) / mean(theirs) - 1 of values between 0 and 1 of the same problems.

    It is at most t exactly where the mean of mine - (1 + t) * theirs is at most 0, which is tested as `PairedMean`
    tests it; a bound is the t at which that test's p-value is alpha. The mean of `theirs` is above 0.
    """

    mine: Floats
    theirs: Floats
    clusters: Integers | None = None

    @property
    def value(self) -> float:
        """The relative change that was observed."""
        return float(self.mine.mean() / self.theirs.mean()) - 1.0

    def lower(self, alpha: float) -> float:
        """A number that the true relative change is below with a chance of at most alpha."""
        within = (0.0, max(self.value + 1.0, 0.0))
        return lowest_ratio(self.mine, self.theirs, (0.0, 1.0), alpha, within, self.clusters) - 1.0

    def upper(self, alpha: float) -> float:
        """A number that the true relative change is above with a chance of at most alpha; `HIGHEST_RATIO` at most."""
        within = (-1.0 - HIGHEST_RATIO, -1.0 - self.value)
        return -lowest_ratio(-self.mine, self.theirs, (-1.0, 0.0), alpha, within, self.clusters) - 1.0

    def p_at_most(self, threshold: float) -> float:
        """The p-value of "the true relative change is at most `threshold`"."""
        return self._beside(threshold).p_at_most(0.0)

    def p_at_least(self, threshold: float) -> float:
        """The p-value of "the true relative change is at least `threshold`"."""
        return self._beside(threshold).p_at_least(0.0)

    def problems_needed(self, threshold: float, alpha: float) -> int | None:
        """About how many problems like these establish a relative change above `threshold`; None where none would."""
        return self._beside(threshold).problems_needed(0.0, alpha)

    def _beside(self, threshold: float) -> PairedMean:
        weight = 1.0 + threshold
        return PairedMean(self.mine - weight * self.theirs, -weight, 1.0, self.clusters)


def _known(number: float | None) -> float:
    assert number is not None, "a change has one problem at least"
    return number
