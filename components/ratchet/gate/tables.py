"""The tables of the verdict's page: every axis in words, groups of problems, and the evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.evaluate.serving import told
from ratchet.gate import wording
from ratchet.gate.axes import RELIABLE
from ratchet.gate.evidence import Evidence
from ratchet.gate.policy import Policy
from ratchet.gate.verdict import AxisResult
from ratchet.metrics.counts import ProblemCounts
from ratchet.metrics.pass_at_k import pass_at_k
from ratchet.pages.meanings import family
from ratchet.pages.numbers import listed, number

MOST_GROUPS = 30  # rows of the table by group: a page is read, not searched
MOST_NAMED = 6
_RETAINED = (
    "Of the problems that the reference reliably solves ({reliable:.0%} of one half of its attempts or more), the "
    "share of attempts that are right; the reference's number is from its other half."
)
_MEANINGS = {
    "pass@1": "How often one attempt is right, on average over the problems.",
    "disparity": "By which share pass@1 falls from the first group of problems to the last; lower is better.",
    "calibration.ece": "How far the model's confidence is from how often it is right, on average; lower is better.",
    "concepts.fringe": "pass@1 on the problems that need one of the policy's rare concepts.",
}


@dataclass(frozen=True, slots=True)
class AxisRow:
    """One axis against one reference: the cells of its row, what came of it, and what else there is to know."""

    cells: list[str]
    outcome: str
    said: str
    notes: list[str]


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One side's evidence on one suite."""

    side: str
    suite: str
    problems: int
    attempts: int
    fewest: int
    ungradable: int
    errors: int


@dataclass(frozen=True, slots=True)
class GroupRow:
    """pass@1 and pass@K of each side on one group of problems; None where a side has too few attempts there."""

    group: str
    problems: int
    at_1: list[float | None]
    at_k: list[float | None]


def axis_rows(axes: Sequence[AxisResult], policy: Policy) -> list[AxisRow]:
    """The table of axes; its margins say which way and of what."""
    cells = [row[:-2] for row in wording.axis_rows(axes)]
    critical = sum(r.tier == "critical" for r in axes)
    return [
        AxisRow([*row, _tolerated(r, policy)], r.outcome, wording.outcome(r), list(_notes(r, policy, critical)))
        for r, row in zip(axes, cells, strict=True)
    ]


def meanings(axes: Sequence[AxisResult], policy: Policy) -> list[tuple[str, str]]:
    """What the axes measure, those that one sentence explains together."""
    found: dict[str, list[str]] = {}
    for axis in dict.fromkeys(r.axis for r in axes):
        found.setdefault(_meaning(axis, policy), []).append(axis)
    told = [(listed(names, MOST_NAMED), meaning) for meaning, names in found.items() if meaning]
    if any(axis.startswith("ood.") for names in found.values() for axis in names):
        told.append(("ood.SUITE", "The same, on a suite that nothing was trained for."))
    return told


def groups(sides: Sequence[Evidence], suite: str, k: int) -> list[GroupRow]:
    """The table by group of problems; empty where the attempts name none."""
    counts = [side.suites[suite].counts for side in sides]
    names = sorted({name for name in counts[0].groups if name is not None}, key=_in_order)
    rows = []
    for name in names[:MOST_GROUPS]:
        chosen = [np.array([group == name for group in c.groups]) for c in counts]
        at_1, at_k = ([_mean_pass(c, of, n) for c, of in zip(counts, chosen, strict=True)] for n in (1, k))
        rows.append(GroupRow(name, int(chosen[0].sum()), at_1, at_k))
    return rows


def evidence_rows(sides: Sequence[Evidence]) -> list[EvidenceRow]:
    """How much evidence each side brought on each suite."""
    return [_evidence_row(side.name, suite.name, suite.counts) for side in sides for suite in side.suites.values()]


def identities(sides: Sequence[Evidence]) -> list[list[str]]:
    """Each profile once: what it is here, its name, its checkpoint's digest and its own, whose weights drew it."""
    roles: dict[str, list[str]] = {}
    for side in sides:
        roles.setdefault(side.profile_digest, []).append(side.name)
    first = {side.profile_digest: side.profile for side in reversed(sides)}
    return [
        [", ".join(names), first[d].name, first[d].checkpoint or "unknown", d, told(first[d].served)]
        for d, names in roles.items()
    ]


def _tolerated(r: AxisResult, policy: Policy) -> str:
    """The margin with its direction."""
    margin = {
        "drop": f"fall of {r.margin:.3f}",
        "relative drop": f"fall by {r.margin:.1%}",
        "rise": f"rise of {r.margin:.3f}",
    }[r.margin_kind]
    return f"{margin}, and must improve" if policy.axes[r.axis].must_improve else margin


def _notes(r: AxisResult, policy: Policy, critical: int) -> Iterator[str]:
    if r.reason is not None:
        yield f"Not measured: {r.reason}."
    if r.p_harm_holm is not None and r.p_harm is not None and r.outcome == "undecided" and r.p_harm < r.p_harm_holm:
        alone = r.low is not None and r.high is not None and _beyond(r)
        if alone:
            yield f"Beyond the margin if looked at alone, but not surely so as one of {critical} critical comparisons."
    if policy.axes[r.axis].must_improve and r.outcome == "undecided" and r.p_gain is not None:
        yield f"It must improve: the p-value of no gain is {r.p_gain:.2g}."
    if r.by_chance is not None and r.difference is not None:
        low, high = r.by_chance
        place = "below that" if r.difference < low else "above that" if r.difference > high else "between them"
        yield (
            f"If both were the same model, chance alone would give a change between {number(low, signed=True)} and "
            f"{number(high, signed=True)} in 9 of 10 cases; this one lies {place}."
        )
    if r.tier != "critical" and r.outcome == "undecided" and r.problems_needed is not None:
        yield f"About {wording.rounded(r.problems_needed)} problems like these {r.problems:,} would decide it."


def _beyond(r: AxisResult) -> bool:
    """Whether the whole interval lies beyond the margin."""
    low, high = r.low or 0.0, r.high or 0.0
    return low > r.margin if r.margin_kind == "rise" else high < -r.margin


def _meaning(axis: str, policy: Policy) -> str:
    measure = policy.measured(axis).measure
    if measure == "retained":
        return _RETAINED.format(reliable=policy.axes[axis].reliable or RELIABLE)
    return _MEANINGS.get(measure) or family(measure).meaning


def _mean_pass(counts: ProblemCounts, chosen: np.ndarray, k: int) -> float | None:
    correct, graded = counts.correct[chosen], counts.graded[chosen]
    if not len(graded) or graded.min() < k:
        return None
    return float(pass_at_k(correct, graded, k).mean())


def _in_order(name: str) -> tuple[bool, int, str]:
    """Numbers before words, 2 before 10."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def _evidence_row(side: str, suite: str, counts: ProblemCounts) -> EvidenceRow:
    attempts = counts.graded + counts.ungradable + counts.errors
    return EvidenceRow(
        side=side,
        suite=suite,
        problems=len(counts.problem_ids),
        attempts=counts.attempts,
        fewest=int(attempts.min()),
        ungradable=int(counts.ungradable.sum()),
        errors=int(counts.errors.sum()),
    )
