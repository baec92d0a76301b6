"""Problems, rates and how a candidate's differ."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.compare.changes import changed
from ratchet.errors import InputError
from ratchet.evaluate.suite import Attempts, Suite
from ratchet.gate.policy import Policy
from ratchet.gate.retained import retained_change
from ratchet.metrics.counts import ProblemCounts
from ratchet.plan.change import moved, rates_after
from ratchet.plan.changes import change
from ratchet.plan.decisions import Simulator, Truth
from ratchet.plan.difficulty import Difficulty, fitted, read_difficulty
from ratchet.plan.population import drawn, of_difficulty
from ratchet.plan.setting import setting

Policies = Callable[..., Policy]
Bases = Callable[..., Path]


def test_a_difficulty_is_read_and_written() -> None:
    found = read_difficulty("beta:0.5, 2,never:0.25")
    assert found == Difficulty(0.5, 2.0, 0.25)
    assert str(found) == "beta:0.5,2,never:0.25" and str(Difficulty(1, 1)) == "beta:1,1"
    # three quarters of the problems with the mean .5 / 2.5
    assert found.mean == pytest.approx(0.75 * 0.2)
    pool = of_difficulty(found).pool
    assert pool.mean() == pytest.approx(found.mean, abs=1e-3) and (pool == 0.0).mean() == pytest.approx(0.25)


def test_the_difficulty_behind_counts_is_found_and_their_noise_is_not_taken_for_it() -> None:
    rng = np.random.default_rng(2)
    rates = np.where(rng.random(4000) < 0.3, 0.0, rng.beta(2.0, 3.0, 4000))
    correct = rng.binomial(8, rates)
    found = fitted(correct, np.full(4000, 8))
    assert found.never == pytest.approx(0.3, abs=0.03) and found.mean == pytest.approx(rates.mean(), abs=0.01)
    pool = of_difficulty(found).pool
    assert pool.std() == pytest.approx(rates.std(), rel=0.03)
    assert (correct / 8).std() > 1.08 * rates.std()


def test_what_a_problem_may_be_follows_from_its_attempts() -> None:
    # Beta(1, 1) after 3 of 4: Beta(4, 2), mean 2/3. After 0 of 4 with half never solved: P(0) = 1/5 under Beta(1, 1),
    # so never with the chance .5 / (.5 + .5 / 5) = 5/6
    rates = Difficulty(1.0, 1.0, 0.5).posterior(np.array([3, 0]), np.array([4, 4]), 40_000, np.random.default_rng(0))
    assert rates[0].mean() == pytest.approx(2 / 3, abs=0.005)
    assert (rates[1] == 0.0).mean() == pytest.approx(5 / 6, abs=0.01)


@pytest.mark.parametrize("by", [0.02, -0.04])
def test_a_change_moves_the_mean_by_itself_and_leaves_what_is_never_solved(by: float) -> None:
    population = of_difficulty(Difficulty(0.5, 0.5, 0.3))
    after = moved(population, by, 0.0).pool
    assert after.mean() - population.mean == pytest.approx(by, abs=1e-7)
    assert (after[population.pool == 0.0] == 0.0).all() and (np.diff(after) >= 0.0).all()


def test_churn_moves_problems_and_leaves_the_distribution_as_it_is() -> None:
    population = of_difficulty(Difficulty(0.5, 0.5))
    rng = np.random.default_rng(1)
    problems = drawn(population, 40_000, rng)
    before = population.pool[problems.positions]
    after = rates_after(moved(population, 0.0, 0.1), population, problems, rng)
    assert (after - before).std() == pytest.approx(0.1, rel=0.05)
    assert np.quantile(after, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(before, [0.1, 0.5, 0.9]), abs=0.015)


def test_changes_that_cannot_be_are_refused() -> None:
    population = of_difficulty(Difficulty(0.5, 0.5, 0.3))
    with pytest.raises(InputError, match="a change of pass@1 by -0.5 from 0.350"):
        moved(population, -0.5, 0.0)
    with pytest.raises(InputError, match=r"a churn of 0\.9"):
        moved(population, 0.0, 0.9)


def test_clusters_are_drawn_whole_and_move_together(policy: Policies, base: Bases) -> None:
    folder = base(np.random.default_rng(5).beta(1, 1, 60), 16, cluster_size=5)
    population = setting(policy(), 0.05, ["base"], folder).populations["sums"]
    rng = np.random.default_rng(6)
    problems = drawn(population, 40, rng)
    assert problems.clusters is not None and population.clusters is not None
    assert np.bincount(problems.clusters).tolist() == [5] * 8
    for number in range(8):
        rows = problems.rows[problems.clusters == number]
        assert len(set(population.clusters[rows].tolist())) == 1 and len(set(rows.tolist())) == 5


def test_fewer_problems_are_the_first_of_more() -> None:
    population = of_difficulty(Difficulty(1, 1))
    few, many = (drawn(population, n, np.random.default_rng(8)) for n in (50, 300))
    assert (many.positions[:50] == few.positions).all()


def _suite(right: np.ndarray, attempts: int, groups: tuple[str, ...]) -> Suite:
    count, empty = len(right), np.empty(0, dtype=np.int64)
    zero, ids = np.zeros(count, dtype=np.int64), tuple(f"{i}" for i in range(count))
    counts = ProblemCounts(ids, (None,) * count, groups, right, np.full(count, attempts), zero, zero)
    return Suite("sums", counts, Attempts(empty, np.empty(0), empty, np.empty(0)), ((),) * count)


@pytest.mark.parametrize("reference", ["base", "best"])
def test_simulated_changes_are_those_that_the_gate_computes(policy: Policies, base: Bases, reference: str) -> None:
    axes = {
        "pass@1": {"tier": "critical", "max_drop": 0.05},
        "pass@8": {"tier": "critical", "max_relative_drop": 0.05},
        "pass^2": {"tier": "critical", "max_drop": 0.05},
        "balance": {"tier": "critical", "max_drop": 0.05},
        "retained": {"tier": "critical", "max_drop": 0.05, "reliable": 0.6},
        "disparity": {"tier": "supporting", "max_rise": 0.1},
    }
    against = ("base", "champion", "best")
    folder = base(np.random.default_rng(3).beta(1, 1, 60), 16, groups=3)
    made = setting(policy(axes, against), 0.05, against, folder)
    comparison = Simulator(made).comparison(Truth(-0.03), 120, 20, repeat=4)
    counts = comparison.suites["sums"]
    even, odd = counts.theirs[reference]
    names = tuple(f"{row % 3 + 1}" for row in counts.problems.rows)
    mine = _suite(counts.mine, 20, names)
    theirs = _suite(odd, 10, names) if reference == "best" else _suite(even + odd, 20, names)
    for name, axis in made.axes.items():
        ours = change(comparison, name, reference)
        if name == "retained":
            gates = retained_change(mine, _suite(even, 10, names), _suite(odd, 10, names), 0.6)
        else:
            gates = changed(name, theirs, mine, axis.max_relative_drop is not None)
        assert ours is not None and not isinstance(gates, str)
        assert ours.value == pytest.approx(gates.change.value)
        for threshold in (-0.05, 0.0):
            close = 0.05 if name == "disparity" else 1e-9  # a tenth of the gate's draws
            assert ours.p_at_most(threshold) == pytest.approx(gates.change.p_at_most(threshold), abs=close)
            assert ours.p_at_least(threshold) == pytest.approx(gates.change.p_at_least(threshold), abs=close)
