"""One version as its page shows it: the verdict in words, what was said, what to type, where it comes from."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

from ratchet.evaluate.profile import Profile
from ratchet.gate import tables, wording
from ratchet.gate.pictures import margins
from ratchet.gate.verdict import Verdict
from ratchet.pages.charts import Point, attempts_axis, lines_svg
from ratchet.pages.numbers import known
from ratchet.pages.text import short
from ratchet.registry.reviewing import UNKNOWN
from ratchet_dashboard.evidence import HOLDS, NOT_CHECKED, Evidence
from ratchet_dashboard.judged import Judged
from ratchet_dashboard.queries import Review
from ratchet_dashboard.views import LONG, LONGEST, ROWS, candidate_view, line_view, named, time_told

MOST_CURVES = 3


def review_view(review: Review) -> dict[str, Any]:
    """What the page of one version shows."""
    candidate, evidence = review.candidate, review.evidence
    mine = [judged for judged in review.model.ledger if _speaks_of(judged, candidate.version)]
    return {
        **named(review.model),
        "candidate": candidate_view(candidate),
        "is_champion": review.model.champion == candidate.version,
        "told": None if evidence.verdict is None else _verdict(evidence.verdict, evidence),
        "signature": evidence.signature,
        "signature_state": _state(evidence.signature),
        "evidence_faults": [_sentence(fault) for fault in evidence.faults],
        "unfit": None if review.unfit is None or not _open(review) else _sentence(review.unfit),
        "override": short(candidate.override or "", LONGEST),
        "reviews": [
            {"said": said, "time": time_told(said.created), "by": short(said.by), "reason": short(said.reason, LONGEST)}
            for said in sorted(candidate.reviews, key=lambda said: said.created, reverse=True)
        ],
        "lineage": [_ancestor(ancestor) for ancestor in review.lineage],
        "before": short(review.lineage[-1].parent or "", LONG) if review.lineage else "",
        "facts": list(_facts(review)),
        "lines": [line_view(judged, review.model, {}) for judged in mine[:ROWS]],
        "against": _against(review),
        "curves": list(_curves(review)),
        "four_eyes": _four_eyes(review),
        "comparable": evidence.profile is not None and _state(evidence.signature) != "bad",
        "commands": _commands(review),
    }


def _verdict(verdict: Verdict, evidence: Evidence) -> dict[str, Any]:
    policy = evidence.policy
    if policy is not None:
        rows = tables.axis_rows(verdict.axes, policy)
    else:
        rows = [
            tables.AxisRow([*cells[:-1]], result.outcome, cells[-1], [result.reason] if result.reason else [])
            for result, cells in zip(verdict.axes, wording.axis_rows(verdict.axes), strict=True)
        ]
    return {
        "title": wording.title(verdict),
        "decision": verdict.verdict,
        "symbol": wording.SYMBOLS[verdict.verdict],
        "headline": short(wording.headline(verdict), LONGEST),
        "reasons": [short(reason, LONGEST) for reason in verdict.reasons[:ROWS]],
        "advice": [short(line, LONGEST) for line in verdict.advice[:ROWS]],
        "axes": rows[: 2 * ROWS],
        "margins": list(margins(verdict.axes)),
        "meanings": tables.meanings(verdict.axes, policy) if policy is not None else [],
        "decided": time_told(verdict.created),
        "overridden": verdict.overridden is not None,
    }


def _curves(review: Review) -> Iterator[tuple[str, str]]:
    """pass@k of the version and of those beside it, a picture for each suite; the policy's main suite first."""
    own, policy = review.evidence.profile, review.evidence.policy
    if own is None or _state(review.evidence.signature) == "bad":
        return
    sides = {f"version {review.candidate.version}": own}
    sides |= {f"version {number}": profile for number, profile in review.beside.items()}
    main = policy.suites.main if policy else ""
    for suite in sorted(own.suites, key=lambda name: name != main)[:MOST_CURVES]:
        points = [point for side, profile in sides.items() for point in _pass_points(side, profile, suite)]
        if len({point.x for point in points}) > 1:
            yield short(suite, 80), lines_svg(points, attempts_axis(), "pass@k: share of problems")


def _pass_points(side: str, profile: Profile, suite: str) -> Iterator[Point]:
    for metric in profile.metrics:
        k = re.fullmatch(r"pass@([0-9]{1,6})", metric.name)
        value = known(metric.estimate)
        if metric.suite == suite and k is not None and value is not None:
            yield Point(side, int(k[1]), value, known(metric.low), known(metric.high))


def _facts(review: Review) -> Iterator[tuple[str, str]]:
    """What names the version's parts, for whoever compares them."""
    verdict, profile = review.evidence.verdict, review.evidence.profile
    yield "checkpoint", short((verdict and verdict.checkpoint_digest) or review.candidate.checkpoint, 80)
    yield "run", review.candidate.run or "unknown"
    yield "started by", short(review.started_by or "unknown")
    if verdict is not None:
        yield "policy", short(verdict.policy_digest, 80)
        yield "verdict", short(review.evidence.verdict_digest or "unknown", 80)
        for side, digest in verdict.profile_digests.items():
            yield f"profile of {short(side)}", short(digest, 80)
    if profile is not None:
        suites = [
            f"{short(name)}: {c.problems:,} problems, {c.attempts:,} attempts" for name, c in profile.suites.items()
        ]
        yield "suites", short("; ".join(suites), LONGEST)
        yield "confidence from", short(profile.confidence or "unknown")
        yield "programs ran", short(f"isolated as {profile.isolation}" if profile.isolation else "unknown")


def _commands(review: Review) -> list[tuple[str, str]]:
    """What a reviewer types, ready to copy but for the name, the reason and the key."""
    model, version = shlex.quote(review.model.name), review.candidate.version
    if review.model.champion == version:
        return [("Take it back", f"ratchet rollback --model {model} --reason 'WHY'")]
    if not review.candidate.verdict or review.candidate.verdict == UNKNOWN:
        return []
    rest = f"--model {model} --version {version} --by NAME --reason 'WHY' --key NAME.pem"
    return [("Approve", f"ratchet review approve {rest}"), ("Reject", f"ratchet review reject {rest}")]


def _against(review: Review) -> list[tuple[str, str]]:
    """Each version that this one can be laid beside, and all that it is to it."""
    found: dict[str, list[str]] = {}
    for what, number in review.against.items():
        found.setdefault(number, []).append(short(what, 80))
    return [(" and ".join(whats), number) for number, whats in found.items()]


def _four_eyes(review: Review) -> str:
    """Whose approval the policy does not count; empty where it asks for no other eyes."""
    policy = review.evidence.policy
    if policy is None or policy.review is None or not policy.review.four_eyes:
        return ""
    starter = review.started_by
    whose = f"that of {short(starter)}, who started the run, does not count" if starter else "the run names no starter"
    return f"The policy asks for four eyes, so that an approval by somebody else is needed: {whose}."


def _open(review: Review) -> bool:
    """Whether the version may still become champion: it never was."""
    return any(one.version == review.candidate.version for one in review.model.queue)


def _speaks_of(judged: Judged, version: str) -> bool:
    entry = judged.line.entry
    return entry is not None and version in (entry.version, entry.found)


def _ancestor(ancestor: Any) -> list[str]:
    cells = (ancestor.name, ancestor.round, ancestor.method, ancestor.verdict, ancestor.digest)
    return [short(cell or "-", 80) for cell in cells]


def _state(signature: str) -> str:
    return {HOLDS: "checked", NOT_CHECKED: "unchecked"}.get(signature, "bad")


def _sentence(text: str) -> str:
    line = short(text, LONGEST)
    return f"{line[:1].upper()}{line[1:]}."
