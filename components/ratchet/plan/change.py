"""How a simulated candidate differs from its references: a change of pass@1, and problems that move both ways."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from ratchet.errors import InputError
from ratchet.metrics.bounds import Floats, root
from ratchet.metrics.counts import Integers
from ratchet.plan.population import Drawn, Population

_FARTHEST = 60.0  # logits: by then every rate that can move is 0 or 1
_PRECISION = 1e-9  # of the mean rate after a shift
_SEED = 20_26_11


@dataclass(frozen=True, slots=True)
class Move:
    """What makes a candidate of a reference: the pool with its rates shifted, and how well ranks are kept.

    With a `correlation` below 1 every problem's rank moves (a Gaussian copula), so that the rates as a whole stay what
    they are and an equal candidate is equal on every average, though its problems rise and fall.
    """

    pool: Floats
    correlation: float


def moved(population: Population, change: float, churn: float) -> Move:
    """The move that changes the mean rate by `change` and leaves a standard deviation `churn` of problems' own changes.

    Each rate is shifted by the same number of logits: a rate of 0 or 1 stays. An InputError where no shift does it.
    """
    return Move(_shifted(population.pool, change), _correlation(population, churn))


def rates_after(move: Move, population: Population, problems: Drawn, rng: np.random.Generator) -> Floats:
    """The candidate's rates on these problems; a cluster's problems move together."""
    if move.correlation == 1.0:
        return move.pool[problems.positions]
    count = len(problems.rows) if problems.clusters is None else int(problems.clusters.max()) + 1
    steps = rng.standard_normal(count)
    if problems.clusters is not None:
        steps = steps[problems.clusters]
    return move.pool[_stepped(population, problems.rows, problems.positions, move.correlation, steps)]


def _shifted(pool: Floats, change: float) -> Floats:
    if change == 0.0:
        return pool
    free = (pool > 0.0) & (pool < 1.0)
    logits = logit(pool[free])
    wanted = float(pool[free].mean()) + change * len(pool) / free.sum() if free.any() else change
    if not (free.any() and 0.0 < wanted < 1.0):
        lowest, highest = float((pool == 1.0).mean()), float((pool > 0.0).mean())
        raise InputError(
            f"a change of pass@1 by {change:+g} from {pool.mean():.3f}",
            expected=f"one that leaves it between {lowest:.3f} and {highest:.3f}",
        )
    shift = root(lambda by: float(expit(logits + by).mean()) - wanted, -_FARTHEST, _FARTHEST, _PRECISION)
    shifted = pool.copy()
    shifted[free] = expit(logits + shift)
    return shifted


def _correlation(population: Population, churn: float) -> float:
    if churn == 0.0:
        return 1.0
    rng = np.random.default_rng(_SEED)
    rows = np.repeat(np.arange(len(population.positions)), population.positions.shape[1])
    positions, steps = population.positions.ravel(), rng.standard_normal(population.positions.size)

    def spread(correlation: float) -> float:
        after = population.pool[_stepped(population, rows, positions, correlation, steps)]
        return float((after - population.pool[positions]).std())

    most = spread(0.0)
    if churn >= most:
        raise InputError(f"a churn of {churn:g}", expected=f"less than {most:.3f}, which is what chance alone gives")
    return root(lambda correlation: spread(correlation) - churn, 0.0, 1.0, 1e-4)


def _stepped(
    population: Population, rows: Integers, positions: Integers, correlation: float, steps: Floats
) -> Integers:
    """The positions within the problems' own strata after a step of their normal scores."""
    stratum = population.stratum[rows]
    starts = population.starts[stratum]
    sizes = population.starts[stratum + 1] - starts
    score = ndtri((positions - starts + 0.5) / sizes)
    rank = ndtr(correlation * score + np.sqrt(1.0 - correlation**2) * steps)
    stepped: Integers = starts + np.minimum((rank * sizes).astype(np.int64), sizes - 1)
    return stepped
