"""A run as a table: each round's checkpoint, what it can do, and what the gate said."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ratchet.evaluate.profile import Profile, read_profile
from ratchet.gate.policy import read_policy
from ratchet.gate.step import POLICY_FILE
from ratchet_pipelines.local import RoundResult

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = {"pass@1": "pass@1", "pass@16": "pass@16", "diversity.distinct_2.correct": "distinct-2"}
FOR_EVERY_SUITE = ("pass@1", "pass@16")


def summary_rows(rounds: Sequence[RoundResult]) -> list[dict[str, Any]]:
    """One row a round: checkpoint, verdict, kind, and the shown metrics by `suite/metric` (None where undefined)."""
    suites = read_policy(rounds[0].folder / "gate" / POLICY_FILE).suites
    columns = [(suites.main, name) for name in HEADINGS]
    columns += [(suite, name) for suite in suites.ood for name in FOR_EVERY_SUITE]
    return [_row(found, read_profile(found.profile), columns) for found in rounds]


def _row(found: RoundResult, profile: Profile, columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    metrics = [(suite, name, profile.metric(suite, name)) for suite, name in columns]
    return {
        "round": found.number,
        "checkpoint": profile.name,
        "verdict": found.verdict.verdict,
        "kind": found.verdict.kind,
        "metrics": {f"{suite}/{name}": metric.estimate if metric else None for suite, name, metric in metrics},
    }


def summary_table(rows: Sequence[dict[str, Any]]) -> "Table":
    """The rows as a table for the terminal."""
    from rich.table import Table

    columns = [column for column in rows[0]["metrics"] if any(row["metrics"][column] is not None for row in rows)]
    table = Table(title="Rounds", title_justify="left")
    for heading in ("round", "checkpoint", *(f"{suite}\n{HEADINGS[metric]}" for suite, metric in map(_split, columns))):
        table.add_column(heading, justify="left" if heading == "checkpoint" else "right", overflow="fold")
    table.add_column("verdict", overflow="fold")
    for row in rows:
        values = [row["metrics"][column] for column in columns]
        cells = ["" if value is None else f"{value:.3f}" for value in values]
        kind = f" ({row['kind']})" if row["kind"] != "none" else ""
        table.add_row(str(row["round"]), row["checkpoint"], *cells, row["verdict"] + kind)
    return table


def _split(column: str) -> tuple[str, str]:
    suite, _, metric = column.rpartition("/")
    return suite, metric
