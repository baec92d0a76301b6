"""How often the interval of ECE covers the true one, and how often a change of calibration is claimed falsely.

Run `python benchmarks/calibration_coverage.py --out docs/calibration-coverage.md`; it writes two Markdown tables.
The true ECE and Brier score of each world follow from its definition, in closed form. The peer is the percentile
bootstrap over problems (clusters) of the plug-in estimate, on the same draws. Nominal are 95 % for an interval and 5 %
for a false claim, one-sided.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ratchet.metrics.bounds import Floats
from ratchet.metrics.calibration import BINS, Bracket, Confidences, bin_of, brier_change, ece_bracket, ece_change

Booleans = NDArray[np.bool_]
CELLS = [(n, m) for n in (50, 200, 500, 2000) for m in (1, 8, 64)]
ALPHA, RESAMPLES, FIVE = 0.05, 100, 5
OWN_HEADINGS = "world, true ECE, problems, attempts, mean estimate, mean interval, covered %, bootstrap covers %"
CHANGE_HEADINGS = (
    "candidate against reference, true change of ECE, problems, attempts, mean difference, "
    "ECE: undercut % and exceeded %, bootstrap: the same, Brier: the same"
)


@dataclass(frozen=True)
class Side:
    """A model whose attempts are right with chance confidence - `gap`: its ECE is |gap|.

    Confidence is 1 - `width` + `width` x with x ~ Beta(k t, k (1 - t)) around the problem's own t ~ Beta(5, 2); the
    smaller k, the sharper.
    """

    gap: float
    k: float = 8.0
    width: float = 0.7

    def brier(self) -> float:
        """With c the confidence: E (c - g)(1 - c + g) + g^2."""
        t, t2 = 5 / 7, 5 * 6 / (7 * 8)
        x2 = (t - t2) / (self.k + 1.0) + t2
        low = 1.0 - self.width
        c, c2 = low + self.width * t, low**2 + 2 * low * self.width * t + self.width**2 * x2
        return c - self.gap - c2 + 2.0 * self.gap * c


def draw(rng: np.random.Generator, n: int, m: int, sides: tuple[Side, ...], cluster: int = 1) -> list[Confidences]:
    """One profile a side: the same problems, and chance shared within a problem (cluster) and between the sides."""
    t = np.repeat(rng.beta(5, 2, (n // cluster, 1)), cluster, axis=0)
    shared = np.repeat(rng.random((n // cluster, 1)), cluster, axis=0)
    profiles = []
    for side in sides:
        confidence = 1.0 - side.width + side.width * rng.beta(side.k * t, side.k * (1.0 - t), (n, m))
        chance = np.where(rng.random((n, m)) < 0.7, shared, rng.random((n, m)))
        profiles.append(profile(confidence, chance < confidence - side.gap, cluster))
    return profiles


def profile(confidence: Floats, correct: Booleans, cluster: int = 1) -> Confidences:
    """Problems x attempts as `Confidences`."""
    n, m = confidence.shape
    clusters = np.arange(n) // cluster if cluster > 1 else None
    numbers = np.repeat(np.arange(n), m)
    return Confidences(numbers, confidence.ravel(), correct.ravel().astype(np.int64), n, clusters)


def alternating(rng: np.random.Generator, n: int, m: int) -> list[Confidences]:
    """Overconfident by .05 in every other bin and underconfident in the rest."""
    confidence = rng.uniform(0.1, 0.9, (n, m))
    gap = np.where(bin_of(confidence) % 2 == 0, 0.05, -0.05)
    return [profile(confidence, rng.random((n, m)) < confidence - gap)]


def constant(rng: np.random.Generator, n: int, m: int, confidence: float) -> list[Confidences]:
    """One confidence whatever comes; the right one a third away from it."""
    rate = rng.beta(0.6, 0.3, (n, 1)) if confidence == 1.0 else rng.beta(0.3, 0.6, (n, 1))
    return [profile(np.full((n, m), confidence), rng.random((n, m)) < rate)]


def outright(rng: np.random.Generator, n: int, m: int, wrong: tuple[float, ...]) -> list[Confidences]:
    """Always sure, and wrong at a few problems altogether: `wrong` is their share, a side each."""
    luck = np.broadcast_to(rng.random((n, 1)), (n, m))
    return [profile(np.ones((n, m)), luck >= share) for share in wrong]


def agreement(rng: np.random.Generator, n: int, m: int) -> list[Confidences]:
    """The share of four answers that agree: right with the problem's rate, wrong ones alike six times in ten."""
    rate = rng.random((n, 1))
    right = rng.random((n, m)) < rate
    return [profile((1 + rng.binomial(3, np.where(right, rate, 0.6 * (1 - rate)))) / 4, right)]


def agreement_ece() -> float:
    """Its truth: an integral of polynomials of degree 4 over the rate, exact at ten Gauss nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(10)
    rate, weights = (nodes + 1) / 2, weights / 2
    total = 0.0
    for others in range(4):
        right = (weights * rate * stats.binom.pmf(others, 3, rate)).sum()
        wrong = (weights * (1 - rate) * stats.binom.pmf(others, 3, 0.6 * (1 - rate))).sum()
        total += abs((1 + others) / 4 * (right + wrong) - right)
    return total


Draw = Callable[[np.random.Generator, int, int], list[Confidences]]


def worlds() -> Iterator[tuple[str, float, Draw]]:
    """Name, true ECE and draw of each world with one profile."""
    for name, gap in (("calibrated", 0.0), ("mildly overconfident", 0.05), ("strongly overconfident", 0.3)):
        yield name, gap, partial(draw, sides=(Side(gap),))
    yield "alternating by bin", 0.05, alternating
    yield "always 1.0", 1 / 3, partial(constant, confidence=1.0)
    yield "always 0", 1 / 3, partial(constant, confidence=0.0)
    yield "almost always right", 0.01, partial(outright, wrong=(0.01,))
    yield "agreement of four", agreement_ece(), agreement
    yield "clusters of five, mild", 0.05, partial(draw, sides=(Side(0.05),), cluster=FIVE)


def pairs() -> Iterator[tuple[str, float, float, Draw]]:
    """Name, true changes of ECE and of the Brier score, and draw of each world with a candidate and a reference."""
    cases = {
        "null, calibrated": (Side(0.0), Side(0.0)),
        "null, overconfident": (Side(0.3), Side(0.3)),
        "null, candidate sharper": (Side(0.0, k=1.0), Side(0.0, k=50.0)),
        "null, candidate duller": (Side(0.0, k=50.0), Side(0.0, k=1.0)),
        "0 to .05": (Side(0.05), Side(0.0)),
        ".1 to .15": (Side(0.15), Side(0.1)),
        ".1 to .15, sharper": (Side(0.15, k=1.0), Side(0.1, k=50.0)),
        ".1 to .15, duller": (Side(0.15, k=50.0), Side(0.1, k=1.0)),
    }
    for name, (candidate, reference) in cases.items():
        rise = abs(candidate.gap) - abs(reference.gap)
        yield name, rise, candidate.brier() - reference.brier(), partial(draw, sides=(candidate, reference))
    yield "always 1.0, .01 to .06", 0.05, 0.05, partial(outright, wrong=(0.06, 0.01))
    clustered = (Side(0.15), Side(0.1))
    brier = clustered[0].brier() - clustered[1].brier()
    yield ".1 to .15, clusters of five", 0.05, brier, partial(draw, sides=clustered, cluster=FIVE)


def resampled(profiles: list[Confidences], rng: np.random.Generator) -> Floats:
    """Plug-in ECE, or its change, of resampled problems (clusters)."""
    first = profiles[0]
    units = first.clusters if first.clusters is not None else np.arange(first.count)
    count, m = int(units.max()) + 1, len(first.problems) // first.count
    weights = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)
    eces = []
    for data in profiles:
        cells = units[data.problems] * BINS + bin_of(data.confidence)
        gaps = np.bincount(cells, data.confidence - data.correct, count * BINS).reshape(count, BINS)
        eces.append(np.abs(weights @ gaps).sum(axis=1) / (first.count * m))
    return eces[0] if len(eces) == 1 else eces[0] - eces[1]


def false_claims(found: Bracket, truth: float, alpha: float) -> list[bool]:
    """Whether the true number is said to be exceeded, and undercut, at level alpha."""
    return [truth > 0.0 and found.p_at_least(truth) <= alpha, found.p_at_most(truth) <= alpha]


def percent(hits: int, repeats: int) -> str:
    """The share of the repeats in per cent."""
    return f"{100 * hits / repeats:.1f}"


def own_rows(repeats: int, seed: int) -> Iterator[list[str]]:
    """One row a world, size and number of attempts: the coverage of the interval of ECE."""
    for name, truth, world in worlds():
        for n, m in CELLS:
            rng = np.random.default_rng([seed, n, m])
            covered = peer = 0
            values, ends = [], []
            for repeat in range(repeats):
                profiles = world(rng, n, m)
                found = ece_bracket(profiles[0])
                covered += not any(false_claims(found, truth, ALPHA / 2))
                low, high = np.quantile(resampled(profiles, rng), (ALPHA / 2, 1 - ALPHA / 2))
                peer += low <= truth + 1e-12 and truth - 1e-12 <= high
                values.append(found.value)
                if repeat < 10:  # the ends cost more than the p-values that say what they cover
                    ends.append((max(0.0, found.lower(ALPHA / 2)), found.upper(ALPHA / 2)))
            mean_ends = "[{:.3f}, {:.3f}]".format(*np.mean(ends, axis=0))
            cells = [f"{np.mean(values):.3f}", mean_ends, percent(covered, repeats), percent(peer, repeats)]
            yield [name, f"{truth:.3f}", str(n), str(m), *cells]


def change_rows(repeats: int, seed: int) -> Iterator[list[str]]:
    """One row a pair, size and number of attempts: how often the true change is said to be undercut, and exceeded."""
    for name, rise, brier_rise, world in pairs():
        for n, m in CELLS:
            rng = np.random.default_rng([seed, n, m, 1])
            hits = np.zeros(6, dtype=np.int64)
            values = []
            for _ in range(repeats):
                profiles = world(rng, n, m)
                found, squares = ece_change(*profiles), brier_change(*profiles)
                assert found is not None and squares is not None
                peer = resampled(profiles, rng)
                claims = [found.p_at_least(rise) <= ALPHA, found.p_at_most(rise) <= ALPHA]
                claims += [np.quantile(peer, 1 - ALPHA) < rise, np.quantile(peer, ALPHA) > rise]
                claims += [squares.p_at_least(brier_rise) <= ALPHA, squares.p_at_most(brier_rise) <= ALPHA]
                hits += claims
                values.append(found.value)
            shares = [percent(int(count), repeats) for count in hits]
            cells = (", ".join(shares[i : i + 2]) for i in (0, 2, 4))
            yield [name, f"{rise:.2f}", str(n), str(m), f"{np.mean(values):.3f}", *cells]


def table(headings: str, rows: list[list[str]]) -> str:
    """A Markdown table."""
    names = headings.split(", ")
    return "\n".join("| " + " | ".join(line) + " |" for line in [names, ["---"] * len(names), *rows])


def main() -> None:
    """Write or print both tables, and the worst cell of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the page here")
    arguments = parser.parse_args()
    repeats, seed = arguments.repeats, arguments.seed
    started = time.monotonic()
    own, changes = list(own_rows(repeats, seed)), list(change_rows(repeats, seed))
    covered, peer = (min(float(row[i]) for row in own) for i in (6, 7))
    claimed, peers, brier = (max(float(share) for row in changes for share in row[i].split(", ")) for i in (5, 6, 7))
    errors = [100 * math.sqrt(p * (1 - p) / repeats) for p in (0.95, 0.05)]
    page = f"""# Measured coverage of the calibration intervals

Written by `python benchmarks/calibration_coverage.py --repeats {repeats} --seed {seed} --out
docs/calibration-coverage.md`.

Every cell comes from {repeats} simulated studies; the standard error of a cell at its nominal level is {errors[0]:.1f}
percentage points. The truth of each world is known in closed form. The peer is the percentile bootstrap over problems
(clusters) of the plug-in estimate, on the same draws.

## The interval of ECE

Nominal are 95 %. The lowest cell is **{covered:.1f} %**, the bootstrap's lowest {peer:.1f} %.

{table(OWN_HEADINGS, own)}

## Changes of ECE and of the Brier score

How often the true change is said to be undercut, and exceeded, at level 5 %: each is a false claim. The highest cell is
**{claimed:.1f} %** for ECE, {brier:.1f} % for the Brier score, {peers:.1f} % for the bootstrap of ECE.

{table(CHANGE_HEADINGS, changes)}
"""
    if arguments.out is None:
        print(page)
    else:
        arguments.out.write_text(page, encoding="utf-8")
        print(f"lowest cell {covered:.1f} %; {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
