"""The comparison as one HTML page that needs nothing beside it: problems lost and won first, then every change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ratchet.compare.compare import Comparison, Row, Side
from ratchet.compare.pictures import Changes, judged, pictures
from ratchet.pages.flips import LONGEST_CELL, FlipList, flip_list
from ratchet.pages.meanings import decimals
from ratchet.pages.numbers import interval, listed, number
from ratchet.pages.render import rendered
from ratchet.pages.text import short
from ratchet.storage import write_text

# A page is read, not searched.
MOST_SUITES = 40
MOST_PICTURED = 10
MOST_OPEN = 3
MOST_ROWS = 200  # of a suite's table
MOST_FLIPS = 120  # of all suites together
FEWEST_FLIPS = 2  # of each suite's list, however many suites there are
MOST_NAMED = 8
_TITLES = {True: "Solved less often than before", False: "Solved more often than before"}


@dataclass(frozen=True, slots=True)
class Section:
    """What the page says of one suite."""

    suite: str
    told: list[str]
    pictures: list[Changes]
    rows: list[list[str]]
    all_rows: int
    lists: list[FlipList]


def write_page(path: Path, comparison: Comparison) -> None:
    """Write the page."""
    write_text(path, page(comparison))


def page(comparison: Comparison) -> str:
    """The page's HTML."""
    suites = list(dict.fromkeys([*(c.suite for c in comparison.flip_counts), *(row.suite for row in comparison.rows)]))
    shown = suites[:MOST_SUITES]
    intervals = sum(judged(row) != "unknown" for row in comparison.rows)
    return rendered(
        "ratchet.compare",
        "page.html.j2",
        before=short(comparison.before.name, LONGEST_CELL),
        after=short(comparison.after.name, LONGEST_CELL),
        notes=[short(note, 400) for note in comparison.notes],
        counts=list(_counts(comparison)),
        sections=[_section(comparison, suite, at, len(shown)) for at, suite in enumerate(shown)],
        suites=len(suites),
        most_open=MOST_OPEN,
        most_pictured=MOST_PICTURED,
        level=f"{100 * comparison.confidence_level:g}",
        intervals=intervals,
        by_chance=round(intervals * (1.0 - comparison.confidence_level)),
        sides=[_identity("before", comparison.before), _identity("after", comparison.after)],
    )


def _counts(comparison: Comparison) -> Iterator[list[str]]:
    for found in comparison.flip_counts[:MOST_SUITES]:
        yield [short(found.suite, 60), f"{found.problems:,}", f"{found.lost:,}", f"{found.won:,}"]


def _section(comparison: Comparison, suite: str, at: int, suites: int) -> Section:
    rows = [row for row in comparison.rows if row.suite == suite]
    each = max(FEWEST_FLIPS, MOST_FLIPS // (2 * suites))
    flips = [flip for flip in comparison.flips if flip.suite == suite]
    lists = [
        flip_list(title, lost, [flip for flip in flips if flip.lost is lost], each, ("before", "after"))
        for lost, title in _TITLES.items()
    ]
    return Section(
        suite=short(suite, LONGEST_CELL),
        told=list(_told(rows)),
        pictures=list(pictures(rows)) if at < MOST_PICTURED else [],
        rows=[_row(row) for row in rows[:MOST_ROWS]],
        all_rows=len(rows),
        lists=[found for found in lists if found.flips],
    )


def _told(rows: Sequence[Row]) -> Iterator[str]:
    """Which changes are clear; the table says by how much."""
    kinds = {kind: [short(row.name) for row in rows if judged(row) == kind] for kind in ("worse", "better", "moved")}
    for kind, names in kinds.items():
        if names:
            yield f"Clearly {kind}: {listed(names, MOST_NAMED)}."
    if not any(kinds.values()):
        yield "Nothing clearly changed: every interval holds 0."


def _row(row: Row) -> list[str]:
    judgement = judged(row)
    return [
        short(row.name, 80),
        number(row.before, decimals=decimals(row.name)),
        number(row.after, decimals=decimals(row.name)),
        number(row.change, signed=True),
        interval(row.low, row.high, signed=True),
        judgement,
        short(row.reason or "", LONGEST_CELL),
    ]


def _identity(kind: str, side: Side) -> list[str]:
    return [
        kind,
        *(short(text, LONGEST_CELL) for text in (side.name, side.checkpoint or "unknown", side.profile_digest)),
    ]
