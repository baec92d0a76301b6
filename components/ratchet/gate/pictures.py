"""The pictures of a verdict: changes beside their margins, pass@k of every side, and the rounds that led here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ratchet.gate.case import Case
from ratchet.gate.evidence import Evidence
from ratchet.gate.verdict import AxisResult, MarginKind
from ratchet.metrics.bounds import lower_bound, upper_bound
from ratchet.metrics.counts import ProblemCounts, cluster_indices
from ratchet.metrics.intervals import TAIL
from ratchet.metrics.pass_at_k import pass_at_k
from ratchet.pages.charts import Interval, Point, attempts_axis, intervals_svg, lines_svg, rounds_axis
from ratchet.pages.numbers import known, listed
from ratchet.pages.text import short

MOST_ROWS = 36  # of one picture of margins
MOST_ROUNDS = 40
NAMED_ROUNDS = 12
WIDE, HALF = 780, 360  # pixels
_PANELS: dict[MarginKind, tuple[str, str]] = {
    "drop": ("What may fall", "change of the candidate: left is worse"),
    "relative drop": (
        "What may fall, in % of the reference's number",
        "change in % of the reference's number: left is worse",
    ),
    "rise": ("What may rise (less is better)", "change of the candidate: right is worse"),
}
_SPREADS = ("distinct_2", "equations", "vendi")


@dataclass(frozen=True, slots=True)
class Margins:
    """The changes whose margins are of one kind, drawn; `left_out` of them are in the table only."""

    title: str
    chart: str
    left_out: int


@dataclass(frozen=True, slots=True)
class Rounds:
    """The lines over the rounds, and which checkpoint each round is."""

    charts: tuple[str, ...]
    named: str
    left_out: int


def margins(axes: Sequence[AxisResult]) -> Iterator[Margins]:
    """A picture for each kind of margin that some measured axis has: harm lies left, or, for a rise, right."""
    for kind, (title, axis) in _PANELS.items():
        found = [r for r in axes if r.margin_kind == kind and r.difference is not None]
        if found:
            rows = [_interval(r) for r in _gravest(found)]
            chart = intervals_svg(rows, axis, unit=".0%" if kind == "relative drop" else ".2f")
            yield Margins(title, chart, max(0, len(found) - MOST_ROWS))


def curve_svg(sides: Sequence[Evidence], suite: str, width: int = WIDE) -> str:
    """pass@1, 2, 4, ... of each side, as far as every problem has the attempts; the candidate is the first side."""
    points = [
        point
        for side in sides
        for exponent in range(int(side.suites[suite].counts.graded.min()).bit_length())
        if (point := pass_point(side.name, 2**exponent, side.suites[suite].counts, 2**exponent))
    ]
    return lines_svg(points, attempts_axis(), "pass@k: share of problems", width)


def rounds(case: Case, k: int) -> Rounds | None:
    """pass@1 and pass@K of the main suite, and the diversity that profiles state, over the history to the candidate."""
    if not case.history:
        return None
    past, suite = case.history[-(MOST_ROUNDS - 1) :], case.policy.suites.main
    first = len(case.history) - len(past) + 1
    sides = list(enumerate([*past, case.candidate], start=first))
    counts = [(at, side.suites[suite].counts) for at, side in sides]
    solved = [point for n in sorted({1, k}) for at, c in counts if (point := pass_point(f"pass@{n}", at, c, n))]
    spread = [point for name in _SPREADS for at, side in sides if (point := _diversity(side, suite, name, at))]
    both = (("share of problems", solved), ("diversity of right answers", spread))
    drawn = [(title, points) for title, points in both if len({point.x for point in points}) > 1]
    width = WIDE if len(drawn) == 1 else HALF
    charts = tuple(lines_svg(points, rounds_axis("round"), title, width) for title, points in drawn)
    named = listed([f"{at} is {_also(side, case)}" for at, side in sides[:-1]], NAMED_ROUNDS)
    return Rounds(charts, f"{named}; {sides[-1][0]} is the candidate", first - 1) if charts else None


def pass_point(line: str, x: float, counts: ProblemCounts, k: int) -> Point | None:
    """pass@k with its interval as a point of a line; None where a problem has too few graded attempts."""
    if not len(counts.graded) or counts.graded.min() < k:
        return None
    values = np.asarray(pass_at_k(counts.correct, counts.graded, k))
    clusters = cluster_indices(counts.clusters) if any(counts.clusters) else None
    ends = lower_bound(values, 0.0, TAIL, clusters), upper_bound(values, 1.0, TAIL, clusters)
    return Point(line, x, float(values.mean()), *ends)


def _gravest(axes: Sequence[AxisResult]) -> list[AxisResult]:
    """As many as are drawn, harm before what is undecided, in the order of the policy."""
    rank = {"harm": 0, "undecided": 1}
    order = sorted(range(len(axes)), key=lambda i: (rank.get(axes[i].outcome, 2), axes[i].tier != "critical", i))
    return [axes[i] for i in sorted(order[:MOST_ROWS])]


def _interval(r: AxisResult) -> Interval:
    # shares change by 1 at most; a relative rise has no such end, and one that is unknown would squeeze all others
    value, low, high = (_within_one(known(number)) for number in (r.difference, r.low, r.high))
    harm: Literal["left", "right"] = "right" if r.margin_kind == "rise" else "left"
    return Interval(f"{r.axis} vs {r.reference}", value or 0.0, low, high, r.outcome, r.margin, harm)


def _within_one(value: float | None) -> float | None:
    return None if value is None else min(max(value, -1.0), 1.0)


def _diversity(side: Evidence, suite: str, name: str, at: int) -> Point | None:
    metric = side.profile.metric(suite, f"diversity.{name}.correct")
    value = None if metric is None else known(metric.estimate)
    if metric is None or value is None:
        return None
    return Point(name.replace("_", "-"), at, value, known(metric.low), known(metric.high))


def _also(past: Evidence, case: Case) -> str:
    """The name of a round, and which reference it is."""
    roles = [name for name, side in case.references.items() if side.same_as(past)]
    return short(past.profile.name, 24) + (f" ({roles[0]})" if roles else "")
