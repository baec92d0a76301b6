"""Whole decisions of `benchmarks/gate_guarantees.py`: the gate's own rule, with its own p-values or a peer's.

The gate's `judge_axes` and its decision are run as they are. Only the object that a pair is tested by is exchanged: for
Ratchet by one that leaves out what no decision rests on (bounds, problems needed), for a peer by its own p-values.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from gate_worlds import MARGINS, Drawn, Integers, Population, draw, measured, naive_best, side
from scipy.special import stdtr

from ratchet.gate import axes
from ratchet.gate.axes import judge_axes
from ratchet.gate.case import Case, _merged, choose_best
from ratchet.gate.decide import _decision
from ratchet.gate.evidence import Evidence
from ratchet.gate.policy import Policy
from ratchet.gate.verdict import AxisResult
from ratchet.metrics.bounds import Floats
from ratchet.metrics.harm import p_of_harm
from ratchet.metrics.paired import PairedMean

RESAMPLES, ROUNDS_BEFORE = 400, 4
_PAIR = axes._pair
Results = tuple[AxisResult, ...]


class Tested:
    """A paired change without bounds; a peer overrides the p-values."""

    def __init__(self, change: PairedMean, seed: int = 0):
        self.change, self.seed = change, seed

    @property
    def value(self) -> float:
        """The change that was observed."""
        return self.change.value

    def lower(self, alpha: float) -> float:
        """Not computed: no decision rests on it."""
        return float("nan")

    upper = lower

    def p_at_most(self, threshold: float) -> float:
        """The gate's p-value, or 1 where the observed change isn't above the threshold.

        There it is at least 1/e, which decides nothing: a weighted sum of exponential variables has a log-concave
        density and lies below its mean with a chance of at least 1/e (Gruenbaum 1960).
        """
        return self.change.p_at_most(threshold) if self.value > threshold else 1.0

    def p_at_least(self, threshold: float) -> float:
        """The p-value of no harm: every axis of these policies is a drop, and a drop is established by nothing else."""
        return p_of_harm(self.change, threshold, rising=False) if self.value < threshold else 1.0


class ByT(Tested):
    """The paired t test, a problem being the unit."""

    def p_at_most(self, threshold: float) -> float:
        """P(T >= t); where nothing varies the interval is a point."""
        units = self.units(threshold)
        spread = units.std(ddof=1) / np.sqrt(len(units))
        if spread == 0.0:
            return float(units.mean() <= 0.0)
        return float(stdtr(len(units) - 1, -units.mean() / spread))

    def p_at_least(self, threshold: float) -> float:
        """The mirror image."""
        return 1.0 - self.p_at_most(threshold) if self.units(threshold).std() else float(self.value >= threshold)

    def units(self, threshold: float) -> Floats:
        """What is taken as independent."""
        return self.change.values - threshold


class ByTOfClusters(ByT):
    """The same with a cluster as the unit: its sum less its size times the threshold."""

    def units(self, threshold: float) -> Floats:
        """One number a cluster."""
        clusters: Integers | None = self.change.clusters
        return super().units(threshold) if clusters is None else np.bincount(clusters, self.change.values - threshold)


class ByBootstrap(Tested):
    """The percentile bootstrap over problems."""

    @cached_property
    def means(self) -> Floats:
        """Means of the resamples."""
        rng, values = np.random.default_rng(self.seed), self.change.values
        kinds, counts = np.unique(values, return_counts=True)
        if len(kinds) < len(values) / 8:
            return rng.multinomial(len(values), counts / len(values), RESAMPLES) @ kinds / len(values)
        return values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)

    def p_at_most(self, threshold: float) -> float:
        """The share of the resamples whose mean is at most the threshold."""
        return float((self.means <= threshold).mean())

    def p_at_least(self, threshold: float) -> float:
        """The share of those that are at least the threshold."""
        return float((self.means >= threshold).mean())


GATES: dict[str, type[Tested]] = {"Ratchet": Tested, "t": ByT, "t of clusters": ByTOfClusters, "bootstrap": ByBootstrap}


def policy_of(
    margins: Mapping[str, float], attempts: int, against: Sequence[str] = ("base",), lineage: Any = None
) -> Policy:
    """Every axis critical, alpha .05."""
    listed = {
        axis: {"tier": "critical", "max_drop": m} | ({"reliable": 0.75} if axis == "retained" else {})
        for axis, m in margins.items()
    }
    evidence = {"min_problems": 1, "min_attempts": attempts, "max_error_rate": 0.01, "max_ungradable_rate": 0.02}
    policy = {"version": 1, "suites": {"main": "main"}, "evidence": evidence, "axes": listed, "against": list(against)}
    return Policy.model_validate(policy | ({"lineage": lineage} if lineage else {}))


def judged(
    candidate: Evidence,
    references: Mapping[str, Evidence],
    policy: Policy,
    gates: Sequence[str],
    alpha: float = 0.05,
    seed: int = 0,
) -> list[Results]:
    """What each gate finds on the same evidence."""
    found: dict[tuple[str, str], Any] = {}

    def pairs_by(kind: type[Tested]) -> Any:
        def pair(name: str, mine: Evidence, reference: Evidence, rules: Policy) -> Any:
            key = name, reference.name
            if key not in found:
                found[key] = _PAIR(name, mine, reference, rules)
            one = found[key]
            return one if isinstance(one, str) else dataclasses.replace(one, change=kind(one.change, seed))

        return pair

    results = []
    try:
        for gate in gates:
            axes._pair = pairs_by(GATES[gate])
            results.append(judge_axes(candidate, references, policy, alpha))
    finally:
        axes._pair = _PAIR
    return results


def decision(results: Results, alpha: float | None = None) -> str:
    """PROMOTE, BLOCK or INCONCLUSIVE; at another alpha than was judged at, if one is given."""
    if alpha is not None:
        results = tuple(dataclasses.replace(one, outcome=axes._outcome(one, alpha)) for one in results)
    return _decision(results)


def references(rng: np.random.Generator, drawn: Drawn, attempts: int, policy: Policy) -> dict[str, Evidence]:
    """The references that the policy names, all with the rates before: rounds of a lineage that stood still."""
    names = ["base", *(f"round {i}" for i in range(1, ROUNDS_BEFORE))] if len(policy.against) > 1 else ["base"]
    return standing([side(rng, name, drawn.before, attempts, drawn) for name in names], policy)


def standing(rounds: Sequence[Evidence], policy: Policy, naive: bool = False) -> dict[str, Evidence]:
    """References from the rounds so far: the first, the last and the best, those that are one checkpoint made one."""
    best = naive_best(rounds) if naive else choose_best(rounds, policy) if "best" in policy.against else None
    named = {"base": rounds[0], "champion": dataclasses.replace(rounds[-1], name="champion"), "best": best}
    return _merged({name: one for name in policy.against if (one := named[name]) is not None})


def alpha_of(policy: Policy, rounds: Sequence[Evidence]) -> float:
    """What this gate may err with."""
    return Case(policy, rounds[-1], {}, tuple(rounds)).alpha


def decided(
    world: Population,
    n: int,
    attempts: int,
    repeats: int,
    rng: np.random.Generator,
    clusters: str = "alone",
    policy: Policy | None = None,
    gates: Sequence[str] = ("Ratchet",),
) -> list[Counter[str]]:
    """How often each gate decides what, on the same draws."""
    rules = policy or policy_of({axis: MARGINS[axis] for axis in measured(attempts)}, attempts)
    counts: list[Counter[str]] = [Counter() for _ in gates]
    for repeat in range(repeats):
        drawn = draw(rng, world, n, clusters)
        given = references(rng, drawn, attempts, rules)
        new = side(rng, "candidate", drawn.after, attempts, drawn)
        for count, results in zip(counts, judged(new, given, rules, gates, seed=repeat), strict=True):
            count[decision(results)] += 1
    return counts
