"""Attempts in Parquet files: what Arrow's types and its trusting reader let through is refused here, row by row."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ratchet.batches import read_batches
from ratchet.errors import InputError
from ratchet.records import Attempt, Outcome

if TYPE_CHECKING:
    import pyarrow as pa

EXPECTED = {
    "problem_id": "the problem's id, not empty",
    "suite": "the suite's name, not empty",
    "outcome": "one of " + ", ".join(get_args(Outcome)),
    "attempt": "attempt of an attempt, a number from 0",
    "confidence": "a number from 0 to 1",
}


def parquet_attempts(path: Path) -> Iterator["pa.Table"]:
    """The attempts in a Parquet file in their order, in checked tables with the columns of Attempt."""
    row = 0
    for table in read_batches(path, Attempt):
        _refuse_bad_text(table, path, row)
        wrong = first_wrong(table)
        if wrong is not None:
            at, column = wrong
            found = f"{column} = {table[column][at].as_py()!r} in row {row + at}"
            raise InputError(found, where=path, expected=EXPECTED[column])
        row += table.num_rows
        yield table


def first_wrong(table: "pa.Table") -> tuple[int, str] | None:
    """The first row that is no attempt, and the column that it fails in; None where all are attempts.

    NaN is not between 0 and 1, and a missing value is wrong everywhere but in `confidence`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    confidence = pc.fill_null(table["confidence"], 0.0)
    good = {
        "problem_id": pc.not_equal(table["problem_id"], ""),
        "suite": pc.not_equal(table["suite"], ""),
        "outcome": pc.is_in(table["outcome"], value_set=pa.array(get_args(Outcome))),
        "attempt": pc.greater_equal(table["attempt"], 0),
        "confidence": pc.and_(pc.greater_equal(confidence, 0.0), pc.less_equal(confidence, 1.0)),
    }
    rows = {column: pc.index(pc.fill_null(fine, False), False).as_py() for column, fine in good.items()}
    return min(((row, column) for column, row in rows.items() if row >= 0), default=None)


def is_text(column: "pa.ChunkedArray") -> bool:
    """Whether a column of texts is UTF-8 throughout, which Arrow takes for granted when it reads."""
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _refuse_bad_text(table: "pa.Table", path: Path, first: int) -> None:
    for name in table.column_names:
        if not is_text(table[name]):
            for row, value in enumerate(table[name]):
                try:
                    value.as_py()
                except UnicodeDecodeError:
                    found = f"{name} in row {first + row} is not UTF-8"
                    raise InputError(found, where=path, expected="text in UTF-8") from None
            raise InputError(f"column {name} is damaged", where=path, expected="a Parquet file as it was written")
