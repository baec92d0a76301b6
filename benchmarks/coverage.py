"""How often each 95 % interval of the profile holds the true value, cell by cell, beside the usual intervals.

Run `python benchmarks/coverage.py --out docs/coverage.md`; it writes Markdown tables (about half an hour on one core
with the default 1,000 repeats). Problems are drawn from a population with a known truth: difficulty uniform, U-shaped,
or U-shaped with 30 % never solved; 1, 8 or 64 attempts; alone or in clusters of five that share their difficulty. The
second table has paired changes, the cases in which t, percentile, BCa, bootstrap-t and Newcombe intervals collapse.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import betaln

from ratchet.metrics.attribution import reached_in_improvement
from ratchet.metrics.bounds import p_at_least, p_at_most
from ratchet.metrics.crossover import crossover
from ratchet.metrics.intervals import TAIL
from ratchet.metrics.melded import Sampled, meld
from ratchet.metrics.pass_at_k import pass_at_k
from ratchet.metrics.stability import all_of_k

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
SIZES = (50, 200, 500, 2000)
CLUSTER, RESAMPLES = 5, 400


@dataclass(frozen=True)
class Difficulty:
    """A share of problems that are never solved, the others' rates drawn from Beta(a, b)."""

    name: str
    never: float
    a: float
    b: float

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """The rates of n problems."""
        return np.where(rng.random(n) < self.never, 0.0, rng.beta(self.a, self.b, n))

    def moment(self, right: int, wrong: int) -> float:
        """E[p^right (1-p)^wrong]."""
        solved = math.exp(betaln(self.a + right, self.b + wrong) - betaln(self.a, self.b))
        return (1 - self.never) * solved + (self.never if right == 0 else 0.0)


DIFFICULTIES = (
    Difficulty("uniform", 0.0, 1.0, 1.0),
    Difficulty("U-shaped", 0.0, 0.3, 0.3),
    Difficulty("U-shaped, 30 % never solved", 0.3, 0.3, 0.3),
)


@dataclass(frozen=True)
class Drawn:
    """One study: each problem's rate, and its right attempts of a number that is the same for all."""

    rates: Floats
    correct: Integers
    attempts: int
    clusters: Integers | None

    @property
    def graded(self) -> Integers:
        """The number of attempts of each problem."""
        return np.full(len(self.correct), self.attempts)


def study(rng: np.random.Generator, difficulty: Difficulty, n: int, attempts: int, clustered: bool) -> Drawn:
    """A study of n problems, alone or in clusters of five that share their difficulty."""
    rates = np.repeat(difficulty.draw(rng, n // CLUSTER), CLUSTER) if clustered else difficulty.draw(rng, n)
    clusters = np.repeat(np.arange(n // CLUSTER), CLUSTER) if clustered else None
    return Drawn(rates, rng.binomial(attempts, rates), attempts, clusters)


def holds(values: Floats, truth: float, clusters: Integers | None, lowest: float = 0.0, highest: float = 1.0) -> bool:
    """Whether the interval of the mean holds the truth: neither end's test rejects it."""
    below, above = p_at_most(values, truth, lowest, clusters), p_at_least(values, truth, highest, clusters)
    return min(below or 0.0, above or 0.0) > TAIL


def of_pass_at_k(drawn: Drawn, difficulty: Difficulty, rng: np.random.Generator) -> bool:
    """pass@k with k half of the attempts."""
    k = max(1, drawn.attempts // 2)
    return holds(pass_at_k(drawn.correct, drawn.graded, k), 1 - difficulty.moment(0, k), drawn.clusters)


def of_pass_at_1(drawn: Drawn, difficulty: Difficulty, rng: np.random.Generator) -> bool:
    """pass@1, which is the coverage of correct answers as well."""
    return holds(drawn.correct / drawn.attempts, difficulty.moment(1, 0), drawn.clusters)


def of_pass_hat_k(drawn: Drawn, difficulty: Difficulty, rng: np.random.Generator) -> bool:
    """pass^k with k half of the attempts."""
    k = max(1, drawn.attempts // 2)
    return holds(all_of_k(drawn.correct, drawn.graded, k), difficulty.moment(k, 0), drawn.clusters)


def of_selection(drawn: Drawn, difficulty: Difficulty, rng: np.random.Generator) -> bool | None:
    """The base's pass@k on the improvement set of an equal candidate: a ratio; needs three attempts."""
    if drawn.attempts < 3:
        return None
    k = drawn.attempts // 4
    share = rng.binomial(drawn.attempts, drawn.rates) / drawn.attempts
    reached = reached_in_improvement(share, drawn.correct, drawn.graded, k)
    truth = 1 - difficulty.moment(1, 1 + k) / difficulty.moment(1, 1)
    rest = reached.parts - truth * reached.wholes
    return holds(rest, 0.0, drawn.clusters, -truth, 1 - truth)


def of_disparity(drawn: Drawn, difficulty: Difficulty, rng: np.random.Generator) -> bool:
    """Group disparity between the drawn problems and as many that are solved a fifth as often."""
    harder = rng.binomial(drawn.attempts, difficulty.draw(rng, len(drawn.rates)) / 5)
    first, last = drawn.correct / drawn.attempts, harder / drawn.attempts
    if not first.any():
        return True  # null: the profile gives no number
    samples = [Sampled(first[:, None], (True,), drawn.clusters), Sampled(last[:, None], (False,))]
    known = meld(samples, lambda means: 1 - means[:, 1] / np.maximum(means[:, 0], 1e-300), draws=2000)
    return known.lower(TAIL) <= 0.8 <= known.upper(TAIL)


def of_crossover(drawn: Drawn, difficulty: Difficulty, rng: np.random.Generator) -> bool | None:
    """k* of a base that has the difficulty against a candidate with rate .9 on 60 % of its problems; 64 attempts."""
    if drawn.attempts != 64:
        return None
    mine = rng.binomial(64, np.where(rng.random(len(drawn.rates)) < 0.6, 0.9, 0.0))
    ahead = [1 - difficulty.moment(0, k) >= 0.6 * (1 - 0.1**k) for k in range(1, 33)]
    truth = max((k for k in range(1, 33) if not ahead[k - 1]), default=0) + 1
    gaps = [pass_at_k(drawn.correct, drawn.graded, k) - pass_at_k(mine, drawn.graded, k) for k in range(1, 33)]
    found = crossover(gaps, drawn.clusters)
    return (found.low or 1.0) <= truth <= (found.high or math.inf)


FAMILIES: dict[str, Callable[..., bool | None]] = {
    "pass@1": of_pass_at_1,
    "pass@k": of_pass_at_k,
    "pass^k": of_pass_hat_k,
    "attribution (a ratio)": of_selection,
    "disparity (melded)": of_disparity,
    "crossover": of_crossover,
}


def same_twice(rng: np.random.Generator, n: int) -> tuple[Floats, float]:
    """A nearly deterministic model measured twice: one problem in a hundred is a coin toss."""
    toss = rng.random(n) < 0.01
    return np.where(toss, rng.integers(0, 2, n) - rng.integers(0, 2, n), 0).astype(np.float64), 0.0


def rare_losses(rng: np.random.Generator, n: int) -> tuple[Floats, float]:
    """One problem in a hundred is lost outright, nothing else changes."""
    return np.where(rng.random(n) < 0.01, -1.0, 0.0), -0.01


def few_losses(rng: np.random.Generator, n: int) -> tuple[Floats, float]:
    """One problem in three hundred is lost outright."""
    return np.where(rng.random(n) < 1 / 300, -1.0, 0.0), -1 / 300


def losses_among_gains(rng: np.random.Generator, n: int) -> tuple[Floats, float]:
    """One problem in a hundred is lost outright, all others gain a little."""
    return np.where(rng.random(n) < 0.01, -1.0, 0.01), 0.99 * 0.01 - 0.01


CHANGES = (same_twice, rare_losses, few_losses, losses_among_gains)


def by_gaffke(values: Floats, truth: float, rng: np.random.Generator) -> bool:
    """Ratchet's interval."""
    return holds(values, truth, None, -1.0, 1.0)


def by_t(values: Floats, truth: float, rng: np.random.Generator) -> bool:
    """Student's t."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return bool(abs(values.mean() - truth) <= half + 1e-12)


def _resampled(values: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    seen, counts = np.unique(values, return_counts=True)
    weights = rng.multinomial(len(values), counts / len(values), RESAMPLES) / len(values)
    means = weights @ seen
    return means, np.sqrt(np.maximum(weights @ seen**2 - means**2, 0.0) / len(values))


def by_percentile(values: Floats, truth: float, rng: np.random.Generator) -> bool:
    """The percentile bootstrap."""
    low, high = np.quantile(_resampled(values, rng)[0], (0.025, 0.975))
    return bool(low - 1e-12 <= truth <= high + 1e-12)


def by_bca(values: Floats, truth: float, rng: np.random.Generator) -> bool:
    """The bias-corrected and accelerated bootstrap."""
    means, _ = _resampled(values, rng)
    mean = values.mean()
    share = np.clip(((means < mean).mean() + (means <= mean).mean()) / 2, 1e-3, 1 - 1e-3)
    centred = values - mean
    spread = float((centred**2).sum())
    speed = float((centred**3).sum()) / (6 * spread**1.5) if spread else 0.0
    z0, z = stats.norm.ppf(share), stats.norm.ppf((0.025, 0.975))
    levels = stats.norm.cdf(z0 + (z0 + z) / (1 - speed * (z0 + z)))
    low, high = np.quantile(means, np.clip(levels, 0.0, 1.0))
    return bool(low - 1e-12 <= truth <= high + 1e-12)


def by_bootstrap_t(values: Floats, truth: float, rng: np.random.Generator) -> bool:
    """The studentised bootstrap."""
    means, errors = _resampled(values, rng)
    kept = errors > 0
    error = values.std(ddof=1) / math.sqrt(len(values))
    if not kept.any():
        return bool(abs(values.mean() - truth) < 1e-12)
    low, high = np.quantile((means[kept] - values.mean()) / errors[kept], (0.025, 0.975))
    return bool(values.mean() - high * error - 1e-12 <= truth <= values.mean() - low * error + 1e-12)


def by_newcombe(values: Floats, truth: float, rng: np.random.Generator) -> bool:
    """Newcombe's square-and-add interval for two paired shares (of which the losses and gains are the discordant)."""
    n, lost, won = len(values), int((values < -0.5).sum()), int((values > 0.5).sum())
    ends = [stats.binomtest(k, n).proportion_ci(method="wilson") for k in (won, lost)]
    low = (won - lost) / n - math.hypot(won / n - ends[0].low, ends[1].high - lost / n)
    high = (won - lost) / n + math.hypot(ends[0].high - won / n, lost / n - ends[1].low)
    return bool(low - 1e-12 <= truth <= high + 1e-12)


PEERS = {
    "Ratchet": by_gaffke,
    "t": by_t,
    "percentile": by_percentile,
    "BCa": by_bca,
    "bootstrap-t": by_bootstrap_t,
    "Newcombe": by_newcombe,
}


def own_rows(repeats: int, seed: int) -> Iterator[list[str]]:
    """One row a family, difficulty, number of attempts and clustering: the coverage at each size."""
    for name, covers in FAMILIES.items():
        for number, difficulty in enumerate(DIFFICULTIES):
            for attempts in (1, 8, 64):
                for clustered in (False, True):
                    cells = []
                    for n in SIZES:
                        rng = np.random.default_rng([seed, number, attempts, clustered, n])
                        draws = (study(rng, difficulty, n, attempts, clustered) for _ in range(repeats))
                        found = [covers(drawn, difficulty, rng) for drawn in draws]
                        cells.append(None if found[0] is None else float(np.mean([bool(x) for x in found])))
                    if cells[0] is not None:
                        kind = "fives" if clustered else "alone"
                        yield [name, difficulty.name, str(attempts), kind, *(f"{cell:.3f}" for cell in cells)]


def change_rows(repeats: int, seed: int) -> Iterator[list[str]]:
    """One row a world and size: the coverage of each interval of a paired change."""
    for number, world in enumerate(CHANGES):
        for n in SIZES:
            rng = np.random.default_rng([seed, 99, number, n])
            hits = np.zeros(len(PEERS))
            for _ in range(repeats):
                values, truth = world(rng, n)
                hits += [covers(values, truth, rng) for covers in PEERS.values()]
            yield [world.__name__.replace("_", " "), str(n), *(f"{hit / repeats:.3f}" for hit in hits)]


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Write or print both tables, and the worst cell of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the page here")
    arguments = parser.parse_args()
    started = time.monotonic()
    own = list(own_rows(arguments.repeats, arguments.seed))
    changes = list(change_rows(arguments.repeats, arguments.seed))
    worst_own = min(float(cell) for row in own for cell in row[4:])
    worst = {name: min(float(row[2 + i]) for row in changes) for i, name in enumerate(PEERS)}
    repeats, seed = arguments.repeats, arguments.seed
    error = math.sqrt(0.95 * 0.05 / repeats)
    lowest = ", ".join(f"{name} {value:.3f}" for name, value in worst.items())
    page = f"""# Measured coverage of the profile's intervals

Written by `python benchmarks/coverage.py --repeats {repeats} --seed {seed} --out docs/coverage.md`.

Every cell is the share of {repeats} simulated studies whose 95 % interval held the true value; the standard error of a
cell at 0.95 is {error:.4f}. The lowest cell of the first table is **{worst_own:.3f}**. In the second the lowest cells
are {lowest}.

## Intervals of a profile, by number of problems

{table(["metric", "difficulty", "attempts", "problems are", *map(str, SIZES)], own)}

## Paired changes where almost nothing changed

Newcombe's interval is for outcomes of 0 and 1; where all problems gain a little it takes them as unchanged.

{table(["true change", "problems", *PEERS], changes)}
"""
    if arguments.out is None:
        print(page)
    else:
        arguments.out.write_text(page, encoding="utf-8")
        print(f"lowest cell {worst_own:.3f}; {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
