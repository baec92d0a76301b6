"""Records in files: JSONL at the edges, Parquet between steps; every write is to a temporary name, then a rename."""

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from ratchet.errors import InputError
from ratchet.jsonl import first_line, json_lines, refuse_constant, without_repeats

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import TypeAdapter

Record = TypeVar("Record")
Header = dict[str, Any]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved to it when the block ends well and removed when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON; NaN and infinities are refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in `path`."""
    try:
        return json.loads(read_bytes(path))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(
            f"not JSON ({first_line(error)})", where=path, line=line, expected="one JSON document"
        ) from None


def read_bytes(path: Path) -> bytes:
    """The content of `path`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, as `sha256:<hex>`."""
    try:
        with path.open("rb") as stream:
            return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from None


def write_records(path: Path, records: Iterable[Any], kind: type, header: Header | None = None) -> None:
    """Write records of the dataclass `kind` to a `.jsonl` or `.parquet` file, the header before them or beside them."""
    if is_parquet(path):
        write_table(path, table_of(records, kind), header)
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for value in ([{"header": header}] if header else []) + [_plain(record) for record in records]:
            stream.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


def read_records(path: Path, kind: type[Record]) -> list[Record]:
    """The records of the dataclass `kind` in a `.jsonl` or `.parquet` file."""
    return read_with_header(path, kind)[0]


def read_with_header(path: Path, kind: type[Record]) -> tuple[list[Record], Header]:
    """The records in a file and its header (empty where it has none)."""
    if is_parquet(path):
        table, header = read_table(path, kind)
        return records_of(table, kind), header
    header = {}
    records: list[Record] = []
    for number, value in _json_lines(path):
        if not records and not header and set(value) == {"header"} and isinstance(value["header"], dict):
            header = value["header"]
            continue
        records.append(checked(value, kind, path, number))
    return records, header


def records_of(table: "pa.Table", kind: type[Record]) -> list[Record]:
    """The rows of a table that has the schema of `kind`."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    lists = _list_fields(kind)
    columns = [
        [tuple(item or ()) for item in table[name].to_pylist()] if name in lists else table[name].to_pylist()
        for name in names
    ]
    return [kind(*row) for row in zip(*columns, strict=True)]


def table_of(records: Iterable[Any], kind: type) -> "pa.Table":
    """Records of the dataclass `kind` as an Arrow table."""
    import pyarrow as pa

    rows = list(records)
    schema = arrow_schema(kind)
    return pa.table({f.name: [getattr(row, f.name) for row in rows] for f in dataclasses.fields(kind)}, schema=schema)


def write_table(path: Path, table: "pa.Table", header: Header | None = None) -> None:
    """Write an Arrow table to a Parquet file with the header in its metadata."""
    import pyarrow.parquet as pq

    with atomic_path(path) as temporary:
        pq.write_table(table.replace_schema_metadata(header_metadata(header)), temporary, compression="zstd")


def read_table(
    path: Path, kind: type, leave_out: Sequence[str] = (), encoded: Sequence[str] = ()
) -> tuple["pa.Table", Header]:
    """The Parquet file as a table with exactly the columns of `kind`, and its header.

    Columns in `leave_out` are not read; those in `encoded` come as codes with one dictionary for the whole table.
    """
    import pyarrow.parquet as pq

    schema = arrow_schema(kind, leave_out, encoded)
    with parquet_errors(path, kind), arrow_file(path) as stream:
        # not pq.read_table, which imports pandas wherever it is installed
        table = pq.ParquetFile(stream, read_dictionary=list(encoded)).read(columns=schema.names)
        header = metadata_header(table.schema.metadata)
        return table.select(schema.names).cast(schema).unify_dictionaries(), header


def arrow_file(path: Path) -> "pa.NativeFile":
    """The file, opened by Arrow itself.

    Arrow's threads read a Python file with Python's lock, which they may still want when the interpreter is ending: now
    and then that aborts a process whose work is done (apache/arrow issue 34314).
    """
    import pyarrow as pa

    with path.open("rb"):  # says in the system's own words why a file can't be read; Arrow's are others
        return pa.OSFile(str(path))


@contextmanager
def parquet_errors(path: Path, kind: type) -> Iterator[None]:
    """Turns what goes wrong while a Parquet file of `kind` is read into an InputError."""
    import pyarrow as pa

    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from None
    except (pa.ArrowException, KeyError, ValueError, RecursionError) as error:
        raise InputError(
            f"not a Parquet file of {kind.__name__} records ({first_line(error)})",
            where=path,
            expected="columns " + ", ".join(field.name for field in dataclasses.fields(kind)),
        ) from None


def header_metadata(header: Header | None) -> dict[bytes, bytes]:
    """The metadata of a Parquet file that has this header."""
    return {b"ratchet": json.dumps(header or {}, sort_keys=True, allow_nan=False).encode()}


def metadata_header(metadata: Mapping[bytes, bytes] | None) -> Header:
    """The header in the metadata of a Parquet file, empty where it has none; a ValueError where it is no JSON."""
    text = (metadata or {}).get(b"ratchet", b"{}")
    header: Header = json.loads(text, parse_constant=refuse_constant, object_pairs_hook=without_repeats)
    return header


def arrow_schema(kind: type, leave_out: Sequence[str] = (), encoded: Sequence[str] = ()) -> "pa.Schema":
    """The Arrow schema of a record class: text, integers, floats and lists of text; text in `encoded` as codes."""
    import pyarrow as pa

    types = {int: pa.int64(), float: pa.float64()}
    hints = get_type_hints(kind)
    found = {name: types.get(_bare(hint), pa.string()) for name, hint in hints.items()}
    found |= {name: pa.list_(pa.string()) for name in _list_fields(kind)}
    found |= {name: pa.dictionary(pa.int32(), pa.string()) for name in encoded}
    names = [field.name for field in dataclasses.fields(kind) if field.name not in leave_out]
    return pa.schema([(name, found[name]) for name in names])


def _bare(hint: Any) -> Any:
    """The type without its `| None`."""
    return next(arg for arg in get_args(hint) if arg is not type(None)) if isinstance(hint, UnionType) else hint


def _list_fields(kind: type) -> set[str]:
    return {name for name, hint in get_type_hints(kind).items() if getattr(hint, "__origin__", None) is tuple}


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet by its name; refused where the name ends neither so nor in `.jsonl`."""
    if path.suffix not in (".jsonl", ".parquet"):
        raise InputError(f"a file name ending in {path.suffix or 'nothing'}", where=path, expected=".jsonl or .parquet")
    return path.suffix == ".parquet"


def _plain(record: Any) -> Mapping[str, Any]:
    return {key: value for key, value in dataclasses.asdict(record).items() if value is not None and value != ()}


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as stream:
            yield from json_lines(stream, path)
    except OSError as error:
        raise unreadable(path, error) from None


def checked(value: dict[str, Any], kind: type[Record], path: Path, number: int) -> Record:
    """The JSON object of a line as the dataclass `kind`; unknown fields are refused."""
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    unknown = next((key for key in value if key not in known), None)
    if unknown is not None:
        raise InputError(f"unknown field {unknown!r}", where=path, line=number, expected="one of " + ", ".join(known))
    return as_record(value, kind, path, f"a {kind.__name__} record", number)


def as_record(value: Any, kind: type[Record], where: Path | str, expected: str, line: int | None = None) -> Record:
    """A value read from outside as the dataclass `kind`; the first field that is wrong is named."""
    from pydantic import ValidationError

    try:
        adapter: TypeAdapter[Record] = _adapter(kind)  # type: ignore[arg-type]
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        shown = f"field {field!r}" + ("" if first["type"] == "missing" else f" = {_shorten(first['input'])}")
        raise InputError(f"{shown}: {first['msg']}", where=where, line=line, expected=expected) from None


@cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def unreadable(path: Path, error: OSError) -> InputError:
    """The error for a file that the system can't open or read."""
    return InputError((error.strerror or str(error)).lower(), where=path, expected="a readable file")
