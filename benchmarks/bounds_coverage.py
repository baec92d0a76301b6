"""How often each bound promotes a candidate whose true change lies exactly at the margin: alpha is what may be.

Run `python benchmarks/bounds_coverage.py`; it prints a Markdown table with 95 % Wilson intervals. Every world has a
true mean change of exactly -margin, so each promotion is a false one; the peers are a t bound and a bootstrap
percentile bound on the same draws.
"""

import argparse
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ratchet.metrics.bounds import p_at_most

Floats = NDArray[np.float64]
Draw = tuple[Floats, NDArray[np.int64] | None]
ALPHA, MARGIN, ATTEMPTS, RESAMPLES = 0.05, 0.03, 32, 400


def rare_losses(rng: np.random.Generator, n: int) -> Draw:
    """3 % of the problems are lost outright, nothing else changes."""
    return np.where(rng.random(n) < MARGIN, -1.0, 0.0), None


def one_large_loss_many_small_gains(rng: np.random.Generator, n: int) -> Draw:
    """5 % lost outright, the others gain a little: the mean is -.03."""
    return np.where(rng.random(n) < 0.05, -1.0, (0.05 - MARGIN) / 0.95), None


def noisy(rng: np.random.Generator, n: int) -> Draw:
    """Every problem's rate falls by .03 from rates between .2 and .8; 32 attempts on both sides."""
    rate = rng.uniform(0.2, 0.8, n)
    return (rng.binomial(ATTEMPTS, rate - MARGIN) - rng.binomial(ATTEMPTS, rate)) / ATTEMPTS, None


def u_shaped(rng: np.random.Generator, n: int) -> Draw:
    """Rates of Beta(.3, .3), each multiplied by .94: their mean of .5 falls by .03."""
    rate = rng.beta(0.3, 0.3, n)
    return (rng.binomial(ATTEMPTS, rate * (1 - 2 * MARGIN)) - rng.binomial(ATTEMPTS, rate)) / ATTEMPTS, None


def clustered(rng: np.random.Generator, n: int) -> Draw:
    """Clusters of five problems; one cluster in sixteen loses nearly half of its rate, all together."""
    shift = np.where(rng.random(n // 5) < 1 / 16, -0.48, 0.0)
    rate = np.clip(rng.uniform(0.5, 0.9, n), 0, 1)
    after = rate + np.repeat(shift, 5)
    return (rng.binomial(ATTEMPTS, after) - rng.binomial(ATTEMPTS, rate)) / ATTEMPTS, np.repeat(np.arange(n // 5), 5)


def gaffke(values: Floats, clusters: NDArray[np.int64] | None, rng: np.random.Generator) -> bool:
    """Whether Ratchet's bound excludes harm beyond the margin."""
    p = p_at_most(values, -MARGIN, -1.0, clusters)
    return p is not None and p <= ALPHA


def by_t(values: Floats, clusters: NDArray[np.int64] | None, rng: np.random.Generator) -> bool:
    """Whether the t bound does (over clusters where there are any, which is generous to it)."""
    units = values if clusters is None else values.reshape(-1, 5).mean(axis=1)
    n = len(units)
    return bool(units.mean() - stats.t.ppf(1 - ALPHA, n - 1) * units.std(ddof=1) / math.sqrt(n) > -MARGIN)


def bootstrap(values: Floats, clusters: NDArray[np.int64] | None, rng: np.random.Generator) -> bool:
    """Whether the bootstrap percentile bound does."""
    units = values if clusters is None else values.reshape(-1, 5).mean(axis=1)
    seen, counts = np.unique(units, return_counts=True)
    means = rng.multinomial(len(units), counts / len(units), RESAMPLES) @ seen / len(units)
    return bool(np.quantile(means, ALPHA) > -MARGIN)


def wilson(hits: int, repeats: int) -> str:
    """The share with its Wilson interval."""
    interval = stats.binomtest(hits, repeats).proportion_ci(method="wilson")
    return f"{hits / repeats:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    worlds = (rare_losses, one_large_loss_many_small_gains, noisy, u_shaped, clustered)
    bounds: tuple[Callable[..., bool], ...] = (gaffke, by_t, bootstrap)
    names = " | ".join(bound.__name__.replace("_", " ") for bound in bounds)
    print(f"| true change exactly -{MARGIN} | problems | {names} |")
    print("| --- | --- | " + " | ".join(["---"] * len(bounds)) + " |")
    for world in worlds:
        for n in (50, 100, 300, 1000, 2000):
            rng = np.random.default_rng([arguments.seed, n])
            hits = np.zeros(len(bounds), dtype=int)
            for _ in range(arguments.repeats):
                values, clusters = world(rng, n)
                hits += [bound(values, clusters, rng) for bound in bounds]
            row = " | ".join(wilson(int(count), arguments.repeats) for count in hits)
            print(f"| {world.__name__.replace('_', ' ')} | {n} | {row} |", flush=True)
    for n in (50, 100, 300, 1000, 2000):  # no randomness here: nothing changed, so what is left open is exact
        print(f"| (nothing changed) | {n} | open: {1 - ALPHA ** (1 / n):.4f} | open: 0 | open: 0 |")


if __name__ == "__main__":
    main()
