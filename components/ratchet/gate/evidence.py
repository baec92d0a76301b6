"""The evidence of one side: what its profile folder holds, and every reason to refuse it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ratchet.batches import read_header
from ratchet.evaluate.attempts import read_light
from ratchet.evaluate.diversity import SAMPLES_COMPARED
from ratchet.evaluate.profile import ATTEMPTS_FILE, PROFILE_FILE, Profile, SuiteCounts, read_profile
from ratchet.evaluate.suite import Suite, load_suites
from ratchet.evaluate.texts import chosen_texts
from ratchet.gate.policy import Policy
from ratchet.gate.weights import foreign
from ratchet.metrics.counts import ProblemCounts
from ratchet.records import Attempt, Isolation, Outcome
from ratchet.storage import Header, file_digest

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Evidence:
    """One side of the comparison; `suites` holds those that the policy names and the attempts have.

    `chosen_from` says of how many rounds it was chosen as the best; 1 where nobody chose.

    `even` and `odd` hold the same from the attempts with even and odd numbers, where the policy needs halves: what was
    chosen on one half is compared on the other.
    """

    name: str
    folder: Path
    profile: Profile
    profile_digest: str
    attempts_digest: str
    attempts: "pa.Table"
    header: Header
    suites: Mapping[str, Suite]
    even: Mapping[str, Suite] = field(default_factory=dict)
    odd: Mapping[str, Suite] = field(default_factory=dict)
    chosen_from: int = 1

    def same_as(self, other: "Evidence") -> bool:
        """Whether both speak of one checkpoint: equal known digests, or the very same profile."""
        known = self.profile.checkpoint is not None and self.profile.checkpoint == other.profile.checkpoint
        return known or self.profile_digest == other.profile_digest


def read_evidence(name: str, folder: Path, policy: Policy) -> Evidence:
    """The evidence in a profile folder; an InputError where it can't be read as a profile at all."""
    path = folder / ATTEMPTS_FILE
    profile = read_profile(folder)
    attempts = read_light(path)
    return Evidence(
        name=name,
        folder=folder,
        profile=profile,
        profile_digest=file_digest(folder / PROFILE_FILE),
        attempts_digest=file_digest(path),
        attempts=attempts,
        header=read_header(path, Attempt),
        suites=_suites(attempts, path, policy),
        even=_suites(attempts, path, policy, half=0) if policy.needs_halves else {},
        odd=_suites(attempts, path, policy, half=1) if policy.needs_halves else {},
    )


def rows_of(attempts: "pa.Table", suite: str) -> "pa.Table":
    """The attempts at one suite."""
    import pyarrow.compute as pc

    return attempts.filter(pc.equal(attempts["suite"], suite))


def _suites(attempts: "pa.Table", path: Path, policy: Policy, half: int | None = None) -> dict[str, Suite]:
    """The suites that the policy names, from all attempts or from those with even (0) or odd (1) numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    chosen = pc.fill_null(pc.is_in(attempts["suite"].cast(pa.string()), value_set=pa.array(policy.suites.names)), False)
    if half is not None:
        chosen = pc.and_(chosen, pc.fill_null(pc.equal(pc.bit_wise_and(attempts["attempt"], 1), half), False))
    texts = chosen_texts(path, SAMPLES_COMPARED, half) if policy.needs_texts else None
    return load_suites(attempts.filter(chosen), texts)


def refusals(evidence: Evidence, policy: Policy) -> list[str]:
    """Why this side can't be judged, each with what to do; empty where it can."""
    integrity = [*_forged(evidence), *foreign(evidence.profile), *_malformed(evidence)]
    reasons = [*integrity, *_too_little(evidence, policy)]
    return [f"{evidence.name}: {reason}" for reason in reasons]


def _forged(evidence: Evidence) -> Iterator[str]:
    profile = evidence.profile
    if profile.attempts_digest != evidence.attempts_digest:
        yield (
            f"{ATTEMPTS_FILE} has the digest {evidence.attempts_digest}, {PROFILE_FILE} was made from "
            f"{profile.attempts_digest}; evaluate it again"
        )
        return
    for stated in ("checkpoint", "sampling", "confidence", "isolation"):
        if evidence.header.get(stated) != getattr(profile, stated):
            yield f"{PROFILE_FILE} states another {stated} than {ATTEMPTS_FILE}; evaluate it again"
    served = None if profile.served is None else asdict(profile.served)
    if evidence.header.get("served") != json.loads(json.dumps(served)):
        yield f"{PROFILE_FILE} states other weights as the attempts' than {ATTEMPTS_FILE}; evaluate it again"
    yield from _misstated(evidence)


def _misstated(evidence: Evidence) -> Iterator[str]:
    """Numbers of `profile.json` that its attempts do not bear out."""
    profile = evidence.profile
    for suite, found in evidence.suites.items():
        counts = found.counts
        stated = profile.suites.get(suite)
        if stated is None or not _borne_out(stated, counts):
            yield f"{PROFILE_FILE} does not state what {ATTEMPTS_FILE} holds of suite {suite!r}; evaluate it again"
    for metric in profile.metrics:
        if not all(math.isfinite(x) for x in (metric.estimate, metric.low, metric.high) if x is not None):
            yield f"{metric.suite} {metric.name} is not a finite number; evaluate it again"


def _borne_out(stated: SuiteCounts, counts: ProblemCounts) -> bool:
    said = (stated.problems, stated.attempts, stated.correct, stated.ungradable, stated.errors)
    sums = (int(column.sum()) for column in (counts.correct, counts.ungradable, counts.errors))
    return said == (len(counts.problem_ids), counts.attempts, *sums)


def _malformed(evidence: Evidence) -> Iterator[str]:
    attempts = evidence.attempts
    for column in ("suite", "problem_id", "attempt", "outcome"):
        if attempts[column].null_count:
            yield f"{attempts[column].null_count} attempts have no {column}; every attempt needs one"
    unknown = set(attempts["outcome"].unique().to_pylist()) - {*get_args(Outcome), None}
    if unknown:
        yield f"unknown outcome {min(unknown)!r}; it is one of {', '.join(get_args(Outcome))}"
    distinct = attempts.group_by(["suite", "problem_id", "attempt"]).aggregate([]).num_rows
    if distinct < attempts.num_rows:
        doubled = attempts.num_rows - distinct
        yield f"{doubled} attempts have the number of another attempt at the same problem; each counts once"
    problems = attempts.group_by(["suite", "problem_id"]).aggregate([]).num_rows
    if attempts.group_by(["suite", "problem_id", "cluster"]).aggregate([]).num_rows > problems:
        yield "attempts at one problem name different clusters; a problem belongs to one"


def _too_little(evidence: Evidence, policy: Policy) -> Iterator[str]:
    if evidence.attempts.num_rows == 0:
        yield "nothing was measured: there is no attempt"
        return
    if policy.evidence.known_sampling and evidence.profile.sampling is None:
        yield "its sampling parameters are unknown, which the policy refuses; sample it with `ratchet sample`"
    if policy.evidence.known_weights and evidence.profile.served is None:
        yield "it is unknown whose weights drew its attempts, which the policy refuses; sample it with `ratchet sample`"
    yield from _too_weakly_isolated(evidence.profile.isolation, policy.evidence.min_isolation)
    for suite in policy.suites.names:
        if suite not in evidence.suites:
            yield f"no attempt at suite {suite!r}, which the policy names; evaluate that suite too"
        else:
            yield from _too_little_of(suite, evidence.suites[suite].counts, policy)


def _too_weakly_isolated(found: Isolation | None, asked: Isolation | None) -> Iterator[str]:
    levels = get_args(Isolation)
    if asked is None or (found is not None and levels.index(found) <= levels.index(asked)):
        return
    how = "it is unknown at which isolation programs were run" if found is None else f"programs were run at {found!r}"
    yield f"{how}, the policy asks for {asked!r} or better; grade it with `ratchet grade --isolation {asked}`"


def _too_little_of(suite: str, counts: ProblemCounts, policy: Policy) -> Iterator[str]:
    rule, problems = policy.evidence, len(counts.problem_ids)
    if problems < rule.min_problems:
        yield f"{problems} problems of suite {suite!r}, the policy asks for {rule.min_problems}; evaluate more"
    attempts = counts.graded + counts.ungradable + counts.errors
    if attempts.min() < rule.min_attempts:
        fewer = int((attempts < rule.min_attempts).sum())
        yield (
            f"{fewer} problems of suite {suite!r} have fewer than {rule.min_attempts} attempts (the fewest is "
            f"{attempts.min()}), which the policy asks for; sample more"
        )
    for name, number, limit in (
        ("ended in an error of the machinery", counts.errors.sum(), rule.max_error_rate),
        ("could not be graded", counts.ungradable.sum(), rule.max_ungradable_rate),
    ):
        if number > limit * attempts.sum():
            rate = f"{number / attempts.sum():.1%} of the attempts at suite {suite!r}"
            yield f"{rate} {name}, the policy allows {limit:.1%}; mend the cause and repeat them"
    axes = {name: policy.measured(name) for name in policy.axes}
    needs = {1: "pass@1"} | {axis.attempts_needed: name for name, axis in axes.items() if axis.suite == suite}
    for needed, name in sorted(needs.items()):
        short = int((counts.graded < needed).sum())
        if short:
            yield f"{short} problems of suite {suite!r} have fewer than {needed} graded attempts, which {name} needs"


def mismatches(candidate: Evidence, reference: Evidence, policy: Policy) -> list[str]:
    """Why these two sides can't be compared; empty where they can."""
    if candidate.same_as(reference):
        what = "checkpoint" if candidate.profile.checkpoint is not None else "profile"
        return [f"the candidate is {reference.name} itself (same {what} digest); give another checkpoint"]
    reasons = [
        reason
        for suite in policy.suites.names
        if suite in candidate.suites and suite in reference.suites
        for reason in _other_items(candidate.suites[suite], reference.suites[suite], reference.name)
    ]
    sources = candidate.profile.confidence, reference.profile.confidence
    if policy.needs_confidence and None not in sources and sources[0] != sources[1]:
        reasons.append(
            f"confidence comes from {sources[0]!r} for the candidate and from {sources[1]!r} for {reference.name}; "
            "calibration of the two can't be compared, take both from one source"
        )
    differing = _differing_sampling(candidate.profile.sampling, reference.profile.sampling)
    if policy.evidence.same_items and differing:
        reasons.append(
            f"the candidate was sampled with other parameters than {reference.name} ({differing}); sample both alike"
        )
    return reasons


def _other_items(candidate: Suite, reference: Suite, name: str) -> Iterator[str]:
    suite, mine, theirs = candidate.name, set(candidate.counts.problem_ids), set(reference.counts.problem_ids)
    if mine != theirs:
        example = min(mine ^ theirs, key=str)
        side = "the candidate" if example in mine else name
        yield (
            f"other problems of suite {suite!r} than {name}: {len(mine - theirs)} are the candidate's alone, "
            f"{len(theirs - mine)} {name}'s ({example!r} only {side} has); evaluate both on the same problems"
        )
    elif candidate.counts.clusters != reference.counts.clusters:
        yield f"other clusters in suite {suite!r} than {name}; evaluate both on the same problem file"
    elif (candidate.counts.groups, candidate.concepts) != (reference.counts.groups, reference.concepts):
        yield f"other groups or concepts in suite {suite!r} than {name}; evaluate both on the same problem file"


def _differing_sampling(mine: dict[str, Any] | None, theirs: dict[str, Any] | None) -> str:
    """The first parameter that differs, as `name = a and b`; empty where none does or a side is unknown."""
    if mine is None or theirs is None:
        return ""
    names = sorted({*mine, *theirs} - {"seed"})
    return next((f"{n} = {mine.get(n)} and {theirs.get(n)}" for n in names if mine.get(n) != theirs.get(n)), "")
