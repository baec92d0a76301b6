"""The one way in for results, wherever they were made: attempts files (JSONL or Parquet) into one checked table.

Everything that the metrics take for granted is checked here: outcomes are known, no attempt is there twice, a problem
stays in one group and one cluster, and all files speak of one checkpoint sampled in one way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import numpy as np
from pydantic import ConfigDict, Field

from ratchet.errors import InputError
from ratchet.metrics.counts import Integers
from ratchet.records import Attempt, Outcome
from ratchet.storage import as_record, file_digest, read_bytes, read_table, read_with_header, table_of

if TYPE_CHECKING:
    import pyarrow as pa

UNNUMBERED = -1

HEADER_EXPECTED = "a header of 'checkpoint' (text) and 'sampling' (a mapping)"


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One line of an attempts file as others may write it: `correct` may stand for `outcome`."""

    problem_id: str
    outcome: Outcome | None = None
    correct: bool | None = None
    suite: str = "default"
    attempt: Annotated[int, Field(ge=0)] | None = None
    text: str | None = None
    answer: str | None = None
    confidence: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    group: str | None = None
    cluster: str | None = None
    concepts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptsHeader:
    """Whose attempts these are and how they were sampled; None where the file doesn't say."""

    checkpoint: str | None = None
    sampling: dict[str, Any] | None = None

    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Source:
    """One file that was read, and how many rows of the whole table came from it."""

    path: Path
    rows: int


def gather(paths: Sequence[Path]) -> tuple["pa.Table", AttemptsHeader]:
    """All attempts in the files, sorted by suite, problem and attempt, and the header that the files agree on."""
    import pyarrow as pa

    _refuse_repeated_files(paths)
    tables, headers = zip(*(_read_one(path) for path in paths), strict=True)
    _require_one_header(paths, headers)
    sources = [Source(path, table.num_rows) for path, table in zip(paths, tables, strict=True)]
    table = pa.concat_tables(tables).combine_chunks()
    if table.num_rows == 0:
        raise InputError("no attempts", where=paths[0], expected="at least one attempt")
    problems = problem_codes(table)
    table = _numbered(table, problems)
    _refuse_duplicates(table, problems, sources)
    for column in ("group", "cluster"):
        _require_constant(table, problems, column, sources)
    order = [("suite", "ascending"), ("problem_id", "ascending"), ("attempt", "ascending")]
    return table.sort_by(order), headers[0]


def problem_codes(table: "pa.Table") -> Integers:
    """A number for each row's problem: the same exactly where suite and problem_id are."""
    ids = _codes(table, "problem_id")
    return _codes(table, "suite") * (int(ids.max(initial=0)) + 1) + ids


def _codes(table: "pa.Table", column: str) -> Integers:
    encoded = table[column].combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False)).astype(np.int64)


def _read_one(path: Path) -> tuple["pa.Table", AttemptsHeader]:
    if path.suffix == ".parquet":
        table, header = read_table(path, Attempt)
        _check_columns(table, path)
        return table, as_record(header, AttemptsHeader, path, HEADER_EXPECTED, 1)
    lines, header = read_with_header(path, AttemptLine)
    attempts = (_attempt(line, path, row) for row, line in enumerate(lines))
    return table_of(attempts, Attempt), as_record(header, AttemptsHeader, path, HEADER_EXPECTED, 1)


def _attempt(line: AttemptLine, path: Path, row: int) -> Attempt:
    if (line.outcome is None) == (line.correct is None):
        found = "neither 'outcome' nor 'correct'" if line.outcome is None else "both 'outcome' and 'correct'"
        raise InputError(found, where=path, line=_line_number(path, row), expected="one of the two")
    return Attempt(
        problem_id=line.problem_id,
        outcome=line.outcome or ("correct" if line.correct else "incorrect"),
        suite=line.suite,
        attempt=UNNUMBERED if line.attempt is None else line.attempt,
        text=line.text,
        answer=line.answer,
        confidence=line.confidence,
        group=line.group,
        cluster=line.cluster,
        concepts=line.concepts,
    )


def _line_number(path: Path, row: int) -> int:
    """The line that holds the record `row`; looked up only when there is something to say about it."""
    filled = [number for number, line in enumerate(read_bytes(path).split(b"\n"), start=1) if line.strip()]
    header_lines = 1 if read_with_header(path, AttemptLine)[1] else 0
    return filled[header_lines + row]


def _check_columns(table: "pa.Table", path: Path) -> None:
    """Refuse what a Parquet file's types let through."""
    import pyarrow as pa
    import pyarrow.compute as pc

    outcomes = pa.array(get_args(Outcome))
    confidence = pc.fill_null(table["confidence"], 0.0)
    in_range = pc.and_(pc.greater_equal(confidence, 0.0), pc.less_equal(confidence, 1.0))
    good = {
        "problem_id": pc.is_valid(table["problem_id"]),
        "suite": pc.is_valid(table["suite"]),
        "outcome": pc.is_in(table["outcome"], value_set=outcomes),
        "attempt": pc.fill_null(pc.greater_equal(table["attempt"], 0), False),
        "confidence": in_range,
    }
    expected = {"outcome": "one of " + ", ".join(get_args(Outcome)), "confidence": "a number from 0 to 1"}
    for column, fine in good.items():
        row = pc.index(fine, False).as_py()
        if row >= 0:
            found = f"{column} = {table[column][row].as_py()!r} in row {row}"
            raise InputError(found, where=path, expected=expected.get(column, f"{column} of an attempt"))


def _refuse_repeated_files(paths: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in paths:
        first = seen.setdefault(file_digest(path), path)
        if first is not path:
            raise InputError(f"the same content as {first}", where=path, expected="each attempts file once")


def _require_one_header(paths: Sequence[Path], headers: Sequence[AttemptsHeader]) -> None:
    for path, header in zip(paths, headers, strict=True):
        if header != headers[0]:
            field = "checkpoint" if header.checkpoint != headers[0].checkpoint else "sampling"
            raise InputError(
                f"{field} = {getattr(header, field)}",
                where=path,
                expected=f"{field} = {getattr(headers[0], field)} as in {paths[0]}",
                next="a profile speaks of one checkpoint, sampled in one way",
            )


def _numbered(table: "pa.Table", problems: Integers) -> "pa.Table":
    """The table with each unnumbered attempt numbered by its order of appearance within its problem."""
    import pyarrow as pa

    order = np.argsort(problems, kind="stable")
    ordered = problems[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    appearance = np.empty(len(order), dtype=np.int64)
    appearance[order] = np.arange(len(order)) - starts
    given = table["attempt"].to_numpy()
    column = table.schema.get_field_index("attempt")
    return table.set_column(column, "attempt", pa.array(np.where(given == UNNUMBERED, appearance, given)))


def _refuse_duplicates(table: "pa.Table", problems: Integers, sources: Sequence[Source]) -> None:
    attempts = table["attempt"].to_numpy()
    order = np.lexsort((attempts, problems))
    same = (problems[order][1:] == problems[order][:-1]) & (attempts[order][1:] == attempts[order][:-1])
    if same.any():
        row = int(order[1:][same].min())
        raise _at(row, sources, f"attempt {attempts[row]} of {_named(table, row)} again", "each attempt once")


def _require_constant(table: "pa.Table", problems: Integers, column: str, sources: Sequence[Source]) -> None:
    """Refuse a problem whose rows differ in `column`."""
    codes = _codes(table, column)
    _, first, inverse = np.unique(problems, return_index=True, return_inverse=True)
    different = np.flatnonzero(codes != codes[first][inverse])
    if len(different):
        row = int(different[0])
        here, before = (table[column][int(r)].as_py() for r in (row, first[inverse[row]]))
        raise _at(row, sources, f"{_named(table, row)} in {column} {here!r}", f"{column} {before!r} as before")


def _named(table: "pa.Table", row: int) -> str:
    return f"problem {table['problem_id'][row].as_py()!r} of suite {table['suite'][row].as_py()!r}"


def _at(row: int, sources: Sequence[Source], found: str, expected: str) -> InputError:
    """The error for a row of the whole table, with the file and, in JSONL, the line that it came from."""
    for source in sources:
        if row < source.rows:
            break
        row -= source.rows
    if source.path.suffix == ".parquet":
        return InputError(f"{found} (row {row})", where=source.path, expected=expected)
    return InputError(found, where=source.path, line=_line_number(source.path, row), expected=expected)
