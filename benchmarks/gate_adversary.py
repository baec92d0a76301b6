"""Worlds made to break the p-value of harm (`ratchet.metrics.harm`), for `benchmarks/gate_guarantees.py`: exact levels.

A world has up to four kinds of problem: wholly gained (harm -1), gained by a part, and two in between. Its mean harm is
exactly the margin, so every rejection is a false one. Nothing is drawn: for each number of either gain the test rejects
from some number of the worst kind on, which bisection finds, and the chances are multinomial. Worlds are random, the
shares of the gains are those of a grid that are worst for the test.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from gate_tables import table
from scipy import optimize, special, stats

from ratchet.metrics import harm
from ratchet.metrics.bounds import Floats, weighed_mean

ALPHAS, SIZES_SEARCHED, MOST_SEEN = (0.05, 0.025, 0.01), (20, 50, 100, 200, 500, 1000, 2000), 6
GAINS = (0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.2, 3.2)  # gains of a kind that are expected among all problems
Test = Callable[[Floats, float], float]


@dataclass(frozen=True)
class World:
    """n problems; their harm is -1, -part, low or high, and 0.02 on average."""

    n: int
    part: float
    low: float
    high: float
    margin: float = 0.02

    def values(self, whole: int, parts: int, high: int) -> Floats:
        """Harm of the problems where so many of each kind are seen; the rest are low."""
        return np.repeat([-1.0, -self.part, self.high, self.low], [whole, parts, high, self.n - whole - parts - high])


def gaffke(values: Floats, margin: float) -> float:
    """What PROMOTE rests on."""
    return weighed_mean(values, -1.0, None).p(margin)


def least_seen(values: Floats, margin: float) -> float:
    """The unseen problem is like the least seen, and nothing else."""
    return weighed_mean(values, float(values.min()), None).p(margin)


def full_power(values: Floats, margin: float) -> float:
    """The gate's, with the whole chance that nothing showed and without Gaffke's limits."""
    return _with(values, margin, POWER=1.0, LEAST_SHARE=1e-9)


def _with(values: Floats, margin: float, **constants: float) -> float:
    kept = {name: getattr(harm, name) for name in constants}
    try:
        for name, value in constants.items():
            setattr(harm, name, value)
        return harm.p_above(values, margin, -1.0)
    finally:
        for name, value in kept.items():
            setattr(harm, name, value)


def the_gates(values: Floats, margin: float) -> float:
    """The p-value that BLOCK rests on."""
    return harm.p_above(values, margin, -1.0)


TESTS: dict[str, Test] = {
    "Gaffke": gaffke,
    "unseen = least seen": least_seen,
    "n, not 0.8 n": full_power,
    "the gate's": the_gates,
}


def rejects_from(world: World, test: Test, alpha: float) -> dict[tuple[int, int], int]:
    """For each number of whole and of part gains, the least number of the worst kind with which the test rejects."""
    found: dict[tuple[int, int], int] = {}
    for whole, parts in itertools.product(range(MOST_SEEN + 1), range(MOST_SEEN + 1 if world.part else 1)):
        low, high = -1, world.n - whole - parts + 1
        while high - low > 1:
            middle = (low + high) // 2
            if test(world.values(whole, parts, middle), world.margin) <= alpha:
                high = middle
            else:
                low = middle
        found[whole, parts] = high
    return found


def level(world: World, needed: dict[tuple[int, int], int], whole: float, parts: float) -> float:
    """The chance to reject where so many gains are expected; at most, since rarer samples count as the likest counted.

    0 where no share of the worst kind puts the mean at the margin.
    """
    shares = np.array([whole, parts]) / world.n
    rest = 1.0 - shares.sum()
    wanted = (world.margin + shares @ [1.0, world.part]) / rest if rest > 0.0 else math.inf
    worst = (wanted - world.low) / (world.high - world.low)
    if not 0.0 <= worst <= 1.0:
        return 0.0
    seen = np.array(list(needed))
    others = world.n - seen.sum(axis=1)
    chances = stats.multinomial.pmf(np.column_stack([seen, others]), world.n, [*shares, rest])
    rejected = stats.binom.sf(np.array(list(needed.values())) - 1, others, worst)
    return float(chances @ rejected + (1.0 - chances.sum()) * rejected[-1])


def worst(world: World, test: Test, alpha: float) -> tuple[float, float, float]:
    """The largest level over the grid of gains, as a multiple of alpha, and the gains."""
    needed = rejects_from(world, test, alpha)
    grid = itertools.product(GAINS, GAINS if world.part else (0.0,))
    return max((level(world, needed, *gains) / alpha, *gains) for gains in grid)


def worlds(rng: np.random.Generator) -> Iterator[World]:
    """Random worlds: two kinds between which the noise lies, and gains that are whole, or whole and part."""
    while True:
        n, spread = int(rng.choice(SIZES_SEARCHED)), float(np.exp(rng.uniform(np.log(0.01), np.log(0.6))))
        skew, part = float(np.exp(rng.uniform(-2.0, 2.0))), float(rng.choice([0.0, rng.uniform(0.1, 0.9)]))
        low, high = 0.02 - spread * skew, 0.02 + spread / skew
        if low > -0.9 and high < 1.0 and (not part or -part < low):
            yield World(n, part, low, high)


def adversary(repeats: int, seed: int) -> str:
    """The largest levels that were found."""
    found: dict[tuple[str, float], tuple[Any, ...]] = {}
    for world in itertools.islice(worlds(np.random.default_rng([seed, 10])), repeats):
        for (name, test), alpha in itertools.product(TESTS.items(), ALPHAS):
            share, whole, parts = worst(world, test, alpha)
            where = f"n {world.n}, {world.low:.3f} or {world.high:.3f}; gains expected: {whole:g} of -1"
            if world.part:
                where += f", {parts:g} of {-world.part:.2f}"
            found[name, alpha] = max(found.get((name, alpha), (0.0,)), (share, where))
    rows = [[name, alpha, f"{found[name, alpha][0]:.3f}", found[name, alpha][1]] for name in TESTS for alpha in ALPHAS]
    limits = [[alpha, *(f"{share:.3f}" for share in in_the_limit(alpha))] for alpha in ALPHAS]
    return f"""## Worlds made to break the p-value of harm

{__doc__.split(chr(10) * 2)[1].strip()}

{repeats} random worlds. Level / alpha above 1 is a test that errs too often.

{table(["p-value", "alpha", "largest level / alpha", "where: n, noise, gains"], rows)}

In the limit of many problems with normal noise, a whole gain being worth .1 to 2.5 standard errors of the mean: the
largest level / alpha over that and over the number of gains expected (by quadrature, to about .01).

{table(["alpha", "n, not 0.8 n", "the gate's"], limits)}"""


STEP = 0.05
WEIGHTS, SHARES = np.arange(0.0, 30.0, STEP), np.concatenate([np.arange(0.0, 6.0, 0.1), np.arange(6.0, 16.0, 0.4)])


def in_the_limit(alpha: float) -> tuple[float, float]:
    """The largest level / alpha with n in place of 0.8 n and no limits, and of the gate's p-value.

    The mean of the others is normal, j of a Poisson number of gains were seen, and Gaffke's weights of the gains are a
    Gamma(j) variable, with the unseen one a Gamma(j + 1); the unseen one at the least of the others weighs nothing.
    """
    largest = [0.0, 0.0]
    for worth in (0.1, 0.2, 0.35, 0.45, 0.55, 0.65, 0.8, 1.0, 1.5, 2.5):
        for i, (power, least) in enumerate(((1.0, 0.0), (harm.POWER, harm.LEAST_SHARE))):
            ends = np.array([_end(worth, seen, alpha, power, least) for seen in range(11)])
            for gains in (0.0, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 2.7, 3.2, 4.0):
                chances = stats.poisson.pmf(np.arange(11), gains)
                largest[i] = max(largest[i], float(chances @ stats.norm.sf(ends - worth * gains)) / alpha)
    return largest[0], largest[1]


def _end(worth: float, seen: int, alpha: float, power: float, least: float) -> float:
    """The z of the others from which on the test rejects; with a gain seen, the least seen is a whole one."""

    def p(z: float) -> float:
        gaffke = _gamma(seen + 1) @ special.ndtr(worth * WEIGHTS - z)
        others = special.ndtr(worth * (WEIGHTS + SHARES[:, None]) - z) @ _gamma(seen + 1 if seen else 0)
        found = max(float((np.exp(-power * SHARES) * others).max()), least * gaffke)
        return min(found, gaffke) if least else found

    return float(optimize.brentq(lambda z: p(z) - alpha, -2.0, 12.0 + 3.0 * worth * seen, xtol=1e-4))


@functools.cache
def _gamma(shape: int) -> Floats:
    """The chances of the weights for a Gamma(shape) variable; all of it at 0 for shape 0."""
    if not shape:
        return np.eye(1, len(WEIGHTS))[0]
    edges = np.append(0.0, WEIGHTS + STEP / 2.0)
    found: Floats = np.diff(stats.gamma.cdf(edges, shape))
    return found
