"""The gate's guarantees by simulation: a fast slice of `benchmarks/gate_guarantees.py`, with gates that fail it.

Every share is held against alpha by a binomial test. Ratchet's may not be surprising (p < .001) where the true rate is
alpha; in the same cells, on the same draws, the plain t and bootstrap gates are far above alpha (p < 1e-4), so that the
tests would see a gate that is wrong.
"""

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ratchet.gate.axes import judge_axes

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ALPHA = 0.05


def loaded(name: str) -> ModuleType:
    """A benchmark as a module; its folder stays off the path, where its `profile.py` would hide the standard one."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


worlds, deciding, _, nulls = (loaded(name) for name in ("gate_worlds", "gate_deciding", "gate_tables", "gate_nulls"))
PLAIN = ("Ratchet", "t", "bootstrap")


def shares(kind: str, world: Any, n: int, repeats: int, clusters: str = "alone", **options: Any) -> list[int]:
    """How many of `repeats` decisions each gate makes that are of this kind; 32 attempts."""
    rng = np.random.default_rng([7, n])
    counts = deciding.decided(world, n, 32, repeats, rng, clusters, **options)
    return [count[kind] for count in counts]


def surprise(hits: int, repeats: int) -> float:
    """The chance of so many or more were the true rate alpha."""
    return float(stats.binomtest(hits, repeats, ALPHA, alternative="greater").pvalue)


@pytest.mark.parametrize("n", [100, 200])
def test_rare_outright_losses_at_the_margin_are_promoted_by_t_and_bootstrap_and_not_by_the_gate(n: int) -> None:
    world = worlds.at_margins(worlds.lost, worlds.STEADY, ("retained",), 32)
    ours, by_t, by_bootstrap = shares("PROMOTE", world, n, 250, gates=PLAIN)
    assert surprise(ours, 250) > 1e-3
    assert surprise(by_t, 250) < 1e-5
    assert surprise(by_bootstrap, 250) < 1e-5


@pytest.mark.parametrize("clusters", ["fives", "skewed"])
def test_lost_clusters_at_the_margin_are_promoted_by_t_and_bootstrap_and_not_by_the_gate(clusters: str) -> None:
    world = worlds.at_margins(worlds.lost, worlds.STEADY, ("retained",), 32)
    ours, by_t, by_bootstrap = shares("PROMOTE", world, 500, 120, clusters, gates=PLAIN)
    assert surprise(ours, 120) > 1e-3
    assert surprise(by_t, 120) < 1e-5
    assert surprise(by_bootstrap, 120) < 1e-5


@pytest.mark.parametrize("clusters", ["fives", "skewed"])
def test_clusters_that_move_together_within_the_margins_are_blocked_by_t_and_not_by_the_gate(clusters: str) -> None:
    world = worlds.at_margins(worlds.lost, worlds.STEADY, ("pass@1", "pass@16", "retained"), 32)
    ours, by_t = shares("BLOCK", world, 500, 200, clusters, gates=("Ratchet", "t"))
    assert surprise(ours, 200) > 1e-3
    assert surprise(by_t, 200) < 1e-4


def test_the_tenth_of_ten_equal_rounds_is_blocked_against_a_naive_best_and_not_against_that_of_halves() -> None:
    # A margin of 0: an equal model lies exactly at it. The naive best of ten is 1.54 standard errors too high; against
    # it z has mean -1.54 / sqrt(2) and falls below -1.645 a quarter of the time, less for the bound's caution.
    rng, repeats, n = np.random.default_rng(3), 250, 1000
    policy = deciding.policy_of({"pass@1": 0.0}, 16, ("best",))
    equal = worlds.falling(worlds.FLAT, np.zeros_like(worlds.FLAT.rates))
    blocked: Counter[bool] = Counter()
    for _ in range(repeats):
        drawn = worlds.draw(rng, equal, n)
        rounds = [worlds.side(rng, f"round {i}", drawn.before, 16, drawn) for i in range(11)]
        for naive in (False, True):
            best = deciding.standing(rounds[:10], policy, naive)
            (results,) = deciding.judged(rounds[10], best, policy, ["Ratchet"])
            blocked[naive] += deciding.decision(results) == "BLOCK"
    assert surprise(blocked[False], repeats) > 1e-3
    assert surprise(blocked[True], repeats) < 1e-5


def test_ten_gates_of_a_null_lineage_block_nothing_within_the_margins() -> None:
    against = ("base", "champion", "best")
    policy = deciding.policy_of(worlds.MARGINS, 32, against)
    spent = {"equal": deciding.policy_of(worlds.MARGINS, 32, against, {"spend": "equal", "rounds": 10})}
    rng = np.random.default_rng(4)
    blocks = np.array([nulls.one_lineage(rng, 200, 32, policy, spent, 0.0) for _ in range(8)])
    ever = blocks.any(axis=2).sum(axis=0)  # by halves, with a naive best, by halves with alpha / 10 a gate
    assert surprise(int(ever[0]), 8) > 1e-3
    assert ever[2] <= ever[0]


@pytest.mark.parametrize(("change", "kind", "at_least"), [(0.0, "PROMOTE", 0.95), (0.02, "PROMOTE", 0.98)])
def test_500_problems_with_32_attempts_promote_an_equal_and_a_better_model(
    change: float, kind: str, at_least: float
) -> None:
    policy = deciding.policy_of({"pass@1": 0.02, "pass@16": 0.03}, 32)
    (hits,) = shares(kind, worlds.shifted(worlds.BETA, change), 500, 200, policy=policy)
    assert stats.binomtest(hits, 200, at_least, alternative="less").pvalue > 1e-3


def test_500_problems_with_32_attempts_block_four_points_less_and_never_promote_it() -> None:
    policy = deciding.policy_of({"pass@1": 0.02, "pass@16": 0.03}, 32)
    world = worlds.shifted(worlds.FLAT, -0.04)
    (promoted,) = shares("PROMOTE", world, 500, 200, policy=policy)
    (blocked,) = shares("BLOCK", world, 500, 200, policy=policy)
    assert promoted == 0
    assert stats.binomtest(blocked, 200, 0.98, alternative="less").pvalue > 1e-3


@pytest.mark.parametrize("clusters", ["alone", "fives", "skewed"])
def test_decisions_of_the_simulation_are_those_of_the_gate(clusters: str) -> None:
    # The simulation leaves out bounds, and p-values of at least 1/(2e); the gate's own results decide the same.
    rng = np.random.default_rng(11)
    policy = deciding.policy_of(worlds.MARGINS, 32, ("base", "champion", "best"))
    for change in (0.0, -0.04, -0.08):
        drawn = worlds.draw(rng, worlds.shifted(worlds.BETA, change), 200, clusters)
        references = deciding.references(rng, drawn, 32, policy)
        candidate = worlds.side(rng, "candidate", drawn.after, 32, drawn)
        (quick,) = deciding.judged(candidate, references, policy, ["Ratchet"])
        whole = judge_axes(candidate, references, policy, ALPHA)
        assert [result.outcome for result in quick] == [result.outcome for result in whole]
        for mine, theirs in zip(quick, whole, strict=True):
            for p, exact in ((mine.p_within, theirs.p_within), (mine.p_harm, theirs.p_harm)):
                assert p is not None and exact is not None
                assert p == exact or (p == 1.0 and exact >= np.exp(-1) / 2.0)


@pytest.mark.parametrize("axis", ["pass@1", "pass@16", "retained"])
def test_worlds_at_a_margin_are_at_it_when_drawn(axis: str) -> None:
    # against the sums by which they were built: 100,000 problems with 32 attempts, estimated as the gate does
    rng, n = np.random.default_rng(5), 100_000
    policy = deciding.policy_of({axis: worlds.MARGINS[axis]}, 32)
    for style, difficulty in ((worlds.lost, worlds.STEADY), (worlds.falling, worlds.NEVER)):
        drawn = worlds.draw(rng, worlds.at_margins(style, difficulty, (axis,), 32), n)
        base = worlds.side(rng, "base", drawn.before, 32, drawn)
        candidate = worlds.side(rng, "candidate", drawn.after, 32, drawn)
        ((result,),) = deciding.judged(candidate, {"base": base}, policy, ["Ratchet"])
        assert result.difference is not None
        # standard deviation of one problem's change: at most .3
        assert abs(result.difference + worlds.MARGINS[axis]) < 4 * 0.3 / np.sqrt(result.problems)
