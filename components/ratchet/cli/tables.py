"""Results as a table on the terminal."""

import sys
from collections.abc import Sequence

WIDEST_LINE = 10_000  # in a pipe nothing is wrapped: one row stays one line, so that grep finds it whole


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[str] = ()) -> None:
    """Print rows under their column names; `numeric` columns are set flush right. No text is read as markup."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        right = column in numeric
        table.add_column(column, justify="right" if right else "left", no_wrap=right)
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else WIDEST_LINE
    Console(markup=False, emoji=False, highlight=False, width=width).print(table)


def shown(value: float | None, decimals: int = 3) -> str:
    """A number as it stands in a table; a dash where there is none."""
    return "–" if value is None else f"{value:.{decimals}f}"


def signed(value: float | None) -> str:
    """A change as it stands in a table; a dash where there is none."""
    return "–" if value is None else f"{value:+.3f}"
