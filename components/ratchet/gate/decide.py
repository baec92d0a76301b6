"""The decision: evidence in, verdict out. Nothing here reads the clock, the network or a random number."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

from ratchet.compare.changes import changed
from ratchet.gate import wording
from ratchet.gate.advice import advice
from ratchet.gate.axes import estimate_axes, judge_axes, reached
from ratchet.gate.case import Case
from ratchet.gate.evidence import mismatches, refusals
from ratchet.gate.policy import policy_digest
from ratchet.gate.verdict import (
    AxisResult,
    Decision,
    HarmKind,
    JointReversal,
    Overridden,
    Reference,
    Verdict,
)
from ratchet.gate.weights import contradictions
from ratchet.metrics.dynamics import COLLAPSE
from ratchet.metrics.paired import Change


def decide(case: Case, created: datetime) -> Verdict:
    """The verdict on the candidate; which guarantees it carries is in `docs/gate.md`."""
    unfit, incomparable = _unfit(case, created), _incomparable(case)
    if unfit or incomparable:
        refused = _verdict(case, created, "ERROR", "none", list(dict.fromkeys([*unfit, *incomparable])), ())
        return refused if unfit else _overridden(case, refused)
    if case.first:
        axes = estimate_axes(case.candidate, case.policy)
        return _verdict(case, created, "PROMOTE", "none", [wording.FIRST, *_notes(case)], axes)
    axes = judge_axes(case.candidate, case.references, case.policy, case.alpha)
    decision, rises = _decision(axes), pass_at_1_changes(case)
    reversal = _joint_reversal(case, axes, rises)
    rose = {name: change.value for name, change in rises.items()}
    reasons = [*wording.reasons(decision, axes, case.alpha, rose, reversal), *_notes(case)]
    return _overridden(case, _verdict(case, created, decision, _kind(case, axes), reasons, axes, reversal))


def pass_at_1_changes(case: Case) -> dict[str, Change]:
    """The change of pass@1 on the main suite against each reference, whether or not it is an axis of the policy."""
    main = case.policy.suites.main
    found = {n: changed("pass@1", r.suites[main], case.candidate.suites[main]) for n, r in case.references.items()}
    return {name: one.change for name, one in found.items() if not isinstance(one, str)}


def _decision(axes: Sequence[AxisResult]) -> Decision:
    critical = [result.outcome for result in axes if result.tier == "critical"]
    if "harm" in critical:
        return "BLOCK"
    supporting_harm = any(result.outcome == "harm" for result in axes if result.tier == "supporting")
    return "PROMOTE" if set(critical) == {"ok"} and not supporting_harm else "INCONCLUSIVE"


def _kind(case: Case, axes: Sequence[AxisResult]) -> HarmKind:
    """What was found: harm on pass@1 of the main suite is a regression, on any other axis a reversal.

    A regression by more than `COLLAPSE` from the best round, which had risen above the first one, is a collapse.
    """
    harmed = [result for result in axes if result.outcome == "harm" and result.tier != "advisory"]
    if not any(result.axis == "pass@1" for result in harmed):
        return "reversal" if harmed else "none"
    shares = [reached("pass@1", past, case.policy)[0] for past in case.history]
    seen = [share for share in shares if share is not None]
    fallen = max((-(r.difference or 0.0) for r in harmed if r.axis == "pass@1"), default=0.0)
    return "collapse" if seen and max(seen) > seen[0] and fallen > COLLAPSE else "regression"


def _joint_reversal(case: Case, axes: Sequence[AxisResult], rises: dict[str, Change]) -> JointReversal | None:
    """The surest case of both at once: pass@1 risen and another axis beyond its margin; None where there is none."""
    found = []
    for result in axes:
        rise = rises.get(result.reference or "")
        harmed = result.axis != "pass@1" and result.outcome == "harm"
        if not harmed or rise is None or result.difference is None or result.low is None or result.high is None:
            continue
        harm = result.p_harm if result.p_harm_holm is None else result.p_harm_holm
        p = max(rise.p_at_most(0.0), 1.0 if harm is None else harm)
        if p <= case.alpha:
            bound = result.low if result.margin_kind == "rise" else result.high
            found.append(
                JointReversal(
                    axis=result.axis,
                    reference=result.reference or "",
                    rise=rise.value,
                    rise_low=rise.lower(case.alpha),
                    margin_kind=result.margin_kind,
                    harm=result.difference,
                    harm_bound=bound,
                    p=p,
                )
            )
    return min(found, key=lambda reversal: reversal.p, default=None)


def _unfit(case: Case, created: datetime) -> list[str]:
    """Why nothing can be said of the candidate, whoever answers for it: its own evidence, and an expired override."""
    override = case.policy.override
    expired = override is not None and created.astimezone(UTC).date() > override.expires
    late = [wording.expired(override)] if override is not None and expired else []
    itself = [
        reason
        for reference in (*case.references.values(), *case.history)
        if case.candidate.same_as(reference)
        for reason in mismatches(case.candidate, reference, case.policy)
    ]
    return [*late, *refusals(case.candidate, case.policy), *dict.fromkeys(itself)]


def _incomparable(case: Case) -> list[str]:
    """Why the candidate can't be held against what the policy names."""
    lineage = case.policy.lineage
    # the best of the history is half of one of its rounds, which is looked at whole
    others = [*(r for name, r in case.references.items() if name != "best"), *case.history]
    reasons = [wording.absent(name) for name in case.absent]
    if lineage is not None and not case.first and not case.history:
        reasons.append(wording.NO_HISTORY)
    if lineage is not None and lineage.rounds is not None and len(case.history) > lineage.rounds:
        reasons.append(wording.spent(lineage.rounds, len(case.history)))
    for other in others:
        reasons += refusals(other, case.policy)
        reasons += mismatches(case.candidate, other, case.policy)
    reasons += contradictions([case.candidate, *others])
    return list(dict.fromkeys(reasons))


def _overridden(case: Case, verdict: Verdict) -> Verdict:
    """PROMOTE by the policy's override, where there is one and the verdict is another; both stand in the verdict."""
    override = case.policy.override
    if override is None or verdict.verdict == "PROMOTE":
        return verdict
    made = Overridden(verdict.verdict, override.reason, override.by, override.expires.isoformat())
    reasons = (wording.overridden(made), *verdict.reasons)
    return dataclasses.replace(verdict, verdict="PROMOTE", reasons=reasons, overridden=made)


def _notes(case: Case) -> list[str]:
    """What a reader should know beside the decision."""
    sides = (case.candidate, *case.references.values())
    unknown = [side.name for side in sides if side.profile.sampling is None]
    sourceless = [side.name for side in sides if side.profile.confidence is None]
    notes = [f"note: {name} was given, but the policy does not compare with it" for name in case.unasked]
    if unknown and not case.first and case.policy.evidence.same_items:
        notes.append(f"note: the sampling parameters of {', '.join(unknown)} are unknown, so equal ones are assumed")
    if sourceless and not case.first and case.policy.needs_confidence:
        names = ", ".join(sourceless)
        notes.append(f"note: where the confidences of {names} come from is unknown, so one source is assumed")
    return notes


def _verdict(
    case: Case,
    created: datetime,
    decision: Decision,
    kind: HarmKind,
    reasons: list[str],
    axes: tuple[AxisResult, ...],
    reversal: JointReversal | None = None,
) -> Verdict:
    sides = {"candidate": case.candidate, **case.references, **{past.name: past for past in case.history}}
    return Verdict(
        verdict=decision,
        kind=kind,
        reasons=tuple(reasons),
        axes=axes,
        references={n: Reference(side.profile.checkpoint, side.profile_digest) for n, side in case.references.items()},
        policy_digest=policy_digest(case.policy),
        profile_digests={name: side.profile_digest for name, side in sides.items()},
        checkpoint_digest=case.candidate.profile.checkpoint,
        advice=advice(case, decision, kind, axes),
        created=created.astimezone(UTC).isoformat(timespec="seconds"),
        lineage=tuple(past.profile.checkpoint or past.profile.name for past in (*case.history, case.candidate)),
        alpha=case.alpha,
        reversal=reversal,
    )
