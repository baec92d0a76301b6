"""How often each bound promotes a candidate whose true change lies exactly at the margin: alpha is what may be.

Run `python benchmarks/bounds_coverage.py`; it prints a Markdown table with 95 % Wilson intervals. Every world has a
true mean change of exactly minus `--margin`, so each promotion is a false one; the peers are a t bound and a bootstrap
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
ALPHA, ATTEMPTS, RESAMPLES = 0.05, 32, 400


def rare_losses(rng: np.random.Generator, n: int, margin: float) -> Draw:
    """As many problems in a hundred as the margin says are lost outright, nothing else changes."""
    return np.where(rng.random(n) < margin, -1.0, 0.0), None


def one_large_loss_many_small_gains(rng: np.random.Generator, n: int, margin: float) -> Draw:
    """Two in a hundred more are lost outright, and the others gain a little."""
    lost = margin + 0.02
    return np.where(rng.random(n) < lost, -1.0, (lost - margin) / (1 - lost)), None


def noisy(rng: np.random.Generator, n: int, margin: float) -> Draw:
    """Every problem's rate falls by the margin from rates between .2 and .8; 32 attempts on both sides."""
    rate = rng.uniform(0.2, 0.8, n)
    return (rng.binomial(ATTEMPTS, rate - margin) - rng.binomial(ATTEMPTS, rate)) / ATTEMPTS, None


def u_shaped(rng: np.random.Generator, n: int, margin: float) -> Draw:
    """Rates of Beta(.3, .3), each multiplied by 1 - 2 margins: their mean of .5 falls by one."""
    rate = rng.beta(0.3, 0.3, n)
    return (rng.binomial(ATTEMPTS, rate * (1 - 2 * margin)) - rng.binomial(ATTEMPTS, rate)) / ATTEMPTS, None


def clustered(rng: np.random.Generator, n: int, margin: float) -> Draw:
    """Clusters of five problems; some (at .03 one in sixteen) lose nearly half of their rate, all together."""
    shift = np.where(rng.random(n // 5) < margin / 0.48, -0.48, 0.0)
    rate = np.clip(rng.uniform(0.5, 0.9, n), 0, 1)
    after = rate + np.repeat(shift, 5)
    return (rng.binomial(ATTEMPTS, after) - rng.binomial(ATTEMPTS, rate)) / ATTEMPTS, np.repeat(np.arange(n // 5), 5)


def rare_losses_and_gains(rng: np.random.Generator, n: int, margin: float) -> Draw:
    """One problem in 500 is gained outright, and as many more than the margin says are lost."""
    gained = 0.002
    drawn = rng.random(n)
    return np.where(drawn < gained, 1.0, np.where(drawn < 2 * gained + margin, -1.0, 0.0)), None


def gaffke(values: Floats, clusters: NDArray[np.int64] | None, margin: float, rng: np.random.Generator) -> bool:
    """Whether Ratchet's bound excludes harm beyond the margin."""
    p = p_at_most(values, -margin, -1.0, clusters)
    return p is not None and p <= ALPHA


def by_t(values: Floats, clusters: NDArray[np.int64] | None, margin: float, rng: np.random.Generator) -> bool:
    """Whether the t bound does (over clusters where there are any, which is generous to it)."""
    units = values if clusters is None else values.reshape(-1, 5).mean(axis=1)
    n = len(units)
    return bool(units.mean() - stats.t.ppf(1 - ALPHA, n - 1) * units.std(ddof=1) / math.sqrt(n) > -margin)


def bootstrap(values: Floats, clusters: NDArray[np.int64] | None, margin: float, rng: np.random.Generator) -> bool:
    """Whether the bootstrap percentile bound does."""
    units = values if clusters is None else values.reshape(-1, 5).mean(axis=1)
    seen, counts = np.unique(units, return_counts=True)
    means = rng.multinomial(len(units), counts / len(units), RESAMPLES) @ seen / len(units)
    return bool(np.quantile(means, ALPHA) > -margin)


def wilson(hits: int, repeats: int) -> str:
    """The share with its Wilson interval."""
    interval = stats.binomtest(hits, repeats).proportion_ci(method="wilson")
    return f"{hits / repeats:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--margin", type=float, default=0.03)
    arguments = parser.parse_args()
    margin = arguments.margin
    worlds = (rare_losses, one_large_loss_many_small_gains, noisy, u_shaped, clustered, rare_losses_and_gains)
    bounds: tuple[Callable[..., bool], ...] = (gaffke, by_t, bootstrap)
    names = " | ".join(bound.__name__.replace("_", " ") for bound in bounds)
    print(f"| true change exactly -{margin} | problems | {names} |")
    print("| --- | --- | " + " | ".join(["---"] * len(bounds)) + " |")
    for world in worlds:
        for n in (50, 100, 300, 1000, 2000):
            rng = np.random.default_rng([arguments.seed, n])
            hits = np.zeros(len(bounds), dtype=int)
            for _ in range(arguments.repeats):
                values, clusters = world(rng, n, margin)
                hits += [bound(values, clusters, margin, rng) for bound in bounds]
            row = " | ".join(wilson(int(count), arguments.repeats) for count in hits)
            print(f"| {world.__name__.replace('_', ' ')} | {n} | {row} |", flush=True)
    for n in (50, 100, 300, 1000, 2000):  # no randomness here: nothing changed, so what is left open is exact
        print(f"| (nothing changed) | {n} | open: {1 - ALPHA ** (1 / n):.4f} | open: 0 | open: 0 |")


if __name__ == "__main__":
    main()
