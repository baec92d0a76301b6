"""The decision: evidence in, verdict out. Nothing here reads the clock, the network or a random number."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from ratchet.errors import InputError
from ratchet.gate import wording
from ratchet.gate.axes import estimate_axes, judge_axes
from ratchet.gate.evidence import Evidence, mismatches, read_evidence, refusals
from ratchet.gate.policy import Policy, ReferenceName, policy_digest, read_policy
from ratchet.gate.verdict import AxisResult, Decision, HarmKind, Reference, Verdict


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision rests on.

    `references` are those that the policy names, by name; two that are one checkpoint are one, named `base = champion`.
    `absent` are those that the policy names and nobody gave, `unasked` those given that it does not name.
    """

    policy: Policy
    candidate: Evidence
    references: dict[str, Evidence]
    absent: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    first: bool = False


def load_case(candidate: Path, references: Mapping[str, Path], policy: Path, first: bool = False) -> Case:
    """What `decide` needs, read from a policy file and profile folders; an InputError for what can't be read."""
    rules = read_policy(policy)
    unknown = sorted(set(references) - set(get_args(ReferenceName)))
    if unknown:
        raise InputError(f"a reference named {unknown[0]!r}", expected="one of " + ", ".join(get_args(ReferenceName)))
    if first and references:
        raise InputError(
            f"--first together with --{min(references)}",
            expected="no reference beside a first checkpoint, there is nothing to compare it with",
            next="leave out --first",
        )
    given: dict[str, Evidence] = {
        name: read_evidence(name, references[name], rules) for name in rules.against if name in references
    }
    return Case(
        policy=rules,
        candidate=read_evidence("candidate", candidate, rules),
        references=_merged(given),
        absent=() if first else tuple(name for name in rules.against if name not in references),
        unasked=tuple(name for name in references if name not in rules.against),
        first=first,
    )


def decide(case: Case, created: datetime) -> Verdict:
    """The verdict on the candidate; which guarantees it carries is in `docs/gate.md`."""
    refused = _refused(case)
    if refused:
        return _verdict(case, created, "ERROR", "none", refused, ())
    if case.first:
        axes = estimate_axes(case.candidate, case.policy)
        return _verdict(case, created, "PROMOTE", "none", [wording.FIRST, *_notes(case)], axes)
    axes = judge_axes(case.candidate, case.references, case.policy)
    decision, kind = _decision(axes), _kind(axes)
    reasons = [*wording.reasons(decision, axes, case.policy, pass_at_1_changes(case)), *_notes(case)]
    return _verdict(case, created, decision, kind, reasons, axes)


def pass_at_1_changes(case: Case) -> dict[str, float]:
    """The change of pass@1 on the main suite against each reference, whether or not it is an axis of the policy."""
    mine = case.candidate.counts[case.policy.suites.main]
    changes = {}
    for name, reference in case.references.items():
        theirs = reference.counts[case.policy.suites.main]
        changes[name] = float((mine.correct / mine.graded - theirs.correct / theirs.graded).mean())
    return changes


def _decision(axes: tuple[AxisResult, ...]) -> Decision:
    critical = [result.outcome for result in axes if result.tier == "critical"]
    if "harm" in critical:
        return "BLOCK"
    supporting_harm = any(result.outcome == "harm" for result in axes if result.tier == "supporting")
    return "PROMOTE" if set(critical) == {"ok"} and not supporting_harm else "INCONCLUSIVE"


def _kind(axes: tuple[AxisResult, ...]) -> HarmKind:
    """What was found: harm on pass@1 of the main suite is a regression, on any other axis a reversal."""
    harmed = {result.axis for result in axes if result.outcome == "harm" and result.tier != "advisory"}
    return "none" if not harmed else "regression" if "pass@1" in harmed else "reversal"


def _refused(case: Case) -> list[str]:
    """Every reason why the evidence can't be judged."""
    sides = (case.candidate, *case.references.values())
    missing = [
        f"the policy compares with {name}, which nobody gave; give --{name}, or --first for a first checkpoint"
        for name in case.absent
    ]
    own = [reason for side in sides for reason in refusals(side, case.policy)]
    pairs = [reason for other in case.references.values() for reason in mismatches(case.candidate, other, case.policy)]
    return [*missing, *own, *pairs]


def _notes(case: Case) -> list[str]:
    """What a reader should know beside the decision."""
    sides = (case.candidate, *case.references.values())
    unknown = [side.name for side in sides if side.profile.sampling is None]
    unasked = [f"note: {name} was given, but the policy does not compare with it" for name in case.unasked]
    if not unknown or case.first or not case.policy.evidence.same_items:
        return unasked
    return [*unasked, f"note: the sampling parameters of {', '.join(unknown)} are unknown, so equal ones are assumed"]


def _verdict(
    case: Case, created: datetime, decision: Decision, kind: HarmKind, reasons: list[str], axes: tuple[AxisResult, ...]
) -> Verdict:
    sides = {"candidate": case.candidate, **case.references}
    return Verdict(
        verdict=decision,
        kind=kind,
        reasons=tuple(reasons),
        axes=axes,
        references={n: Reference(side.profile.checkpoint, side.profile_digest) for n, side in case.references.items()},
        policy_digest=policy_digest(case.policy),
        profile_digests={name: side.profile_digest for name, side in sides.items()},
        checkpoint_digest=case.candidate.profile.checkpoint,
        advice=wording.advice(decision, kind, axes, list(case.references)),
        created=created.astimezone(UTC).isoformat(timespec="seconds"),
    )


def _merged(given: dict[str, Evidence]) -> dict[str, Evidence]:
    """References that are one checkpoint made one; the evidence of the first is used."""
    kept: list[Evidence] = []
    for evidence in given.values():
        twin = next((i for i, other in enumerate(kept) if other.same_as(evidence)), None)
        if twin is None:
            kept.append(evidence)
        else:
            kept[twin] = dataclasses.replace(kept[twin], name=f"{kept[twin].name} = {evidence.name}")
    return {evidence.name: evidence for evidence in kept}
