"""The changes of one suite as pictures: what is better higher, what is better lower, and what is neither."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ratchet.compare.compare import Row
from ratchet.pages.charts import COLOURS, MARKS, OUTCOME_COLOURS, OUTCOME_MARKS, Interval, intervals_svg
from ratchet.pages.meanings import Direction, better
from ratchet.pages.numbers import known

Judgement = Literal["better", "worse", "moved", "not clear", "unknown"]
MOST_ROWS = 40  # of one picture
_JUDGED = ("better", "not clear", "worse")
_MOVED = ("moved", "not clear")
_TITLES: dict[Direction, tuple[str, str]] = {
    "higher": ("Better when higher", "change from before to after (right is better)"),
    "lower": ("Better when lower", "change from before to after (left is better)"),
    "neither": ("Neither better nor worse by itself", "change from before to after"),
}


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of a suite that are better in one direction; `left_out` of them are in the table only."""

    title: str
    chart: str
    left_out: int


def judged(row: Row) -> Judgement:
    """What the interval of a change says; nothing is clear where it holds 0."""
    low, high = known(row.low), known(row.high)
    if known(row.change) is None or low is None or high is None:
        return "unknown"
    if low <= 0.0 <= high:
        return "not clear"
    direction = better(row.name)
    if direction == "neither":
        return "moved"
    return "better" if (low > 0.0) == (direction == "higher") else "worse"


def pictures(rows: Sequence[Row]) -> Iterator[Changes]:
    """A picture for each direction that some row with a change has."""
    for direction, (title, axis) in _TITLES.items():
        intervals = [found for row in rows if better(row.name) == direction and (found := _interval(row))]
        if not intervals:
            continue
        shown = intervals[:MOST_ROWS]
        if direction == "neither":
            chart = intervals_svg(shown, axis, _MOVED, (COLOURS[3], OUTCOME_COLOURS[1]), (MARKS[2], OUTCOME_MARKS[1]))
        else:
            chart = intervals_svg(shown, axis, _JUDGED, OUTCOME_COLOURS, OUTCOME_MARKS)
        yield Changes(title, chart, len(intervals) - len(shown))


def _interval(row: Row) -> Interval | None:
    change, judgement = known(row.change), judged(row)
    if change is None or judgement == "unknown":
        return None
    name = row.name.replace("[group=", ", group ").removesuffix("]") if "[group=" in row.name else row.name
    return Interval(name, change, row.low, row.high, judgement)
