"""What can be measured of each problem, by name: the profile averages it, `compare` and the gate pair it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratchet.evaluate.diversity import TEXT_MEASURES
from ratchet.evaluate.suite import Suite
from ratchet.metrics.bounds import Floats
from ratchet.metrics.calibration import NO_CONFIDENCE, brier_by_problem
from ratchet.metrics.majority import majority_by_problem
from ratchet.metrics.pass_at_k import pass_at_k
from ratchet.metrics.stability import all_of_k, at_least_s_of_k

Booleans = NDArray[np.bool_]
COVERAGE = "coverage.correct"  # P1's name for pass@1 of sampled answers: what its choice of method rests on
_UNGRADED = "no graded attempts"
ENOUGH_CORRECT = 8  # B-STaR's balance score: more right answers of one problem than these add nothing


@dataclass(frozen=True, slots=True)
class Measure:
    """A number between 0 and 1 for each problem (NaN where it has none), whose mean over problems is the metric.

    Where a problem with graded attempts has fewer of them than `attempts_needed` the metric is undefined for the whole
    suite: the mean over the others would speak of other problems.
    """

    name: str
    values: Callable[[Suite], Floats]
    undefined: str
    attempts_needed: int = 1

    def too_few(self, suite: Suite, chosen: Booleans) -> str | None:
        """Why the metric is undefined for the chosen problems for want of attempts; None where it isn't."""
        graded = suite.counts.graded[chosen]
        short = int(((graded > 0) & (graded < self.attempts_needed)).sum())
        if not short:
            return None
        return f"{short} of {len(graded)} problems have fewer than {self.attempts_needed} graded attempts"


def measure(name: str) -> Measure | None:
    """The measure of that name; None where there is none."""
    for pattern, build in _FAMILIES:
        match = re.fullmatch(pattern, name)
        if match:
            return build(match)
    return None


def default_measures(suite: Suite, ks: Sequence[int] | None = None) -> list[str]:
    """The names of what a profile shows of a suite; without `ks` for powers of two up to its most graded attempts."""
    chosen = sorted(set(ks)) if ks else powers_of_two(int(suite.counts.graded.max(initial=0)))
    several = [k for k in chosen if k > 1]
    return [
        *(f"pass@{k}" for k in chosen),
        *(f"pass^{k}" for k in several),
        *(f"pass@{k}-{k // 2}" for k in several if k >= 4),
        *(f"majority@{k}" for k in several if k >= 4),
        COVERAGE,
        "balance",
        *suite.texts,
        "calibration.brier",
    ]


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4 and so on up to `most`; 1 alone where there is less."""
    return [2**exponent for exponent in range(max(most, 1).bit_length())]


def _pass_at_k(match: re.Match[str]) -> Measure:
    k = int(match["k"])
    return Measure(match[0], lambda suite: pass_at_k(suite.counts.correct, suite.counts.graded, k), _UNGRADED, k)


def _at_least(match: re.Match[str]) -> Measure | None:
    k, s = int(match["k"]), int(match["s"])
    if s > k:
        return None
    return Measure(
        match[0], lambda suite: at_least_s_of_k(suite.counts.correct, suite.counts.graded, k, s), _UNGRADED, k
    )


def _all_pass(match: re.Match[str]) -> Measure:
    k = int(match["k"])
    return Measure(match[0], lambda suite: all_of_k(suite.counts.correct, suite.counts.graded, k), _UNGRADED, k)


def _majority(match: re.Match[str]) -> Measure:
    def values(suite: Suite) -> Floats:
        graded = ~np.isnan(suite.attempts.correct)
        if not (suite.attempts.answers[graded] >= 0).any():
            return np.full(len(suite.counts.graded), np.nan)
        problems, answers = suite.attempts.problems[graded], suite.attempts.answers[graded]
        return majority_by_problem(
            problems, answers, suite.attempts.correct[graded], int(match["k"]), len(suite.counts.graded)
        )

    return Measure(match[0], values, "no attempt states its answer", int(match["k"]))


def _coverage(match: re.Match[str]) -> Measure:
    return Measure(match[0], lambda suite: suite.share, _UNGRADED)


def _balance(match: re.Match[str]) -> Measure:
    def values(suite: Suite) -> Floats:
        return np.minimum(suite.counts.correct / ENOUGH_CORRECT, 1.0) * suite.share

    return Measure(match[0], values, _UNGRADED)


def _brier(match: re.Match[str]) -> Measure:
    def values(suite: Suite) -> Floats:
        stated = suite.confidences
        return np.full(len(suite.counts.graded), np.nan) if stated is None else brier_by_problem(stated)

    return Measure(match[0], values, NO_CONFIDENCE)


def _of_texts(match: re.Match[str]) -> Measure:
    def values(suite: Suite) -> Floats:
        return suite.texts.get(match[0], np.full(len(suite.counts.graded), np.nan))

    return Measure(match[0], values, TEXT_MEASURES[match[0]])


_K = r"(?P<k>[1-9][0-9]{0,5})"
_FAMILIES: tuple[tuple[str, Callable[[re.Match[str]], Measure | None]], ...] = (
    (rf"pass@{_K}", _pass_at_k),
    (rf"pass@{_K}-(?P<s>[1-9][0-9]{{0,5}})", _at_least),
    (rf"pass\^{_K}", _all_pass),
    (rf"majority@{_K}", _majority),
    (re.escape(COVERAGE), _coverage),
    (r"balance", _balance),
    (r"calibration\.brier", _brier),
    ("|".join(re.escape(name) for name in TEXT_MEASURES), _of_texts),
)
