"""Attempts in JSONL files, as others may write them: read fast where nothing is unusual, else line by line.

Arrow reads a block of lines at once. It takes some things that are no JSON line, so a block is left to it only where
every line is one object (`_plain_lines`) and what it read passes the checks of `read_at_once`; all other blocks, those
with an error among them, are read a line at a time, and the line is named. The fast way never takes what the other
refuses (a test compares them).
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import numpy as np
from pydantic import Field

from ratchet.batches import BATCH_BYTES
from ratchet.errors import InputError
from ratchet.evaluate.columns import first_wrong, is_text
from ratchet.jsonl import LONGEST_LINE, filled_lines, json_lines
from ratchet.records import Attempt, Outcome
from ratchet.storage import Header, arrow_schema, checked, table_of, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

UNNUMBERED = -1
LARGEST_NUMBER = 2**63 - 1
OPEN, CLOSE, NEWLINE = b"{}\n"


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One line of an attempts file: `correct` may stand for `outcome`, and null means what a missing field means."""

    problem_id: Annotated[str, Field(min_length=1)]
    outcome: Outcome | None = None
    correct: bool | None = None
    suite: Annotated[str, Field(min_length=1)] | None = None
    attempt: Annotated[int, Field(ge=0, le=LARGEST_NUMBER)] | None = None
    text: str | None = None
    answer: str | None = None
    confidence: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    group: str | None = None
    cluster: str | None = None
    concepts: tuple[str, ...] | None = None


def jsonl_header(path: Path) -> tuple[Header, int | None]:
    """The header of a JSONL file and its line; empty, and None, where the first filled line is no header."""
    try:
        with path.open("rb") as stream:
            header, line = _past_header(stream, path)
    except OSError as error:
        raise unreadable(path, error) from None
    return header, line - 1 if line > 1 else None


def jsonl_attempts(path: Path) -> Iterator["pa.Table"]:
    """The attempts in a JSONL file in their order, in checked tables with the columns of Attempt.

    `attempt` is UNNUMBERED where the line gives no number.
    """
    try:
        with path.open("rb") as stream:
            _, line = _past_header(stream, path)
            while block := stream.read(BATCH_BYTES) + stream.readline(LONGEST_LINE + 1):
                table = read_at_once(block, line)
                yield read_with_care(block, path, line) if table is None else table
                line += block.count(b"\n")
    except OSError as error:
        raise unreadable(path, error) from None


def line_of(path: Path, row: int) -> int:
    """The line that holds the attempt `row`; looked up only when there is something to say about it."""
    with path.open("rb") as stream:
        _, first = _past_header(stream, path)
        return next(number for i, (number, _) in enumerate(filled_lines(stream, first)) if i == row)


def _past_header(stream: BinaryIO, path: Path) -> tuple[Header, int]:
    """The header, and the number of the line that the stream stands at: the one after it, or else the first."""
    for number, value in json_lines(stream, path):
        if set(value) == {"header"} and isinstance(value["header"], dict):
            return value["header"], number + 1
        break
    stream.seek(0)
    return {}, 1


def read_at_once(block: bytes, first: int) -> "pa.Table | None":
    """The attempts of a block of whole lines from line `first` on, or None where it must be read with care."""
    import pyarrow as pa
    import pyarrow.json as pj

    plain = _plain_lines(block.removeprefix(codecs.BOM_UTF8) if first == 1 else block)
    if plain is None:
        return None
    try:
        read = pj.read_json(
            pa.BufferReader(plain),
            read_options=pj.ReadOptions(block_size=len(plain) + 1, use_threads=False),
            parse_options=pj.ParseOptions(explicit_schema=_line_schema(), unexpected_field_behavior="error"),
        )
    except pa.ArrowException:
        return None
    return _attempts(read) if read.num_rows == plain.count(b"\n") else None


def _plain_lines(block: bytes) -> bytes | None:
    """The lines, each ended by one newline, or None unless each begins with `{` and ends with `}`.

    So no object goes over several lines (strings hold no raw newlines), and with as many objects as lines none holds
    two. Arrow reads a zero byte as the end of the block.
    """
    if len(block) > LONGEST_LINE or b"\0" in block:
        return None
    unix = block.replace(b"\r\n", b"\n") if b"\r" in block else block  # the search alone is several times faster
    plain = unix.strip(b"\n") + b"\n"
    data = np.frombuffer(plain, dtype=np.uint8)
    ends = np.flatnonzero(data == NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    return plain if (data[starts] == OPEN).all() and (data[ends - 1] == CLOSE).all() else None


def _attempts(read: "pa.Table") -> "pa.Table | None":
    """The lines that Arrow read as attempts, or None where one of them is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    either = pc.xor(pc.is_valid(read["outcome"]), pc.is_valid(read["correct"]))
    concepts = pc.list_flatten(read["concepts"])
    if not pc.all(either, min_count=0).as_py() or concepts.null_count or not is_text(concepts):
        return None
    graded = pc.if_else(read["correct"], "correct", "incorrect")
    filled = {
        "outcome": pc.coalesce(read["outcome"], graded),
        "suite": pc.fill_null(read["suite"], "default"),
        "attempt": pc.fill_null(read["attempt"], 0),
        "concepts": pc.coalesce(read["concepts"], pa.scalar([], pa.list_(pa.string()))),
    }
    schema = arrow_schema(Attempt)
    table = pa.table([filled.get(name, read[name]) for name in schema.names], schema=schema)
    if first_wrong(table) is not None or not all(is_text(column) for column in table.columns):
        return None
    numbers = pc.fill_null(read["attempt"], UNNUMBERED)
    return table.set_column(schema.get_field_index("attempt"), schema.field("attempt"), numbers)


def _line_schema() -> "pa.Schema":
    import pyarrow as pa

    return arrow_schema(Attempt).append(pa.field("correct", pa.bool_()))


def read_with_care(block: bytes, path: Path, first: int) -> "pa.Table":
    """The attempts of a block of whole lines; the first line that is none is refused with its number."""
    lines = json_lines(BytesIO(block), path, first)
    return table_of((_attempt(checked(value, AttemptLine, path, n), path, n) for n, value in lines), Attempt)


def _attempt(line: AttemptLine, path: Path, number: int) -> Attempt:
    if (line.outcome is None) == (line.correct is None):
        found = "neither 'outcome' nor 'correct'" if line.outcome is None else "both 'outcome' and 'correct'"
        raise InputError(found, where=path, line=number, expected="one of the two")
    return Attempt(
        problem_id=line.problem_id,
        outcome=line.outcome or ("correct" if line.correct else "incorrect"),
        suite="default" if line.suite is None else line.suite,
        attempt=UNNUMBERED if line.attempt is None else line.attempt,
        text=line.text,
        answer=line.answer,
        confidence=line.confidence,
        group=line.group,
        cluster=line.cluster,
        concepts=line.concepts or (),
    )
