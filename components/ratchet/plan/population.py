"""Where simulated problems come from: a distribution of difficulty, or the problems of a base's profile."""

from dataclasses import dataclass

import numpy as np

from ratchet.evaluate.averages import disparity_ends, members
from ratchet.evaluate.suite import Suite
from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers
from ratchet.plan.difficulty import Difficulty, fitted

POOL = 20_000  # rates that stand for a difficulty
DRAWS = 32  # rates that stand for what is known of one problem of a base


@dataclass(frozen=True, slots=True)
class Population:
    """Problems to draw from, each known by the positions in `pool` that its rate may have.

    `pool` holds rates, sorted within each stratum (the groups, where there are any): what moves both ways moves there.
    `positions` has a row for each problem. `clusters` numbers what is drawn whole, `ends` says which problems are of
    the first and of the last group, `fringe` which touch the policy's fringe; None where nothing is known of it.
    """

    difficulty: Difficulty
    pool: Floats
    positions: Integers
    stratum: Integers
    starts: Integers
    clusters: Integers | None = None
    ends: Integers | None = None
    fringe: Integers | None = None

    @property
    def mean(self) -> float:
        """The mean rate: the true pass@1 that the plan reckons with."""
        return float(self.pool.mean())


@dataclass(frozen=True, slots=True)
class Drawn:
    """Problems that were drawn: their rows in the population, positions in its pool, and clusters drawn with them."""

    rows: Integers
    positions: Integers
    clusters: Integers | None


def of_difficulty(difficulty: Difficulty) -> Population:
    """Problems whose rates follow a distribution, without groups, clusters or concepts."""
    pool = difficulty.rates((np.arange(POOL) + 0.5) / POOL)
    zero = np.zeros(1, dtype=np.int64)
    return Population(difficulty, pool, np.arange(POOL)[None, :], zero, np.array([0, POOL]))


def of_suite(suite: Suite, fringe: Integers | None, seed: int) -> Population:
    """The problems of a base's suite, each with what its attempts and those at the others say of its rate.

    The rates are drawn from the posterior under the `fitted` difficulty: 3 right of 4 attempts is not a rate of .75.
    """
    usable = suite.counts.graded > 0
    correct, graded = suite.counts.correct[usable], suite.counts.graded[usable]
    difficulty = fitted(correct, graded)
    rates = difficulty.posterior(correct, graded, DRAWS, np.random.default_rng([seed, 1]))
    stratum = _strata(suite)[usable]
    order = np.lexsort((rates.ravel(), np.repeat(stratum, DRAWS)))
    positions = np.empty(len(order), dtype=np.int64)
    positions[order] = np.arange(len(order))
    sizes = np.bincount(stratum) * DRAWS
    both = disparity_ends(suite)
    ends = None if both is None else np.where(both[0], 0, np.where(both[1], 1, 2))[usable]
    clusters = suite.clusters
    return Population(
        difficulty=difficulty,
        pool=rates.ravel()[order],
        positions=positions.reshape(rates.shape),
        stratum=stratum,
        starts=np.concatenate([[0], np.cumsum(sizes)]),
        clusters=None if clusters is None else np.unique(clusters[usable], return_inverse=True)[1].astype(np.int64),
        ends=ends,
        fringe=None if fringe is None else fringe[usable],
    )


def drawn(population: Population, problems: int, rng: np.random.Generator) -> Drawn:
    """That many problems, drawn anew; fewer of them from the same generator are the first of these."""
    rows_rng, position_rng = rng.spawn(2)
    count, choices = population.positions.shape
    clusters = None
    if population.clusters is None:
        rows = rows_rng.integers(0, count, problems)
    else:
        rows, clusters = _whole_clusters(population.clusters, problems, rows_rng)
    return Drawn(rows, population.positions[rows, position_rng.integers(0, choices, problems)], clusters)


def _whole_clusters(clusters: Integers, problems: int, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Rows cluster by cluster until there are enough; a cluster that is drawn twice is two."""
    order = np.argsort(clusters, kind="stable")
    sizes = np.bincount(clusters)
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    chosen = rng.integers(0, len(sizes), problems)
    chosen = chosen[: int(np.searchsorted(np.cumsum(sizes[chosen]), problems)) + 1]
    numbers = np.repeat(np.arange(len(chosen)), sizes[chosen])
    within = np.arange(len(numbers)) - np.repeat(np.cumsum(sizes[chosen]) - sizes[chosen], sizes[chosen])
    rows = order[np.repeat(begins[chosen], sizes[chosen]) + within]
    return rows[:problems], numbers[:problems]


def _strata(suite: Suite) -> Integers:
    """A number for each problem's group, from 0; those without a group are one of their own."""
    names = sorted({str(name) for name in suite.counts.groups if name is not None})
    strata = np.zeros(len(suite.counts.groups), dtype=np.int64)
    for number, name in enumerate(names, start=1):
        strata[members(suite, name)] = number
    return np.unique(strata, return_inverse=True)[1].astype(np.int64)
