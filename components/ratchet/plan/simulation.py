"""One simulated comparison: attempts of a candidate and of its references, and the gate's own tests on them."""

import functools
from dataclasses import dataclass

import numpy as np

from ratchet.evaluate.measures import Booleans, measure
from ratchet.evaluate.suite import Attempts, Suite
from ratchet.gate.policy import Axis
from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers, ProblemCounts
from ratchet.metrics.harm import p_of_harm
from ratchet.metrics.paired import Change
from ratchet.plan.change import Move, rates_after
from ratchet.plan.population import Drawn, drawn
from ratchet.plan.setting import Setting


@dataclass(frozen=True, slots=True)
class Counts:
    """Right attempts of each drawn problem: the candidate's, and each reference's with even and with odd numbers."""

    problems: Drawn
    mine: Integers
    theirs: dict[str, tuple[Integers, Integers]]
    heads: Booleans
    """Which half of the base's attempts stands for the candidate's, where attempts are resampled."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All suites of one simulated gate; `attempts` a problem on every side."""

    setting: Setting
    attempts: int
    suites: dict[str, Counts]


def simulated(setting: Setting, moves: dict[str, Move], problems: int, attempts: int, repeat: int) -> Comparison:
    """Comparison number `repeat`; with fewer problems the drawn ones are the first of these (common random numbers)."""
    suites = {
        name: _counts(
            setting, moves[name], name, problems, attempts, np.random.default_rng([setting.seed, place, repeat])
        )
        for place, name in enumerate(setting.policy.suites.names)
    }
    return Comparison(setting, attempts, suites)


def _counts(setting: Setting, move: Move, suite: str, problems: int, attempts: int, rng: np.random.Generator) -> Counts:
    population = setting.populations[suite]
    chosen, moving, mine, coins, *others = rng.spawn(4 + len(setting.references))
    found = drawn(population, problems, chosen)
    rates = population.pool[found.positions]
    even, odd = attempts - attempts // 2, attempts // 2
    return Counts(
        problems=found,
        mine=mine.binomial(attempts, rates_after(move, population, found, moving)),
        theirs={
            name: (other.binomial(even, rates), other.binomial(odd, rates))
            for name, other in zip(setting.references, others, strict=True)
        },
        heads=coins.random(problems) < 0.5,
    )


@functools.cache
def value_table(name: str, attempts: int) -> Floats:
    """What a measure makes of 0, 1, ... right ones among so many attempts at a problem."""
    count = attempts + 1
    none, nothing = np.zeros(count, dtype=np.int64), (None,) * count
    graded = np.full(count, attempts)
    counts = ProblemCounts(tuple(map(str, range(count))), nothing, nothing, np.arange(count), graded, none, none)
    empty = Attempts(none[:0], np.empty(0), none[:0], np.empty(0))
    found = measure(name)
    assert found is not None, f"no measure is named {name}"
    return found.values(Suite("", counts, empty, ((),) * count))


def thresholds(axis: Axis) -> tuple[bool, float]:
    """Whether a rise is harm, and the change that the axis is held against."""
    return axis.max_rise is not None, axis.margin if axis.max_rise is not None else -axis.margin


def p_within(axis: Axis, change: Change) -> float:
    """The p-value of "harm beyond the margin, or no gain where there must be one"."""
    rising, threshold = thresholds(axis)
    excludes = change.p_at_least if rising else change.p_at_most
    return max(excludes(threshold), excludes(0.0)) if axis.must_improve else excludes(threshold)


def p_harm(axis: Axis, change: Change) -> float:
    """The p-value of "no harm beyond the margin"."""
    rising, threshold = thresholds(axis)
    return p_of_harm(change, threshold, rising)
