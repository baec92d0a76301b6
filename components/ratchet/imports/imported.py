"""What a reader of another tool's log returns, the checks that all formats share, and how it is written."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ratchet.errors import InputError
from ratchet.jsonl import first_line
from ratchet.records import Attempt, Outcome
from ratchet.storage import Header, write_records

UNNUMBERED = -1  # an attempt whose number the log doesn't give: numbered by its order of appearance


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: the file, the line where there is one, and what the log itself calls the record."""

    path: Path
    line: int | None = None
    record: str = ""

    def error(self, found: str, expected: str, next: str = "") -> InputError:
        """The error that names this place."""
        named = f"{self.record}: {found}" if self.record else found
        return InputError(named, where=self.path, line=self.line, expected=expected, next=next)


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt and where it came from; `item` and `prompt` are digests of what was asked, where the log has them."""

    attempt: Attempt
    place: Place
    item: str | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """Attempts, the header that goes before them (empty: nothing is known) and what the reader of the log must know."""

    attempts: tuple[Attempt, ...]
    header: Header
    notes: tuple[str, ...] = ()
    model: str | None = None

    def outcomes(self) -> dict[str, Counter[Outcome]]:
        """How often each outcome came in each suite."""
        counts: dict[str, Counter[Outcome]] = {}
        for attempt in self.attempts:
            counts.setdefault(attempt.suite, Counter())[attempt.outcome] += 1
        return counts

    def problems(self, suite: str) -> int:
        """How many problems of a suite there are."""
        return len({attempt.problem_id for attempt in self.attempts if attempt.suite == suite})


def write(imported: Imported, out: Path, read_from: Sequence[Path] = ()) -> None:
    """Write the attempts file `out` (`.jsonl` or `.parquet`), whole or not at all, and never over a log read from."""
    if out.exists() and any(path.exists() and out.samefile(path) for path in read_from):
        raise InputError("the log itself", where=out, expected="another name for the attempts file")
    try:
        json.dumps(imported.header, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        found = f"sampling parameters that can't be written ({first_line(error)})"
        raise InputError(found, where=out, expected="parameters that JSON has words for") from None
    write_records(out, imported.attempts, Attempt, imported.header or None)


def joined(files: Iterable[Sequence[Row]]) -> list[Row]:
    """The rows of all files, checked and numbered.

    A problem that several files hold is one problem tried again: its attempts in a later file count on from those in
    the files before. Within a file an attempt that comes twice is refused.
    """
    rows: list[Row] = []
    first: dict[tuple[str, str], Row] = {}
    next_number: dict[tuple[str, str], int] = {}
    for file in files:
        before = dict(next_number)
        seen: set[tuple[str, str, int]] = set()
        for row in file:
            _check(row, first)
            problem = (row.attempt.suite, row.attempt.problem_id)
            row = _numbered(row, before.get(problem, 0), next_number.get(problem, 0))
            number = row.attempt.attempt
            if (*problem, number) in seen:
                raise row.place.error(f"attempt {number} of problem {problem[1]!r} again", "each attempt once")
            seen.add((*problem, number))
            next_number[problem] = max(next_number.get(problem, 0), number + 1)
            rows.append(row)
    return rows


def _numbered(row: Row, earlier: int, following: int) -> Row:
    given = row.attempt.attempt
    number = following if given == UNNUMBERED else earlier + given
    return row if number == given else replace(row, attempt=replace(row.attempt, attempt=number))


def _check(row: Row, first: dict[tuple[str, str], Row]) -> None:
    attempt = row.attempt
    for name in ("problem_id", "suite", "text", "answer", "group", "cluster"):
        value = getattr(attempt, name)
        if value is not None and not _encodable(value):
            found = f"half a surrogate pair in the {name}"
            raise row.place.error(found, "text that UTF-8 can hold", "mend the record")
        if value == "" and name in ("problem_id", "suite"):
            raise row.place.error(f"an empty {name}", f"a {name}")
    same = first.setdefault((attempt.suite, attempt.problem_id), row)
    for what in ("item", "prompt"):
        here, before = getattr(row, what), getattr(same, what)
        if here != before and None not in (here, before):
            raise row.place.error(
                f"problem {attempt.problem_id!r} with another {'problem' if what == 'item' else 'prompt'} behind it",
                f"the one of {same.place.path}" + (f":{same.place.line}" if same.place.line else ""),
                "import logs of one data set together, others apart",
            )


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
