"""What the gate decides in simulated comparisons, how often, and what is true of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binom

from ratchet.gate.axes import RELIABLE
from ratchet.gate.policy import Axis
from ratchet.gate.verdict import Decision
from ratchet.metrics.bounds import Floats
from ratchet.plan.change import Move, moved, rates_after
from ratchet.plan.changes import change
from ratchet.plan.population import Drawn
from ratchet.plan.setting import Setting, from_counts
from ratchet.plan.simulation import Comparison, p_harm, p_within, simulated, thresholds, value_table

_RATES = np.linspace(0.0, 1.0, 1001)  # at which a measure's mean is worked out; between them it is nearly a line
_SEED = 20_26_11
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Truth:
    """The candidate that is simulated: its change of pass@1, and the churn of its problems."""

    change: float = 0.0
    churn: float = 0.0


@dataclass(slots=True)
class Simulator:
    """Simulated gates on one setting; what makes a candidate of a reference is worked out once."""

    setting: Setting
    moves: dict[Truth, dict[str, Move]] = field(default_factory=dict)

    def comparison(self, truth: Truth, problems: int, attempts: int, repeat: int) -> Comparison:
        """Comparison number `repeat` with a candidate of this kind."""
        return simulated(self.setting, self.move(truth), problems, attempts, repeat)

    def move(self, truth: Truth) -> dict[str, Move]:
        """What makes such a candidate of a reference, by suite."""
        if truth not in self.moves:
            found = {id(p): p for p in self.setting.populations.values()}
            made = {key: moved(p, truth.change, truth.churn) for key, p in found.items()}
            self.moves[truth] = {name: made[id(p)] for name, p in self.setting.populations.items()}
        return self.moves[truth]


def promoted(comparison: Comparison) -> bool:
    """Whether the gate promotes: harm excluded on every critical pair, and established on no supporting one."""
    alpha = comparison.setting.alpha
    for name, axis, reference in _pairs(comparison, "critical"):
        found = change(comparison, name, reference)
        if found is None or p_within(axis, found) > alpha:
            return False
    for name, axis, reference in _pairs(comparison, "supporting"):
        found = change(comparison, name, reference)
        if found is not None and p_harm(axis, found) <= alpha:
            return False
    return True


def blocked(comparison: Comparison) -> bool:
    """Whether the gate blocks: Holm's correction rejects something exactly where it rejects the smallest p-value."""
    level = comparison.setting.alpha / comparison.setting.critical_pairs
    for name, axis, reference in _pairs(comparison, "critical"):
        found = change(comparison, name, reference)
        if found is not None and p_harm(axis, found) <= level:
            return True
    return False


def decision(comparison: Comparison) -> Decision:
    """The verdict of the gate; no pair has harm excluded and established at once, so the order makes no difference."""
    if promoted(comparison):
        return "PROMOTE"
    return "BLOCK" if blocked(comparison) else "INCONCLUSIVE"


def open_pairs(comparison: Comparison) -> list[tuple[str, str]]:
    """The critical pairs on which harm is not excluded."""
    found = [(name, r, axis, change(comparison, name, r)) for name, axis, r in _pairs(comparison, "critical")]
    alpha = comparison.setting.alpha
    return [(name, r) for name, r, axis, one in found if one is None or p_within(axis, one) > alpha]


def true_changes(simulator: Simulator, truth: Truth, attempts: int) -> dict[str, float]:
    """What is true of such a candidate, by axis, as far as it follows from the rates.

    Each axis is what it would be with endless problems and so many attempts at each. Axes of texts, answers and
    confidences, which are resampled, do not change.
    """
    setting = simulator.setting
    rates: dict[str, tuple[Floats, Floats, np.ndarray]] = {}
    for place, (suite, population) in enumerate(setting.populations.items()):
        rows = np.repeat(np.arange(len(population.positions)), population.positions.shape[1])
        every = Drawn(rows, population.positions.ravel(), None)
        after = rates_after(simulator.move(truth)[suite], population, every, np.random.default_rng([_SEED, place]))
        rates[suite] = population.pool[every.positions], after, rows
    known = {n: _true_change(setting, n, *rates[setting.policy.measured(n).suite], attempts) for n in setting.axes}
    return {name: value for name, value in known.items() if value is not None}


def never_promoted(simulator: Simulator, truth: Truth, attempts: int) -> str | None:
    """Why no number of problems would have such a candidate promoted; None where one would."""
    for name, value in true_changes(simulator, truth, attempts).items():
        axis = simulator.setting.policy.axes[name]
        rising, threshold = thresholds(axis)
        harm = value if rising else -value
        if axis.tier == "critical" and harm >= abs(threshold) - _EXACT:
            return f"{name} truly changes by {value:+.3f}, which is not within its margin of {axis.margin:g}"
        if axis.tier == "supporting" and harm > abs(threshold) + _EXACT:
            return f"{name} truly changes by {value:+.3f}, beyond its margin of {axis.margin:g}"
        if axis.must_improve and harm >= -_EXACT:
            return f"{name} must improve, and truly changes by {value:+.3f}; plan with a --change above 0"
    return None


def _pairs(comparison: Comparison, tier: str) -> Iterator[tuple[str, Axis, str]]:
    setting = comparison.setting
    for name, axis in setting.axes.items():
        if axis.tier == tier:
            yield from ((name, axis, reference) for reference in setting.references)


def _true_change(
    setting: Setting, name: str, before: Floats, after: Floats, rows: np.ndarray, attempts: int
) -> float | None:
    what, axis = setting.policy.measured(name), setting.policy.axes[name]
    population = setting.populations[what.suite]
    if what.measure == "retained":
        judged = attempts - attempts // 2
        weight = binom.sf(math.ceil((axis.reliable or RELIABLE) * judged - _EXACT) - 1, judged, before)
        return float(weight @ (after - before) / weight.sum()) if weight.any() else None
    if what.measure == "disparity" and population.ends is not None:
        ends = population.ends[rows]
        first, last = ends == 0, ends == 1
        return float(before[last].mean() / before[first].mean() - after[last].mean() / after[first].mean())
    if what.measure == "concepts.fringe" and population.fringe is not None:
        touching = population.fringe[rows] > 0
        return float((after - before)[touching].mean())
    if not from_counts(what.measure):
        return 0.0
    was, now = (expected(what.measure, side, attempts).mean() for side in (before, after))
    return float(now / was - 1.0) if axis.max_relative_drop is not None and was > 0.0 else float(now - was)


def expected(name: str, rates: Floats, attempts: int) -> Floats:
    """What a measure is on average for problems with these rates, so many attempts being made at each."""
    table = value_table(name, attempts)
    means = binom.pmf(np.arange(attempts + 1), attempts, _RATES[:, None]) @ table
    found: Floats = np.interp(rates, _RATES, means)
    return found
