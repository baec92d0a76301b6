"""JSON as other tools write it: NaN is let through, everything else that JSON has no meaning for is refused."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.jsonl import LONGEST_LINE, filled_lines, first_line, without_repeats
from ratchet.storage import unreadable

DEEPEST = 300  # nested containers; inspect writes 254 at most, and what walks the value must not run out of stack


def parse_json(data: bytes, where: Path, expected: str, line: int | None = None) -> dict[str, Any]:
    """The JSON object in `data`; NaN and infinities are kept, since Python's tools write them for "no value".

    Refused: text that is not UTF-8, a truncated or deeply nested document, a key that comes twice, any other value
    than an object.
    """
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=without_repeats)
        _refuse_deep(value)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({first_line(error)})", where=where, line=line, expected=expected) from None
    if not isinstance(value, dict):
        raise InputError(f"a JSON {type(value).__name__}", where=where, line=line, expected=expected)
    return value


def _refuse_deep(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inside(outer)]
        if not level:
            return
    raise ValueError(f"nested over {DEEPEST} deep")


def _inside(outer: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer


def json_lines(path: Path, expected: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each filled line of the file: its number and its JSON object."""
    for number, line in numbered_lines(path):
        yield number, parse_json(line, path, expected, number)


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each filled line of the file with its number; a byte order mark is passed over."""
    try:
        with path.open("rb") as stream:
            for number, line in filled_lines(stream):
                if len(line) > LONGEST_LINE:
                    raise InputError(
                        f"a line of over {LONGEST_LINE} bytes", where=path, line=number, expected="shorter records"
                    )
                yield number, line
    except OSError as error:
        raise unreadable(path, error) from None


def shown(value: Any) -> str:
    """A value as an error names it: short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
