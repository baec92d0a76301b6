"""JSONL as it comes from outside: one JSON object a line in UTF-8, everything else refused with the line's number."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ratchet.errors import InputError

LONGEST_LINE = 64 * 2**20  # bytes: one record is read whole, so a line without end must not fill the memory


def json_lines(stream: BinaryIO, path: Path, first: int = 1) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each filled line of the stream, which starts at line `first` of `path`: its number and its JSON object."""
    for number, line in filled_lines(stream, first):
        yield number, _json_object(line, path, number)


def filled_lines(stream: BinaryIO, first: int = 1) -> Iterator[tuple[int, bytes]]:
    """Each line that isn't blank, with its number; of an overlong one the first LONGEST_LINE + 1 bytes.

    A byte order mark before line 1 is passed over, as RFC 8259 allows; anywhere else it is part of the line.
    """
    for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE + 1), b""), start=first):
        kept = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if kept.strip():
            yield number, kept


def first_line(error: Exception) -> str:
    """What an exception says, short enough for one line."""
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values; a ValueError where a key comes twice, of which JSON readers keep either."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} twice")
        found[key] = value
    return found


def refuse_constant(name: str) -> float:
    """Never returns: NaN and infinities, which Python's reader takes, are a ValueError."""
    raise ValueError(f"{name} is no JSON number")


def _json_object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    expected = "one JSON object a line, in UTF-8"
    if len(line) > LONGEST_LINE:
        raise InputError(f"a line of over {LONGEST_LINE} bytes", where=path, line=number, expected=expected)
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=refuse_constant, object_pairs_hook=without_repeats)
        if b"\\ud" in line.lower():  # half of a pair of escapes is no character, and no file could hold it
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        problem = f"not JSON ({first_line(error)})"
        raise InputError(problem, where=path, line=number, expected=expected, next="mend or remove the line") from None
    if not isinstance(value, dict):
        raise InputError(f"a JSON {type(value).__name__}", where=path, line=number, expected=expected)
    return value
