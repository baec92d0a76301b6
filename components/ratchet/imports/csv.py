"""CSV (RFC 4180, UTF-8 with or without a byte order mark, a line of column names first) into attempts."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ratchet.errors import InputError
from ratchet.imports.columns import Columns, attempt_of, left_out, refuse_empty, table_header
from ratchet.imports.imported import Imported, Place, Row, joined
from ratchet.jsonl import LONGEST_LINE
from ratchet.storage import unreadable

EXPECTED = "CSV in UTF-8 as RFC 4180 has it, column names first"


def read_csv(path: Path, columns: Columns, suite: str | None = None) -> Imported:
    """The attempts in a CSV file; `suite` overrides a suite column. An empty cell is nothing, not an empty text."""
    before = csv.field_size_limit(LONGEST_LINE)  # the default, 131,072 characters, is less than a long answer
    try:
        records = _records(path)
        place, names = next(records, (Place(path), []))
        if not names or len(set(names)) < len(names):
            raise place.error("a column name twice" if names else "nothing", EXPECTED)
        found = columns.found_in(names, place)
        rows = [Row(attempt_of(_fields(cells, names, found, where), suite, where), where) for where, cells in records]
    finally:
        csv.field_size_limit(before)
    refuse_empty(rows, place)
    attempts = tuple(row.attempt for row in joined([rows]))
    return Imported(attempts, table_header(found, "column"), left_out(found, names, "column"))


def _fields(cells: list[str], names: list[str], found: dict[str, str], place: Place) -> dict[str, str | None]:
    if len(cells) != len(names):
        raise place.error(f"{len(cells)} cells", f"{len(names)}, one for each column name")
    row = dict(zip(names, cells, strict=True))
    return {field: row[column] or None for field, column in found.items()}


def _records(path: Path) -> Iterator[tuple[Place, list[str]]]:
    """Each record with the line that it starts on; blank lines are passed over."""
    line = 1
    try:
        with path.open("rb") as stream:
            reader = csv.reader(_text_lines(stream, path), strict=True)
            for cells in reader:
                if cells:
                    yield Place(path, line), cells
                line = reader.line_num + 1
    except OSError as error:
        raise unreadable(path, error) from None
    except csv.Error as error:
        raise InputError(f"not CSV ({error})", where=path, line=line, expected=EXPECTED) from None


def _text_lines(stream: BinaryIO, path: Path) -> Iterator[str]:
    for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE + 1), b""), start=1):
        if len(line) > LONGEST_LINE:
            raise InputError(f"a line of over {LONGEST_LINE} bytes", where=path, line=number, expected=EXPECTED)
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"not UTF-8 ({error.reason})", where=path, line=number, expected=EXPECTED) from None
