"""Metrics and comparisons as the terminal shows them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ratchet.cli.tables import print_table, shown, signed

if TYPE_CHECKING:
    from ratchet.compare.compare import Comparison
    from ratchet.evaluate.profile import Metric

HEADLINES = (
    "pass@",
    "diversity.distinct_2.",
    "diversity.equations.",
    "calibration.ece",
    "disparity",
    "improvement.share",
    "regression.share",
    "attribution.",
    "crossover",
    "dynamics.",
    "concepts.",
)


def headlines(metrics: Sequence["Metric"]) -> list["Metric"]:
    """The few metrics that are read first: no groups, no variants, nothing that couldn't be computed."""
    return [
        m for m in metrics if m.name.startswith(HEADLINES) and not set("[-^") & set(m.name) and m.estimate is not None
    ]


def print_metrics(metrics: Sequence["Metric"], form: str) -> None:
    """Print a table, or JSON."""
    if form == "json":
        click.echo(json.dumps([asdict(metric) for metric in metrics], indent=2, ensure_ascii=False, allow_nan=False))
        return
    from ratchet.pages.meanings import decimals

    numeric = ("estimate", "low", "high", "of", "left out", "ungradable", "errors")
    rows = [
        (
            m.suite,
            m.name,
            *(shown(value, decimals(m.name)) for value in (m.estimate, m.low, m.high)),
            f"{m.denominator:.6g}",
            *map(str, (m.left_out, m.ungradable, m.errors)),
            m.reason or "",
        )
        for m in metrics
    ]
    print_table(("suite", "metric", *numeric, "why not"), rows, numeric)


def print_comparison(found: "Comparison", everything: bool) -> None:
    """Print the changes and the counts of problems that flipped, and the flips where everything is asked for."""
    for note in found.notes:
        click.echo(f"note: {note}")
    numeric = ("before", "after", "change", "low", "high")
    rows = [
        (
            row.suite,
            row.name,
            *map(shown, (row.before, row.after)),
            *map(signed, (row.change, row.low, row.high)),
            row.reason or "",
        )
        for row in found.rows
        if everything or row.change is not None
    ]
    print_table(("suite", "metric", *numeric, "why not"), rows, numeric)
    for count in found.flip_counts:
        click.echo(
            f"{count.suite}: of {count.problems} problems {count.lost} are no longer solved by any attempt, "
            f"{count.won} are solved for the first time"
        )
    if not everything:
        return
    flipped = [
        (f.suite, f.problem_id, "lost" if f.lost else "won", _of(f.before), _of(f.after), f"{f.surprise:.2g}")
        for f in found.flips
    ]
    print_table(("suite", "problem", "", "before", "after", "p of chance"), flipped, ("before", "after", "p of chance"))


def _of(counts: tuple[int, int]) -> str:
    return f"{counts[0]} of {counts[1]}"
