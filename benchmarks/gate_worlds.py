"""The worlds of `benchmarks/gate_guarantees.py`: populations of problems whose true change on every axis is known.

A world is a list of kinds of problem, each with a weight, its rate before and its rate after, so that the true change
of pass@1, of pass@16 and of what is retained are sums. How much is lost is solved for: the change is then exactly the
margin on the axes that were named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from ratchet.evaluate.suite import Suite
from ratchet.gate.evidence import Evidence
from ratchet.metrics.counts import ProblemCounts

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MARGINS = {"pass@1": 0.02, "pass@16": 0.03, "retained": 0.03}
RELIABLE, K, TYPES = 0.75, 16, 400
SKEWED, SHARE_OF_LARGE = (1, 20), 0.1  # sizes of clusters: one in ten is large


@dataclass(frozen=True, eq=False)
class Difficulty:
    """Rates of problems before, each with its weight."""

    name: str
    rates: Floats
    weights: Floats


def _grid(name: str, quantiles: Any, never: float = 0.0) -> Difficulty:
    rates = quantiles((np.arange(TYPES) + 0.5) / TYPES)
    weights = np.full(TYPES, (1 - never) / TYPES)
    return (
        Difficulty(name, np.append(rates, 0.0), np.append(weights, never))
        if never
        else Difficulty(name, rates, weights)
    )


NOISE = _grid("uniform from .1 to .9", lambda u: 0.1 + 0.8 * u)
FLAT = _grid("uniform", lambda u: u)
BETA = _grid("Beta(.5, .5)", stats.beta(0.5, 0.5).ppf)
NEVER = _grid("Beta(.5, .5), 30 % never solved", stats.beta(0.5, 0.5).ppf, never=0.3)
# most problems are always or never solved, so that little but the losses varies
STEADY = Difficulty("steady", np.array([0.0, 0.1, 0.5, 1.0]), np.array([0.25, 0.1, 0.05, 0.6]))
NEARLY = Difficulty("nearly steady", np.array([0.0, 0.1, 0.5, 0.95]), np.array([0.15, 0.1, 0.05, 0.7]))


@dataclass(frozen=True, eq=False)
class Population:
    """Kinds of problem: weights that sum to 1, rates before and after."""

    weights: Floats
    before: Floats
    after: Floats

    def truth(self, axis: str, attempts: int) -> float:
        """The true change of an axis; of `retained` it depends on the attempts by which reliability is judged."""
        if axis == "pass@1":
            return float(self.weights @ (self.after - self.before))
        if axis == "pass@16":
            return float(self.weights @ ((1 - self.before) ** K - (1 - self.after) ** K))
        half = attempts // 2
        chosen = self.weights * stats.binom.sf(np.ceil(RELIABLE * half) - 1, half, self.before)
        return float(chosen @ (self.after - self.before) / chosen.sum())


def falling(difficulty: Difficulty, loss: Floats) -> Population:
    """Every rate falls by its share `loss`."""
    return Population(difficulty.weights, difficulty.rates, difficulty.rates * (1 - loss))


def lost(difficulty: Difficulty, loss: Floats, gain: float = 0.0) -> Population:
    """A problem is lost outright with chance `loss`; another's rate p grows by gain * p * (1 - p)."""
    rates = difficulty.rates
    return Population(
        np.concatenate([difficulty.weights * (1 - loss), difficulty.weights * loss]),
        np.concatenate([rates, rates]),
        np.concatenate([rates + gain * rates * (1 - rates), np.zeros(len(rates))]),
    )


def lost_among_gains(difficulty: Difficulty, loss: Floats) -> Population:
    """As `lost`, while all others gain a little."""
    return lost(difficulty, loss, gain=0.1)


def shifted(difficulty: Difficulty, change: float) -> Population:
    """Every rate p moves by c * p * (1 - p), with the c that changes pass@1 by `change`."""
    spread = difficulty.rates * (1 - difficulty.rates)
    c = change / float(difficulty.weights @ spread)
    return Population(difficulty.weights, difficulty.rates, difficulty.rates + c * spread)


def churned(difficulty: Difficulty, share: float) -> Population:
    """The rates of a share of the problems are dealt out anew: pass@1 and pass@16 stay, problems move both ways.

    Rates are dealt in pairs, the easiest for the hardest and so on: a problem gets the rate at the mirrored rank.
    """
    order = np.argsort(difficulty.rates, kind="stable")
    rates = difficulty.rates[order]
    weights = difficulty.weights[order]
    assert np.allclose(weights, weights[::-1]), "dealing in pairs needs equal weights"
    return Population(
        np.concatenate([weights * (1 - share), weights * share]),
        np.concatenate([rates, rates]),
        np.concatenate([rates, rates[::-1]]),
    )


@cache
def at_margins(style: Any, difficulty: Difficulty, axes: tuple[str, ...], attempts: int) -> Population:
    """A world that lies exactly at the margin on these axes, and within it on the others that can be measured."""
    rates = difficulty.rates
    # what is lost where: chosen so that one axis lies at its margin while the others stay within theirs
    slope, power = {"steady": (0.7, 2), "nearly steady": (0.0, 2)}.get(difficulty.name, (1.0, 8))
    weights = {
        "pass@1": 1 - slope * rates,
        "pass@16": (1 - rates) ** power,
        "retained": rates**4,
    }
    shape = np.array([weights[axis] for axis in axes])

    def excess(theta: Floats) -> list[float]:
        world = style(difficulty, np.clip(theta @ shape, 0.0, 1.0))
        return [world.truth(axis, attempts) + MARGINS[axis] for axis in axes]

    theta = optimize.root(excess, np.full(len(axes), 0.03)).x
    assert np.abs(excess(theta)).max() < 1e-9, (style, difficulty.name, axes, attempts, theta)
    loss = theta @ shape
    assert loss.min() >= 0.0 and loss.max() <= 1.0, (difficulty.name, axes, attempts, theta)
    world: Population = style(difficulty, loss)
    for axis in measured(attempts):
        assert world.truth(axis, attempts) >= -MARGINS[axis] - 1e-9, (difficulty.name, axes, axis)
    return world


def measured(attempts: int) -> tuple[str, ...]:
    """The axes that so many attempts allow."""
    return tuple(MARGINS) if attempts >= K else ("pass@1",)


@dataclass(frozen=True)
class Drawn:
    """Problems from a population: their rates before and after, and the cluster of each, if they have any."""

    before: Floats
    after: Floats
    clusters: tuple[str | None, ...]


def draw(rng: np.random.Generator, world: Population, n: int, clusters: str = "alone") -> Drawn:
    """About n problems: `alone`, in `fives`, or in clusters of `skewed` size; a cluster is of one kind."""
    if clusters == "alone":
        sizes = np.ones(n, dtype=np.int64)
    elif clusters == "fives":
        sizes = np.full(n // 5, 5)
    else:
        small, large = SKEWED
        number = round(n / (small + SHARE_OF_LARGE * (large - small)))
        sizes = np.where(rng.random(number) < SHARE_OF_LARGE, large, small)
    kind = np.repeat(rng.choice(len(world.weights), len(sizes), p=world.weights / world.weights.sum()), sizes)
    names = (
        _names("", len(kind)) if clusters == "alone" else tuple(f"c{i}" for i in np.repeat(range(len(sizes)), sizes))
    )
    return Drawn(world.before[kind], world.after[kind], (None,) * len(kind) if clusters == "alone" else names)


@cache
def _names(prefix: str, n: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{i}" for i in range(n))


def side(rng: np.random.Generator, name: str, rates: Floats, attempts: int, drawn: Drawn) -> Evidence:
    """Evidence of one side in memory: attempts drawn from the rates, with even and odd ones apart."""
    odd = attempts // 2
    halves = [rng.binomial(number, rates) for number in (attempts - odd, odd)]
    even_suite, odd_suite, whole = (
        _suite(correct, number, drawn.clusters)
        for correct, number in ((halves[0], attempts - odd), (halves[1], odd), (halves[0] + halves[1], attempts))
    )
    unread: Any = SimpleNamespace(checkpoint=name)
    return Evidence(name, Path(), unread, name, name, unread, unread, whole, even=even_suite, odd=odd_suite)


def _suite(correct: Integers, attempts: int, clusters: tuple[str | None, ...]) -> dict[str, Suite]:
    n, none = len(correct), np.zeros(len(correct), dtype=np.int64)
    nobody = (None,) * n
    counts = ProblemCounts(_names("p", n), clusters, nobody, correct, np.full(n, attempts), none, none)
    no_attempts: Any = None  # no axis of these policies looks at single attempts
    return {"main": Suite("main", counts, no_attempts, ((),) * n)}


def naive_best(history: Sequence[Evidence]) -> Evidence:
    """The round with the highest pass@1, chosen and compared by the same attempts: what the gate does not do."""
    scores = [float(past.suites["main"].share.mean()) for past in history]
    return replace(history[int(np.argmax(scores))], name="best")
