"""Every axis against every reference: paired differences problem by problem, and the tests on them."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ratchet.gate.evidence import Evidence
from ratchet.gate.policy import Axis, Policy, measured_by
from ratchet.gate.verdict import AxisOutcome, AxisResult
from ratchet.metrics.bounds import lower_bound, p_at_least, p_at_most, problems_needed, upper_bound
from ratchet.metrics.counts import cluster_indices
from ratchet.metrics.pass_at_k import pass_at_k

Floats = NDArray[np.float64]
FLOOR, CEILING = -1.0, 1.0  # of a difference of two shares


def judge_axes(candidate: Evidence, references: Mapping[str, Evidence], policy: Policy) -> tuple[AxisResult, ...]:
    """The result of each axis of the policy against each reference, in the policy's order.

    Harm on a critical axis is `harm` where its p-value holds after Holm over all critical pairs, which keeps the chance
    to block a candidate that is within every margin at alpha; the other tiers can't block and are taken at alpha each.
    """
    measured = [
        _measure(candidate, reference, name, axis, policy)
        for name, axis in policy.axes.items()
        for reference in references.values()
    ]
    critical = [index for index, result in enumerate(measured) if result.tier == "critical"]
    adjusted = holm([p for index in critical if (p := measured[index].p_harm) is not None])
    for index, p in zip(critical, adjusted, strict=True):
        measured[index] = dataclasses.replace(measured[index], p_harm_holm=p)
    return tuple(dataclasses.replace(result, outcome=_outcome(result, policy.alpha)) for result in measured)


def estimate_axes(candidate: Evidence, policy: Policy) -> tuple[AxisResult, ...]:
    """The axes of a first checkpoint: what it reaches, compared with nothing."""
    return tuple(
        AxisResult(
            axis=name,
            tier=axis.tier,
            reference=None,
            candidate_estimate=float(axis_values(candidate, name, policy).mean()),
            margin=axis.max_drop,
            outcome="first",
            problems=len(axis_values(candidate, name, policy)),
            **dict.fromkeys(("reference_estimate", "difference", "low", "high"), None),
            **dict.fromkeys(("p_within", "p_harm", "p_harm_holm", "p_gain"), None),
        )
        for name, axis in policy.axes.items()
    )


def axis_values(evidence: Evidence, axis: str, policy: Policy) -> Floats:
    """The axis problem by problem, in the order of the problems' names."""
    suite, k = measured_by(policy, axis)
    return pass_at_k(evidence.counts[suite].correct, evidence.counts[suite].graded, k)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values after Holm: the i-th smallest of m is multiplied by m - i + 1 and never below one before it."""
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def _measure(candidate: Evidence, reference: Evidence, name: str, axis: Axis, policy: Policy) -> AxisResult:
    mine, theirs = axis_values(candidate, name, policy), axis_values(reference, name, policy)
    change, alpha = mine - theirs, policy.alpha
    names = candidate.counts[measured_by(policy, name)[0]].clusters
    clusters = cluster_indices(names) if any(names) else None
    p_within = p_at_most(change, -axis.max_drop, FLOOR, clusters)
    p_gain = p_at_most(change, 0.0, FLOOR, clusters) if axis.must_improve else None
    goal = 0.0 if p_gain is not None and p_gain > alpha else -axis.max_drop
    missed = max(p_within or 0.0, p_gain or 0.0) > alpha
    return AxisResult(
        axis=name,
        tier=axis.tier,
        reference=reference.name,
        candidate_estimate=float(mine.mean()),
        reference_estimate=float(theirs.mean()),
        difference=float(change.mean()),
        low=lower_bound(change, FLOOR, alpha, clusters),
        high=upper_bound(change, CEILING, alpha, clusters),
        margin=axis.max_drop,
        p_within=p_within,
        p_harm=p_at_least(change, -axis.max_drop, CEILING, clusters),
        p_harm_holm=None,
        p_gain=p_gain,
        outcome="undecided",
        problems=len(change),
        problems_needed=problems_needed(change, goal, FLOOR, alpha, clusters) if missed else None,
    )


def _outcome(result: AxisResult, alpha: float) -> AxisOutcome:
    harm = result.p_harm if result.p_harm_holm is None else result.p_harm_holm
    if harm is not None and harm <= alpha:
        return "harm"
    within = result.p_within is not None and result.p_within <= alpha
    return "ok" if within and (result.p_gain is None or result.p_gain <= alpha) else "undecided"
