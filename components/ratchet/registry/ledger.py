"""The ledger of a registered model: who became champion after whom, in an order that no two writers can disagree on.

It is an append-only list. Each entry names the entry that it was written after, by digest. Of several entries that
name the same one, the first in the list counts and the others were too late: that is the compare-and-set.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ConfigDict

from ratchet.errors import InputError
from ratchet.jsonl import without_repeats
from ratchet.registry.signed import signature
from ratchet.storage import as_record

Kind = Literal["promote", "rollback", "incident"]
START = "start"  # what the first entry of a ledger is written after


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger: `version` of `model` became champion, or was put back after an incident.

    `source` is where MLflow says the version's files are, which can't be changed once a version exists. `before` is
    the version that was champion. `after` is the digest of the entry that this one was written after. `claim` makes
    the entry unlike any other. In an incident `found` is the version that stood there without backing, "" for none.
    """

    kind: Kind
    model: str
    version: str | None
    source: str | None
    checkpoint: str | None
    verdict_digest: str | None
    before: str | None
    after: str
    by: str
    reason: str
    created: str
    claim: str
    review_digest: str | None = None
    found: str | None = None
    signature: str | None = None

    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Line:
    """A stored line: its number, the digest and the predecessor that it was stored with, and its text.

    `entry` is None where the text is missing or is not what the digest says: somebody changed it.
    """

    number: int
    digest: str
    after: str
    entry: LedgerEntry | None
    applied: bool


def signed_entry(entry: LedgerEntry, key: Ed25519PrivateKey) -> LedgerEntry:
    """The entry with its signature."""
    return dataclasses.replace(entry, signature=signature("ledger", dataclasses.asdict(entry), key))


def entry_text(entry: LedgerEntry) -> str:
    """The entry as it is stored: canonical JSON."""
    return json.dumps(dataclasses.asdict(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(content: bytes) -> str:
    """SHA-256 of the content, as `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def read_line(number: int, digest: str, after: str, text: str | None, applied: bool) -> Line:
    """The line of these stored values; a text that is not the digest's is nobody's entry."""
    entry = None
    if text is not None and digest_of(text.encode()) == digest:
        entry = _entry(text, number)
    if entry is not None and entry.after != after:
        entry = None
    return Line(number, digest, after, entry, applied)


def _entry(text: str, number: int) -> LedgerEntry | None:
    try:
        document = json.loads(text, object_pairs_hook=without_repeats)
        return as_record(document, LedgerEntry, Path(f"ledger entry {number}"), "an entry that Ratchet wrote")
    except (ValueError, RecursionError, InputError):
        return None


def chain(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The lines that count, oldest first: each written after the one before it, the first of those that were.

    Signatures play no part here: which line came first must not depend on the keys that somebody trusts today.
    """
    found: list[Line] = []
    head = START
    for line in sorted(lines, key=lambda each: each.number):
        if line.after == head:
            found.append(line)
            head = line.digest
    return tuple(found)


def head_digest(counted: Sequence[Line]) -> str:
    """What the next entry is to be written after."""
    return counted[-1].digest if counted else START


def champions(counted: Sequence[Line]) -> list[Line]:
    """The lines that made a champion, latest first, and those whose entry somebody changed."""
    return [line for line in reversed(counted) if line.entry is None or line.entry.kind != "incident"]


def succession(counted: Sequence[Line]) -> tuple[Line, ...]:
    """The champions that led to the last one, oldest first: what was rolled back from is left out."""
    found: list[Line] = []
    for line in reversed(champions(counted)):
        if line.entry is None:
            continue
        if line.entry.kind == "rollback":
            known = [each.entry.version if each.entry else None for each in found]
            found = found[: known.index(line.entry.version) if line.entry.version in known else None]
        found.append(line)
    return tuple(found)


def before(counted: Sequence[Line], version: str | None) -> tuple[Line, ...]:
    """The champions of the succession before that version, the latest first; all but it where it is not in it."""
    found: list[Line] = []
    for line in succession(counted):
        if line.entry is not None and line.entry.version == version:
            break
        found.append(line)
    return tuple(reversed(found))
