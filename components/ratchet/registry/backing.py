"""Does the evidence back a champion? The entry that made it, its verdict and its profile, without the network."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.gate.signing import signature_fault
from ratchet.gate.verdict import Verdict
from ratchet.jsonl import without_repeats
from ratchet.registry.ledger import LedgerEntry, digest_of
from ratchet.registry.signed import record_fault
from ratchet.storage import as_record


@dataclass(frozen=True, slots=True)
class EvidenceFiles:
    """The files of a promotion as they were read back; None for one that is not there (any more)."""

    verdict: bytes | None
    profile: bytes | None


def entry_faults(
    entry: LedgerEntry, model: str, source: str | None, keys: Sequence[Ed25519PublicKey]
) -> tuple[str, ...]:
    """Why the entry itself backs nothing; empty where it is signed and speaks of what MLflow holds.

    `source` is where MLflow says the version's files are, None where there is no such version. The files of an entry
    with faults are not to be read: whoever wrote it chose where they lie.
    """
    faults = [record_fault("ledger", asdict(entry), keys)]
    if entry.model != model:
        faults.append(f"the entry is of the model {entry.model!r}")
    if source is None:
        faults.append(f"version {entry.version} is not there any more")
    elif source != entry.source:
        faults.append(f"version {entry.version} holds {source}, the entry was written for {entry.source}")
    return tuple(fault for fault in faults if fault is not None)


def evidence_faults(
    entry: LedgerEntry, files: EvidenceFiles, keys: Sequence[Ed25519PublicKey], now: datetime
) -> tuple[str, ...]:
    """Why the files do not let the entry's version be champion; empty where they do.

    Only signatures by `keys` are trusted; names, tags and places say nothing.
    """
    return tuple(fault for fault in _evidence_faults(entry, files, keys, now) if fault is not None)


def _evidence_faults(
    entry: LedgerEntry, files: EvidenceFiles, keys: Sequence[Ed25519PublicKey], now: datetime
) -> list[str | None]:
    if files.verdict is None:
        return ["verdict.json was deleted"]
    if digest_of(files.verdict) != entry.verdict_digest:
        return ["verdict.json is not the one that the entry rests on"]
    document, verdict = verdict_in(files.verdict)
    if verdict is None:
        return ["verdict.json can't be read as a verdict"]
    return [
        signature_fault(document, keys),
        None if verdict.verdict == "PROMOTE" else f"the verdict is {verdict.verdict}",
        None if verdict.checkpoint_digest == entry.checkpoint else "the verdict is on another checkpoint",
        profile_fault(verdict, files.profile),
        override_fault(verdict, now),
    ]


def override_fault(verdict: Verdict, now: datetime) -> str | None:
    """Why the override in the verdict does not hold any more; None where it does, or where there is none."""
    if verdict.overridden is None:
        return None
    expires = verdict.overridden.expires
    try:
        over = now.astimezone(UTC).date() > date.fromisoformat(expires)
    except ValueError:
        return f"the override expires on {expires!r}, which is no day"
    return f"the override by {verdict.overridden.by} expired on {expires}" if over else None


def profile_fault(verdict: Verdict, profile: bytes | None) -> str | None:
    """Why the file is not the profile that the verdict is on; None where it is."""
    if profile is None:
        return "profile.json was deleted"
    if digest_of(profile) != verdict.profile_digests.get("candidate"):
        return "profile.json is not the one that the verdict is on"
    stated = (_document(profile) or {}).get("checkpoint")
    return None if stated == verdict.checkpoint_digest else "the profile is of another checkpoint"


def _document(content: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=without_repeats)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def verdict_in(content: bytes) -> tuple[dict[str, Any], Verdict | None]:
    """The JSON document that was signed, and the verdict that it is; None where it can't be read as one."""
    document = _document(content) or {}
    try:
        return document, as_record(document, Verdict, Path("verdict.json"), "a verdict")
    except InputError:
        return document, None
