"""The verdict as one HTML page that needs nothing beside it: no script, no font, no picture from elsewhere."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ratchet.compare.flips import Flip, FlipCounts, flip_counts, flips, with_texts
from ratchet.evaluate.profile import ATTEMPTS_FILE
from ratchet.gate import tables, wording
from ratchet.gate.case import Case
from ratchet.gate.evidence import Evidence
from ratchet.gate.pictures import HALF, WIDE, curve_svg, margins, rounds
from ratchet.gate.policy import Policy
from ratchet.gate.signing import signer_of
from ratchet.gate.verdict import HarmKind, JointReversal, Verdict
from ratchet.pages.flips import FlipList, flip_list
from ratchet.pages.numbers import one_in
from ratchet.pages.render import rendered
from ratchet.pages.text import short
from ratchet.storage import write_text

# A page is read, not searched: all reasons and axes are in verdict.json.
MOST_REASONS = 12
MOST_CURVES = 9
MOST_FLIPS = 24  # of all suites together
FEWEST_FLIPS = 1  # of each suite's lists
_KINDS: dict[HarmKind, str] = {
    "none": "",
    "regression": "It answers right less often than before.",
    "reversal": "What got worse is not how often one attempt is right (pass@1), but something that it does not show.",
    "collapse": "It answers right far less often than the best of its earlier rounds.",
}
_ROLES = {
    "base": "base is the checkpoint that training began from",
    "champion": "champion is the one in use now",
    "best": "best is the best of the earlier rounds, chosen by one half of its attempts and compared by the other",
}


def write_report(path: Path, case: Case, verdict: Verdict) -> None:
    """Write the page."""
    write_text(path, page(case, verdict))


def page(case: Case, verdict: Verdict) -> str:
    """The page's HTML; numbers of refused evidence are not drawn."""
    return rendered("ratchet.gate", "report.html.j2", **_told(case, verdict), **_shown(case, verdict))


def _told(case: Case, verdict: Verdict) -> dict[str, Any]:
    """What the page says in words."""
    made, gates_own = verdict.overridden, _gates_own(verdict)
    joint = wording.joint(verdict.reversal) if verdict.reversal else ""
    said_above = [joint, *([wording.overridden(made)] if made else [])]
    roles = [said for role, said in _ROLES.items() if any(role in name.split(" = ") for name in case.references)]
    return {
        "verdict": verdict,
        "gates_own": gates_own,
        "symbols": wording.SYMBOLS,
        "headline": wording.headline(gates_own),
        "kind_means": "" if verdict.reversal else _KINDS[verdict.kind],
        "candidate": case.candidate.profile.name,
        "compared_with": [f"{name} ({side.profile.name})" for name, side in case.references.items()],
        "roles": "; ".join(roles),
        "decided": verdict.created[:16].replace("T", " ") + " UTC",
        "reversal": _reversal(verdict.reversal, verdict) if verdict.reversal else "",
        "joint": joint,
        "reasons": [reason for reason in verdict.reasons if reason not in said_above],
        "most_reasons": MOST_REASONS,
        "sure": list(_sure(case)) if any(r.reference for r in verdict.axes) else [],
        "signer": signer_of(dataclasses.asdict(verdict)),
        "policy": case.policy,
        "policy_text": _as_yaml(case.policy),
    }


def _shown(case: Case, verdict: Verdict) -> dict[str, Any]:
    """The page's tables and pictures; of the evidence alone where it was refused."""
    sides = [case.candidate, *reversed(case.references.values())]
    judged = _gates_own(verdict).verdict != "ERROR"
    suites = case.policy.suites.names[:MOST_CURVES] if judged else []
    k = _most_attempts(case, sides) if judged else 1
    return {
        "axis_rows": tables.axis_rows(verdict.axes, case.policy),
        "meanings": tables.meanings(verdict.axes, case.policy),
        "margins": list(margins(verdict.axes)),
        "curves": [(suite, curve_svg(sides, suite, HALF if i else WIDE)) for i, suite in enumerate(suites)],
        "more_curves": max(0, len(case.policy.suites.names) - len(suites)) if judged else 0,
        "rounds": rounds(case, k) if judged else None,
        "flipped": _flipped(case) if judged else None,
        "compared": [side.name for side in sides],
        "identities": tables.identities([*sides, *case.history]),
        "groups": tables.groups(sides, case.policy.suites.main, k) if judged else [],
        "k": k,
        "evidence": tables.evidence_rows(sides),
    }


def _as_yaml(policy: Policy) -> str:
    """The policy as applied, defaults written out."""
    import yaml

    stated = policy.model_dump(mode="json", exclude_none=True)
    return str(yaml.safe_dump(stated, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True))


def _gates_own(verdict: Verdict) -> Verdict:
    """The verdict as it was before a person overrode it."""
    if verdict.overridden is None:
        return verdict
    return dataclasses.replace(verdict, verdict=verdict.overridden.verdict, overridden=None)


def _most_attempts(case: Case, sides: list[Evidence]) -> int:
    """The K of pass@K on the page: the policy's largest on the main suite, else what all sides have attempts for."""
    main = case.policy.suites.main
    measured = [case.policy.measured(axis) for axis in case.policy.axes]
    named = max((m.attempts_needed for m in measured if m.suite == main and m.measure.startswith("pass@")), default=1)
    fewest = min(int(side.suites[main].counts.graded.min()) for side in sides)
    return named if named > 1 else 1 << (fewest.bit_length() - 1)


def _reversal(reversal: JointReversal, verdict: Verdict) -> str:
    """The joint statement for readers who don't know what a p-value is."""
    same = (reversal.axis, reversal.reference)
    result = next(r for r in verdict.axes if (r.axis, r.reference) == same)
    moved = "rose" if result.margin_kind == "rise" else "fell"
    return (
        f"Asked once, the candidate is right more often than {reversal.reference}: pass@1 rose by {reversal.rise:.3f}. "
        f"But {reversal.axis} {moved} from {result.reference_estimate:.3f} to {result.candidate_estimate:.3f}, by more "
        "than the policy tolerates. If only one of these were true, a result like this would come "
        f"{one_in(reversal.p)}."
    )


def _sure(case: Case) -> Iterator[str]:
    """How often this gate errs, and what its lineage spends."""
    lineage, looks = case.policy.lineage, max(1, len(case.history))
    yield (
        f"This gate may err with a chance of {case.alpha:.3g} at most (alpha) in each of two ways: to promote a "
        "checkpoint that is truly worse than a margin on a critical axis, and to block one that is truly within every "
        "margin."
    )
    if lineage is None:
        yield "That holds for each gate alone: the more gates a lineage passes, the likelier one of them errs."
    elif lineage.rounds is not None:
        yield (
            f"The policy spends {case.policy.alpha:.3g} over all {lineage.rounds} gates of a lineage in equal parts; "
            f"this is number {looks}."
        )
    else:
        yield (
            f"The policy spends {case.policy.alpha:.3g} over all gates of a lineage, however many there will be, the "
            f"later the less; this is number {looks}."
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Flipped:
    """The problems lost and won against one reference."""

    reference: str
    counts: list[FlipCounts]
    lists: list[FlipList]


def _flipped(case: Case) -> Flipped | None:
    """Problems lost and won against the champion, else the base, else the best; None for a first checkpoint."""
    if not case.references:
        return None
    ranked = sorted(case.references.values(), key=lambda side: ("champion" not in side.name, "base" not in side.name))
    other = _whole(ranked[0], case)
    pairs = [(other.suites[name], case.candidate.suites[name]) for name in case.policy.suites.names]
    each = max(FEWEST_FLIPS, MOST_FLIPS // (2 * len(pairs)))
    found = [flip for before, after in pairs for flip in flips(before, after, each)]
    attempts = (side.folder / ATTEMPTS_FILE for side in (other, case.candidate))
    told = list(with_texts(found, *attempts))
    sides = (short(ranked[0].name), "candidate")
    lists = [found for name in case.policy.suites.names for found in _lists(told, name, each, sides)]
    return Flipped(ranked[0].name, [flip_counts(*pair) for pair in pairs], lists)


def _lists(told: list[Flip], suite: str, most: int, sides: tuple[str, str]) -> Iterator[FlipList]:
    for lost, often in ((True, "less"), (False, "more")):
        chosen = [flip for flip in told if flip.suite == suite and flip.lost is lost]
        if chosen:
            title = f"Solved {often} often than by {sides[0]}, on {short(suite)}"
            yield flip_list(title, lost, chosen, most, sides)


def _whole(side: Evidence, case: Case) -> Evidence:
    """The reference with all of its attempts: of the best of the history its own half is compared by the gate."""
    same = (past for past in case.history if past.profile_digest == side.profile_digest)
    return next(same, side) if side.name == "best" else side
