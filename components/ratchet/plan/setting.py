"""What a plan is made for: the policy's axes that can be simulated, and the problems to simulate them on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ratchet.errors import InputError
from ratchet.evaluate.attempts import read_light
from ratchet.evaluate.diversity import SAMPLES_COMPARED
from ratchet.evaluate.measures import measure
from ratchet.evaluate.profile import ATTEMPTS_FILE
from ratchet.evaluate.suite import Suite, load_suites
from ratchet.evaluate.texts import chosen_texts
from ratchet.gate.policy import Axis, Policy
from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers
from ratchet.plan.difficulty import Difficulty
from ratchet.plan.population import Population, of_difficulty, of_suite

Halves = tuple[Suite, Suite]
_FROM_COUNTS = re.compile(r"pass[@^].+|coverage\.correct|balance")
_SUBSETS = ("retained", "disparity", "concepts.fringe")
_UNKNOWN = "needs the base's attempts: give --base"


@dataclass(frozen=True, slots=True)
class Setting:
    """A policy, what its candidates are compared with, and the problems of each suite.

    `halves` are a base's attempts with even and odd numbers, and `resampled` holds the measures of both by axis: for
    what can't be simulated from counts. `unplanned` says of each axis that is left out why.
    """

    policy: Policy
    alpha: float
    references: tuple[str, ...]
    populations: dict[str, Population]
    halves: dict[str, Halves]
    resampled: dict[str, tuple[Floats, Floats]]
    unplanned: dict[str, str]
    seed: int

    @property
    def axes(self) -> dict[str, Axis]:
        """The axes that are planned for, in the policy's order."""
        return {name: axis for name, axis in self.policy.axes.items() if name not in self.unplanned}

    @property
    def critical_pairs(self) -> int:
        """How many critical pairs Holm's correction counts: those that can't be planned for as well."""
        return len(self.references) * sum(axis.tier == "critical" for axis in self.policy.axes.values())

    @property
    def fewest_attempts(self) -> int:
        """The fewest attempts a problem with which every axis that is planned for is defined."""
        needed = [self.policy.measured(name).attempts_needed for name in self.axes]
        return max(needed) * (2 if "best" in self.references else 1)


def from_counts(name: str) -> bool:
    """Whether a measure follows from how many attempts at each problem are right."""
    return _FROM_COUNTS.fullmatch(name) is not None


def setting(
    policy: Policy, alpha: float, references: Sequence[str], source: Difficulty | Path, seed: int = 0
) -> Setting:
    """What to simulate, with problems like those of a profile (`source` is its folder) or of a difficulty."""
    halves: dict[str, Halves] = {}
    if isinstance(source, Difficulty):
        populations = dict.fromkeys(policy.suites.names, of_difficulty(source))
    else:
        whole, halves = _read(source, policy)
        populations = {name: of_suite(suite, _touching(suite, policy), seed) for name, suite in whole.items()}
    reasons = {name: _left_out(name, policy, populations, halves) for name in policy.axes}
    unplanned = {name: reason for name, reason in reasons.items() if reason is not None}
    if not any(axis.tier == "critical" and name not in unplanned for name, axis in policy.axes.items()):
        raise InputError("no critical axis that can be planned for", expected="one", next="; ".join(unplanned.values()))
    resampled = {name: _of_halves(name, policy, halves) for name in policy.axes if name not in unplanned}
    kept = {name: values for name, values in resampled.items() if values is not None}
    return Setting(policy, alpha, tuple(references), populations, halves, kept, unplanned, seed)


def _read(folder: Path, policy: Policy) -> tuple[dict[str, Suite], dict[str, Halves]]:
    """The suites of a profile, without problems that have no graded attempt, and the two halves of their attempts."""
    import pyarrow.compute as pc

    path = folder / ATTEMPTS_FILE
    light = read_light(path)
    found = load_suites(light)
    missing = [name for name in policy.suites.names if name not in found]
    if missing:
        raise InputError(f"no attempt at suite {missing[0]!r}", where=path, expected="every suite of the policy")
    for name in policy.suites.names:
        if not found[name].counts.graded.any():
            raise InputError(f"no graded attempt at suite {name!r}", where=path, expected="attempts to plan from")
    sides = []
    for half in (0, 1):
        chosen = pc.equal(pc.bit_wise_and(light["attempt"], 1), half)
        texts = chosen_texts(path, SAMPLES_COMPARED, half) if policy.needs_texts else None
        sides.append(load_suites(light.filter(chosen), texts))
    whole = {name: found[name] for name in policy.suites.names}
    return whole, {name: (sides[0][name], sides[1][name]) for name in whole if _both(whole[name], sides, name)}


def _both(whole: Suite, sides: Sequence[dict[str, Suite]], name: str) -> bool:
    """Whether every problem has graded attempts on both halves, so that one can stand for another checkpoint's."""
    ids = whole.counts.problem_ids
    return all(name in side and side[name].counts.problem_ids == ids for side in sides) and all(
        side[name].counts.graded.all() for side in sides
    )


def _touching(suite: Suite, policy: Policy) -> Integers | None:
    if policy.concepts is None:
        return None
    fringe = set(policy.concepts.fringe)
    return np.array([not fringe.isdisjoint(names) for names in suite.concepts], dtype=np.int64)


def _left_out(name: str, policy: Policy, populations: dict[str, Population], halves: dict[str, Halves]) -> str | None:
    """Why an axis can't be planned for; None where it can."""
    what = policy.measured(name)
    problems = populations[what.suite]
    known = len(problems.positions) > 1
    if what.measure == "disparity" and problems.ends is None:
        return "the base's attempts name fewer than two groups" if known else f"groups are not known; {_UNKNOWN}"
    if what.measure == "concepts.fringe" and (problems.fringe is None or not problems.fringe.any()):
        return "no problem of the base touches the fringe" if known else f"concepts are not known; {_UNKNOWN}"
    if from_counts(what.measure) or what.measure in _SUBSETS:
        return None
    of_what = "texts" if what.measure.startswith("diversity.") else "answers"
    of_what = "confidences" if what.measure.startswith("calibration.") else of_what
    if not known:
        return f"{of_what} can't be simulated from a difficulty; {_UNKNOWN}"
    if what.suite not in halves:
        return "some problem of the base has no graded attempt on one half of its attempts"
    return _undefined(what.measure, halves[what.suite])


def _of_halves(axis: str, policy: Policy, halves: dict[str, Halves]) -> tuple[Floats, Floats] | None:
    """A measure of each problem on both halves of the base's attempts; None for what is simulated in another way."""
    what = policy.measured(axis)
    found = measure(what.measure)
    if found is None or from_counts(what.measure):
        return None
    even, odd = halves[what.suite]
    return found.values(even), found.values(odd)


def _undefined(name: str, halves: Halves) -> str | None:
    """Why a measure of texts, answers or confidences can't be had from either half of the base's attempts."""
    if name == "calibration.ece":
        return "the base states no confidences" if any(half.confidences is None for half in halves) else None
    found = measure(name)
    assert found is not None, f"the policy let the axis {name!r} through"
    for half in halves:
        short = found.too_few(half, half.counts.graded > 0)
        if short or np.isnan(found.values(half)).all():
            return f"on one half of the base's attempts {short or found.undefined}"
    return None
