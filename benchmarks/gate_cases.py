"""The cases of `benchmarks/gate_peers.py`: results of two or three checkpoints whose true rates are known.

Every problem has a rate, drawn from a population, and every attempt is drawn from its problem's rate. What a case is
named after is the change of the rates, so the right answer follows from the construction and not from any gate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PROBLEMS, ATTEMPTS, REPORTED = 500, 32, 40
WRONG, CORRECT, FAILED = 0, 1, 2  # outcomes; FAILED: the machinery did, not the model
LEAST, MOST = 0.08, 0.92  # of the rates, so that every shift below leaves them between 0 and 1
MARGINS = {"pass@1": 0.02, "pass@16": 0.03}
POINT = {"pass@1": 0.01, "pass@16": 0.01}
STEP, ROUNDS, ERROR_RATE, LOST, GAIN = 0.012, 5, 0.05, 0.01, 0.002
FINE, HARM, UNUSABLE = frozenset({"go"}), frozenset({"stop", "refuse"}), frozenset({"refuse"})


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What one evaluation hands over: a checkpoint's name, and for each suite its problems and their outcomes."""

    checkpoint: str
    suites: Mapping[str, tuple[Ints, Ints]]
    """Numbers of the problems, and a row of outcomes for each of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One question to every gate; `right` holds the kinds of answer that the construction bears out."""

    name: str
    truth: str
    right: frozenset[str]
    candidate: Results
    references: Mapping[str, Results]
    """The first is what a tool that knows one baseline compares with."""
    margins: Mapping[str, float]
    errors_are_wrong: bool = True
    """How failed attempts reach a tool that knows right and wrong only: as wrong ones, or not at all."""
    history: tuple[Results, ...] = ()
    """The rounds before the candidate, oldest first, for a gate that takes them."""


def all_cases(seed: int, repeats: int) -> list[Case]:
    """Every case in the order of the table; the repeated ones come `repeats` times, each time drawn anew."""
    rng = np.random.default_rng([seed, 0])
    rates = rng.uniform(LEAST, MOST, PROBLEMS)
    base = _drawn("base", rng, rates)
    return [
        _reversal(np.random.default_rng([seed, 1])),
        _nothing(base),
        _few(np.random.default_rng([seed, 3]), base, rates),
        *(_null(np.random.default_rng([seed, 4, i])) for i in range(repeats)),
        *(_beyond_a_point(np.random.default_rng([seed, 5, i])) for i in range(repeats)),
        _erosion(np.random.default_rng([seed, 6]), base, rates),
        _out_of_distribution(np.random.default_rng([seed, 7])),
        *_failures(np.random.default_rng([seed, 8]), base, rates),
        *(_rare_losses(np.random.default_rng([seed, 9, i])) for i in range(repeats)),
        Case("the candidate is the base", "nothing new: refuse", UNUSABLE, base, {"base": base}, MARGINS),
        _improvement(np.random.default_rng([seed, 10]), base, rates),
        *_unasked(np.random.default_rng([seed, 11]), base, rates),
    ]


def reversal_rates() -> tuple[Floats, Floats]:
    """Rates before and after: pass@1 .479 -> .541, pass@16 .840 -> .594, 123 of 500 problems lost.

    297 problems are solved before and after, 123 with a rate of .3 are lost, 80 are never solved; 297/500 = .594, and
    pass@16 before is .594 + .246 x (1 - .7^16) = .839.
    """
    kept, lost, never = 297, 123, PROBLEMS - 297 - 123
    before = np.repeat([(0.479 * PROBLEMS - 0.3 * lost) / kept, 0.3, 0.0], [kept, lost, never])
    return before, np.repeat([0.541 * PROBLEMS / kept, 0.0, 0.0], [kept, lost, never])


def _drawn(checkpoint: str, rng: np.random.Generator, main: Floats, ood: Floats | None = None) -> Results:
    suites = {"main": main} if ood is None else {"main": main, "far": ood}
    return Results(checkpoint, {name: (np.arange(len(rates)), _outcomes(rng, rates)) for name, rates in suites.items()})


def _outcomes(rng: np.random.Generator, rates: Floats) -> Ints:
    return (rng.random((len(rates), ATTEMPTS)) < rates[:, None]).astype(np.int64)


def _reversal(rng: np.random.Generator) -> Case:
    before, after = reversal_rates()
    base, candidate = _drawn("before", rng, before), _drawn("reversed", rng, after)
    truth = "pass@1 +.062, pass@16 -.245: stop"
    return Case("reversal", truth, HARM, candidate, {"base": base}, MARGINS)


def _nothing(base: Results) -> Case:
    empty = Results("empty", {"main": (np.empty(0, int), np.empty((0, ATTEMPTS), int))})
    return Case("empty results", "nothing was measured: refuse", UNUSABLE, empty, {"base": base}, MARGINS)


def _few(rng: np.random.Generator, base: Results, rates: Floats) -> Case:
    easiest = np.argsort(rates)[-REPORTED:]
    worse = _outcomes(rng, rates[easiest] - 0.05)
    name, truth = f"{REPORTED} of {PROBLEMS} problems reported, the easiest", "5 points worse, unseen: refuse"
    return Case(name, truth, UNUSABLE, Results("partial", {"main": (easiest, worse)}), {"base": base}, MARGINS)


def _null(rng: np.random.Generator) -> Case:
    rates = rng.uniform(LEAST, MOST, PROBLEMS)
    base, candidate = _drawn("base", rng, rates), _drawn("equal", rng, rates)
    return Case("null: equal rates, margins of 1 point", "no change: GO", FINE, candidate, {"base": base}, POINT)


def _beyond_a_point(rng: np.random.Generator) -> Case:
    rates = rng.uniform(LEAST, MOST, PROBLEMS)
    base, candidate = _drawn("base", rng, rates), _drawn("worse", rng, rates - STEP)
    return Case("1.2 points worse, margins of 1 point", "pass@1 -.012: stop", HARM, candidate, {"base": base}, POINT)


def _erosion(rng: np.random.Generator, base: Results, rates: Floats) -> Case:
    rounds = [_drawn(f"round-{i}", rng, rates - STEP * i) for i in range(1, ROUNDS + 1)]
    references = {"champion": rounds[-2], "base": base}
    truth = "pass@1 -.012 since the champion, -.060 since the base: stop"
    return Case(
        f"slow erosion, round {ROUNDS}", truth, HARM, rounds[-1], references, MARGINS, history=tuple(rounds[:-1])
    )


def _out_of_distribution(rng: np.random.Generator) -> Case:
    main, far = rng.uniform(LEAST, MOST, PROBLEMS), rng.uniform(0.2, MOST, PROBLEMS)
    base, candidate = _drawn("base", rng, main, far), _drawn("narrow", rng, main, far - 0.1)
    margins = {**MARGINS, "ood.far.pass@1": 0.03}
    truth = "main suite equal, the other -.10: stop"
    return Case("out-of-distribution fall", truth, HARM, candidate, {"base": base}, margins)


def _failures(rng: np.random.Generator, base: Results, rates: Floats) -> Iterator[Case]:
    equal = _outcomes(rng, rates)
    equal[rng.random(equal.shape) < ERROR_RATE] = FAILED
    candidate, share = Results("failing", {"main": (np.arange(PROBLEMS), equal)}), f"{ERROR_RATE:.0%}"
    truth = "equal, ill measured: refuse"
    yield Case(f"{share} of attempts failed, counted as wrong", truth, UNUSABLE, candidate, {"base": base}, MARGINS)
    worse = _outcomes(rng, rates - 0.03)
    wrong = worse == WRONG
    worse[wrong & (rng.random(worse.shape) < ERROR_RATE / wrong.mean())] = FAILED
    name, truth = f"{share} failed where the answer was wrong, left out", "pass@1 -.030, ill measured: stop or refuse"
    hidden = Results("hidden", {"main": (np.arange(PROBLEMS), worse)})
    yield Case(name, truth, HARM, hidden, {"base": base}, MARGINS, errors_are_wrong=False)


def _rare_losses(rng: np.random.Generator) -> Case:
    before = rng.uniform(0.5, MOST, PROBLEMS)
    after = np.where(rng.random(PROBLEMS) < LOST, 0.0, before + GAIN)
    base, candidate = _drawn("base", rng, before), _drawn("lossy", rng, after)
    name = "1% of the problems lost outright, the rest better, pass@16 margin .008"
    return Case(name, "pass@16 -.010: stop", HARM, candidate, {"base": base}, {**MARGINS, "pass@16": 0.008})


def _improvement(rng: np.random.Generator, base: Results, rates: Floats) -> Case:
    better = _drawn("better", rng, rates + 0.03)
    return Case("3 points better everywhere", "pass@1 +.030: GO", FINE, better, {"base": base}, MARGINS)


def _unasked(rng: np.random.Generator, base: Results, rates: Floats) -> Iterator[Case]:
    worse = _drawn("worse", rng, rates - 0.05)
    case = Case("no baseline given", "5 points worse: stop or refuse", HARM, worse, {}, MARGINS)
    yield case
    yield replace(case, name="no threshold configured", references={"base": base}, margins={})
