"""A run as a table: each round's checkpoint, what it can do, and what the gate said."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ratchet.evaluate.profile import Profile, read_profile
from ratchet_pipelines.local import RoundResult

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = {"pass@1": "pass@1", "pass@16": "pass@16", "diversity.distinct_2.correct": "distinct-2"}  # metric: heading


def summary_rows(rounds: Sequence[RoundResult]) -> list[dict[str, Any]]:
    """One row a round: name, verdict, kind, and the shown metrics by suite (None where a profile has none)."""
    return [
        {
            "round": r.number,
            "checkpoint": p.name,
            "verdict": r.verdict.verdict,
            "kind": r.verdict.kind,
            "metrics": _shown(p),
        }
        for r in rounds
        for p in [read_profile(r.profile)]
    ]


def summary_table(rows: Sequence[dict[str, Any]]) -> "Table":
    """The rows as a table for the terminal."""
    from rich.table import Table

    columns = [column for column in rows[0]["metrics"] if any(row["metrics"][column] is not None for row in rows)]
    table = Table(title="Rounds", title_justify="left")
    for heading in ("round", "checkpoint", *(f"{suite}\n{SHOWN[metric]}" for suite, metric in map(_split, columns))):
        table.add_column(heading, justify="left" if heading == "checkpoint" else "right", overflow="fold")
    table.add_column("verdict", overflow="fold")
    for row in rows:
        values = [row["metrics"][column] for column in columns]
        cells = ["" if value is None else f"{value:.3f}" for value in values]
        kind = f" ({row['kind']})" if row["kind"] != "none" else ""
        table.add_row(str(row["round"]), row["checkpoint"], *cells, row["verdict"] + kind)
    return table


def _shown(profile: Profile) -> dict[str, float | None]:
    """The shown metrics by `suite/metric`."""
    found = [(suite, name, profile.metric(suite, name)) for suite in sorted(profile.suites) for name in SHOWN]
    return {f"{suite}/{name}": metric.estimate if metric else None for suite, name, metric in found}


def _split(column: str) -> tuple[str, str]:
    suite, _, metric = column.rpartition("/")
    return suite, metric
