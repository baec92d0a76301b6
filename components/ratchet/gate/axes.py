"""Every axis against every reference: the paired change of its measure, and the tests on it."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.compare.changes import changed
from ratchet.evaluate.averages import disparity
from ratchet.evaluate.measures import Booleans, measure
from ratchet.evaluate.suite import Suite
from ratchet.gate.evidence import Evidence
from ratchet.gate.policy import Axis, Policy
from ratchet.gate.retained import retained_change
from ratchet.gate.verdict import AxisOutcome, AxisResult, MarginKind
from ratchet.metrics.calibration import NO_CONFIDENCE, ece
from ratchet.metrics.harm import p_of_harm
from ratchet.metrics.paired import Change, PairedMean, RelativeMean

RELIABLE = 0.75  # of a reference's attempts: from here on a problem counts as solved reliably


def judge_axes(
    candidate: Evidence, references: Mapping[str, Evidence], policy: Policy, alpha: float
) -> tuple[AxisResult, ...]:
    """The result of each axis of the policy against each reference, in the policy's order.

    Harm on a critical axis is `harm` where its p-value holds after Holm over all critical pairs, which keeps the chance
    to block a candidate that is within every margin at alpha; the other tiers can't block and are taken at alpha each.
    """
    results = [
        _judged(name, candidate, reference, policy, alpha) for name in policy.axes for reference in references.values()
    ]
    critical = [index for index, result in enumerate(results) if result.tier == "critical"]
    # a pair that could not be measured stays among them with a p-value of 1: what is missing buys no power
    adjusted = holm([1.0 if (p := results[index].p_harm) is None else p for index in critical])
    for index, p in zip(critical, adjusted, strict=True):
        if results[index].p_harm is not None:
            results[index] = dataclasses.replace(results[index], p_harm_holm=p)
    return tuple(dataclasses.replace(result, outcome=_outcome(result, alpha)) for result in results)


def estimate_axes(candidate: Evidence, policy: Policy) -> tuple[AxisResult, ...]:
    """The axes of a first checkpoint: what it reaches, compared with nothing."""
    results = []
    for name, axis in policy.axes.items():
        value, problems, reason = reached(name, candidate, policy)
        blank = _blank(name, axis, None, reason)
        results.append(dataclasses.replace(blank, candidate_estimate=value, outcome="first", problems=problems))
    return tuple(results)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values after Holm: the i-th smallest of m is multiplied by m - i + 1 and never below one before it."""
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


@dataclass(frozen=True, slots=True)
class _Pair:
    """What an axis compares: the two numbers and the change between them."""

    candidate: float
    reference: float
    change: Change
    problems: int
    by_chance: tuple[float, float] | None = None


def _judged(name: str, candidate: Evidence, reference: Evidence, policy: Policy, alpha: float) -> AxisResult:
    axis = policy.axes[name]
    found = _pair(name, candidate, reference, policy)
    if isinstance(found, str):
        return _blank(name, axis, reference.name, found)
    change, rising = found.change, axis.max_rise is not None
    threshold = axis.margin if rising else -axis.margin
    excludes = change.p_at_least if rising else change.p_at_most
    p_within, p_gain = excludes(threshold), excludes(0.0) if axis.must_improve else None
    goal = 0.0 if p_gain is not None and p_gain > alpha else threshold
    missed = max(p_within, p_gain or 0.0) > alpha
    return dataclasses.replace(
        _blank(name, axis, reference.name, None),
        candidate_estimate=found.candidate,
        reference_estimate=found.reference,
        difference=change.value,
        low=change.lower(alpha),
        high=change.upper(alpha),
        p_within=p_within,
        p_harm=min(1.0, reference.chosen_from * p_of_harm(change, threshold, rising)),
        p_gain=p_gain,
        problems=found.problems,
        problems_needed=_needed(change, goal, alpha, rising) if missed else None,
        by_chance=found.by_chance,
    )


def _pair(name: str, candidate: Evidence, reference: Evidence, policy: Policy) -> _Pair | str:
    """The two sides of an axis, or why it can't be measured."""
    axis, what = policy.axes[name], policy.measured(name)
    mine = candidate.suites[what.suite]
    if what.measure == "retained":
        judged, unseen = reference.even[what.suite], reference.odd[what.suite]
        kept = retained_change(mine, judged, unseen, axis.reliable or RELIABLE)
        if isinstance(kept, str):
            return kept
        return _Pair(kept.candidate, kept.reference, kept.change, len(kept.change.values), kept.by_chance)
    only = _touching(mine, policy) if what.measure == "concepts.fringe" else None
    measure = "pass@1" if only is not None else what.measure
    found = changed(measure, reference.suites[what.suite], mine, axis.max_relative_drop is not None, only)
    return found if isinstance(found, str) else _Pair(found.after, found.before, found.change, found.problems)


def _touching(suite: Suite, policy: Policy) -> Booleans:
    """Which problems need a concept of the policy's fringe."""
    fringe = set(policy.concepts.fringe if policy.concepts else ())
    return np.array([not fringe.isdisjoint(names) for names in suite.concepts])


def reached(name: str, side: Evidence, policy: Policy) -> tuple[float | None, int, str | None]:
    """The axis' value for a checkpoint on its own, over how many problems, and why it has none."""
    what = policy.measured(name)
    suite = side.suites[what.suite]
    if what.measure == "retained":
        return None, 0, "nothing was solved before"
    if what.measure == "concepts.fringe":
        shares = suite.share[_touching(suite, policy)]
        return (float(shares.mean()), len(shares), None) if len(shares) else (None, 0, "no problem touches the fringe")
    if what.measure == "disparity":
        estimate = disparity(suite)
        return estimate.value, len(suite.counts.groups) - estimate.left_out, estimate.reason
    if what.measure == "calibration.ece":
        stated = suite.confidences
        if stated is None:
            return None, 0, NO_CONFIDENCE
        estimate = ece(stated)
        return estimate.value, int(estimate.denominator), None
    found = measure(what.measure)
    assert found is not None, f"the policy let the axis {name!r} through"
    values = found.values(suite)
    known = values[~np.isnan(values)]
    return (float(known.mean()), len(known), None) if len(known) else (None, 0, found.undefined)


def _blank(name: str, axis: Axis, reference: str | None, reason: str | None) -> AxisResult:
    """The result of an axis that nothing is known of yet, or, for a reason, can't be measured."""
    kind: MarginKind = "rise" if axis.max_rise is not None else "drop"
    if axis.max_relative_drop is not None:
        kind = "relative drop"
    return AxisResult(
        axis=name,
        tier=axis.tier,
        reference=reference,
        **dict.fromkeys(("candidate_estimate", "reference_estimate", "difference", "low", "high"), None),
        margin=axis.margin,
        margin_kind=kind,
        **dict.fromkeys(("p_within", "p_harm", "p_harm_holm", "p_gain"), None),
        outcome="undecided",
        problems=0,
        reason=reason,
    )


def _needed(change: Change, goal: float, alpha: float, rising: bool) -> int | None:
    """About how many problems like these would decide; None where none would, or it isn't known."""
    if rising and isinstance(change, PairedMean):
        mirrored = PairedMean(-change.values, -change.highest, -change.lowest, change.clusters)
        return mirrored.problems_needed(-goal, alpha)
    if not rising and isinstance(change, PairedMean | RelativeMean):
        return change.problems_needed(goal, alpha)
    return None


def _outcome(result: AxisResult, alpha: float) -> AxisOutcome:
    harm = result.p_harm if result.p_harm_holm is None else result.p_harm_holm
    if harm is not None and harm <= alpha:
        return "harm"
    within = result.p_within is not None and result.p_within <= alpha
    return "ok" if within and (result.p_gain is None or result.p_gain <= alpha) else "undecided"
