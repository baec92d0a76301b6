"""The lines of a ledger, judged: which count, which a trusted key signed, and which of them made a version champion."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.registry.ledger import LedgerEntry, Line, chain
from ratchet.registry.standing import distrust


@dataclass(frozen=True, slots=True)
class Judged:
    """A line of the ledger; `fault` says why nobody vouches for it, None where a trusted key signed it.

    A line that does not count came too late: another one was written after the same line first.
    """

    line: Line
    counts: bool
    fault: str | None


def judged_lines(model: str, lines: Sequence[Line], keys: Sequence[Ed25519PublicKey]) -> tuple[Judged, ...]:
    """The lines of a ledger, latest first; without keys nobody vouches for any of them."""
    counted = {line.number for line in chain(lines)}
    return tuple(
        Judged(line, line.number in counted, "; ".join(distrust(model, line, keys)) or None) for line in reversed(lines)
    )


def champion_entry(ledger: Sequence[Judged], number: str, checked: bool) -> LedgerEntry | None:
    """The last line that made the version champion, among those that a trusted key signed where there are keys."""
    counted = (judged for judged in ledger if judged.counts and (judged.fault is None or not checked))
    entries = (judged.line.entry for judged in counted)
    return next((e for e in entries if e and e.version == number and e.verdict_digest is not None), None)
