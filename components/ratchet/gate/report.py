"""The verdict as one HTML page that needs nothing beside it: no script, no font, no picture from elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratchet.gate import wording
from ratchet.gate.case import Case
from ratchet.gate.evidence import Evidence, rows_of
from ratchet.gate.verdict import AxisResult, Verdict
from ratchet.metrics.bounds import lower_bound, upper_bound
from ratchet.metrics.counts import ProblemCounts, cluster_indices, count_problems
from ratchet.metrics.pass_at_k import pass_at_k
from ratchet.pages.charts import CurvePoint, Interval, curves_svg, intervals_svg
from ratchet.pages.render import rendered
from ratchet.storage import write_text

ALPHA_EACH_END = 0.05  # of the bands, whatever the policy's alpha: they are to be compared from page to page
MOST_GROUPS = 30  # rows of the table by group: a page is read, not searched


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One side's evidence on one suite, for the page's table."""

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


def write_report(path: Path, case: Case, verdict: Verdict) -> None:
    """Write the page."""
    write_text(path, page(case, verdict))


def page(case: Case, verdict: Verdict) -> str:
    """The page's HTML; numbers of refused evidence are not drawn."""
    return rendered("ratchet.gate", "report.html.j2", **_shown(case, verdict))


def _shown(case: Case, verdict: Verdict) -> dict[str, Any]:
    import yaml

    sides = [case.candidate, *reversed(case.references.values())]
    judged = verdict.verdict != "ERROR"
    compared = [result for result in verdict.axes if result.reference is not None]
    measured = [case.policy.measured(axis) for axis in case.policy.axes]
    suites, main = case.policy.suites.names if judged else [], case.policy.suites.main
    highest = max((m.attempts_needed for m in measured if m.suite == main), default=1)
    return {
        "verdict": verdict,
        "policy": case.policy,
        "candidate": case.candidate.profile.name,
        "compared_with": [f"{name} ({side.profile.name})" for name, side in case.references.items()],
        "decided": verdict.created[:16].replace("T", " ") + " UTC",
        "symbol": wording.SYMBOLS[verdict.verdict],
        "headline": wording.headline(verdict),
        "axis_rows": wording.axis_rows(verdict.axes),
        "intervals": intervals_svg(_intervals(compared), "change of the candidate") if compared else "",
        "curves": [(suite, curves_svg(list(_curve(sides, suite)))) for suite in suites],
        "sides": sides,
        "groups": _groups(sides, main, highest) if judged else [],
        "highest": highest,
        "evidence": [_evidence_row(side, suite.name, suite.counts) for side in sides for suite in side.suites.values()],
        "policy_text": yaml.safe_dump(case.policy.model_dump(), sort_keys=False, default_flow_style=None, width=100),
    }


def _intervals(axes: list[AxisResult]) -> list[Interval]:
    return [
        Interval(f"{r.axis} against {r.reference}", r.difference, r.low, r.high, r.outcome, r.margin)
        for r in axes
        if r.difference is not None
    ]


def _curve(sides: list[Evidence], suite: str) -> Iterator[CurvePoint]:
    """pass@1, 2, 4, ... of each side, as far as every problem has the attempts."""
    for side in sides:
        counts = side.suites[suite].counts
        clusters = cluster_indices(counts.clusters) if any(counts.clusters) else None
        for exponent in range(int(counts.graded.min()).bit_length()):
            values = pass_at_k(counts.correct, counts.graded, 2**exponent)
            low = lower_bound(values, 0.0, ALPHA_EACH_END, clusters)
            high = upper_bound(values, 1.0, ALPHA_EACH_END, clusters)
            if low is not None and high is not None:
                yield CurvePoint(side.name, 2**exponent, float(values.mean()), low, high)


def _groups(sides: list[Evidence], suite: str, k: int) -> list[GroupRow]:
    """The table by group of problems; empty where the attempts name none."""
    import pyarrow.compute as pc

    tables = [rows_of(side.attempts, suite) for side in sides]
    names = sorted((name for name in tables[0]["group"].unique().to_pylist() if name is not None), key=_in_order)
    rows = []
    for name in names[:MOST_GROUPS]:
        counts = [count_problems(table.filter(pc.equal(table["group"], name))) for table in tables]
        at_1, at_k = ([_mean_pass(c, number) for c in counts] for number in (1, k))
        rows.append(GroupRow(name, len(counts[0].problem_ids), at_1, at_k))
    return rows


def _mean_pass(counts: ProblemCounts, k: int) -> float | None:
    if not len(counts.graded) or counts.graded.min() < k:
        return None
    return float(pass_at_k(counts.correct, counts.graded, k).mean())


def _in_order(name: str) -> tuple[bool, int, str]:
    """Numbers before words, 2 before 10."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def _evidence_row(side: Evidence, suite: str, counts: ProblemCounts) -> EvidenceRow:
    attempts = counts.graded + counts.ungradable + counts.errors
    return EvidenceRow(
        side=side.name,
        suite=suite,
        problems=len(counts.problem_ids),
        attempts=counts.attempts,
        fewest=int(attempts.min()),
        ungradable=int(counts.ungradable.sum()),
        errors=int(counts.errors.sum()),
    )
