"""JSONL whose field names are its author's own into attempts; a dotted name leads into an object (`doc.id`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ratchet.imports.columns import Columns, attempt_of, left_out, refuse_empty, table_header
from ratchet.imports.imported import Imported, Place, Row, joined
from ratchet.imports.parsing import json_lines

EXPECTED = "one JSON object a line, in UTF-8"


def read_jsonl(path: Path, columns: Columns, suite: str | None = None) -> Imported:
    """The attempts in a JSONL file; `suite` overrides a suite field. A field that is missing or null is nothing.

    Which fields there are is known only at the end of the file, so it is read twice.
    """
    place = Place(path)
    names: dict[str, None] = {}
    for _, value in json_lines(path, EXPECTED):
        names.update(dict.fromkeys(_paths(value)))
    refuse_empty(list(names), place)
    found = columns.found_in(list(names), place)
    rows = []
    for line, value in json_lines(path, EXPECTED):
        where = Place(path, line)
        fields = {field: _at(value, name) for field, name in found.items()}
        rows.append(Row(attempt_of(fields, suite, where), where))
    attempts = tuple(row.attempt for row in joined([rows]))
    top = [name for name in names if "." not in name or name in found.values()]
    return Imported(attempts, table_header(found, "field"), left_out(found, top, "field"))


def _paths(value: Mapping[str, Any], before: str = "") -> list[str]:
    """The names of all fields, those inside objects with a dot; an object that was entered is named as well."""
    found: list[str] = []
    for name, inner in value.items():
        found.append(before + name)
        if isinstance(inner, dict):
            found += _paths(inner, f"{before}{name}.")
    return found


def _at(value: Mapping[str, Any], name: str) -> Any:
    """The field of that name, or where there is none the one that its dots lead to."""
    if name in value:
        return value[name]
    first, dot, rest = name.partition(".")
    inner = value.get(first)
    return _at(inner, rest) if dot and isinstance(inner, dict) else None
