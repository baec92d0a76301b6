"""Reviews: who approved or rejected a version, when and why, signed with the reviewer's key."""

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ConfigDict

from ratchet.errors import InputError
from ratchet.jsonl import without_repeats
from ratchet.registry.ledger import digest_of
from ratchet.registry.registered import Registered, Version, set_tag
from ratchet.registry.signed import record_fault, signature
from ratchet.storage import as_record, read_bytes

REVIEW_TAG = "ratchet.review."
_PEM_PREFIX = bytes.fromhex("302a300506032b6570032100")  # what stands before the 32 bytes in PEM (RFC 8410)
State = Literal["pending", "approved", "rejected"]


@dataclass(frozen=True, slots=True)
class Review:
    """One reviewer's word on one version under one verdict."""

    decision: Literal["approve", "reject"]
    model: str
    version: str
    source: str
    verdict_digest: str
    by: str
    reason: str
    created: str
    signature: str | None = None

    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """Whose reviews count: names with their keys; with `four_eyes` not that of whoever started the run."""

    reviewers: tuple[tuple[str, Ed25519PublicKey], ...]
    four_eyes: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What the reviews of a version come to; `digest` is that of the approval."""

    state: State
    by: str | None
    reason: str
    digest: str | None = None


def read_reviewers(path: Path) -> tuple[tuple[str, Ed25519PublicKey], ...]:
    """The reviewers in a file with a line for each: a name without spaces, then the public key in base64.

    The key is its 32 bytes, or the line between BEGIN and END of its PEM.
    """
    found: list[tuple[str, Ed25519PublicKey]] = []
    for number, line in enumerate(read_bytes(path).decode("utf-8", errors="replace").splitlines(), start=1):
        parts = line.split("#")[0].split()
        if not parts:
            continue
        raw = _key_bytes(parts[1]) if len(parts) == 2 else None
        if raw is None:
            raise InputError("no reviewer", where=path, line=number, expected="NAME and a public key in base64")
        found.append((parts[0], Ed25519PublicKey.from_public_bytes(raw)))
    if not found:
        raise InputError("no reviewers", where=path, expected="a line NAME KEY for each")
    return tuple(found)


def _key_bytes(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    raw = raw.removeprefix(_PEM_PREFIX) if len(raw) == len(_PEM_PREFIX) + 32 else raw
    return raw if len(raw) == 32 else None


def signed_review(review: Review, key: Ed25519PrivateKey) -> Review:
    """The review with its signature."""
    return replace(review, signature=signature("review", asdict(review), key))


def store_review(model: Registered, review: Review) -> str:
    """The tag of the version that the review was stored under; the same review again is the same tag."""
    text = json.dumps(asdict(review), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    tag = REVIEW_TAG + digest_of(text.encode()).removeprefix("sha256:")[:16]
    set_tag(model, model.name, review.version, tag, text)
    return tag


def read_reviews(version: Version) -> list[Review]:
    """Every review that is stored with the version and can be read as one; nothing is verified here."""
    texts = [
        text for tag, text in sorted(version.tags.items()) if re.fullmatch(re.escape(REVIEW_TAG) + "[0-9a-f]{16}", tag)
    ]
    return [review for review in map(_review, texts) if review is not None]


def _review(text: str) -> Review | None:
    try:
        document = json.loads(text, object_pairs_hook=without_repeats)
        return as_record(document, Review, Path("review"), "a review that Ratchet wrote")
    except (ValueError, RecursionError, InputError):
        return None


def decision_on(
    reviews: Iterable[Review],
    rule: ReviewRule,
    model: str,
    version: Version,
    verdict_digest: str,
    started_by: str | None,
) -> Decision:
    """What the reviews come to: each reviewer's latest word counts, and one rejection outweighs every approval.

    A review counts where a reviewer's own key signed it, for this version, its files and this verdict. Under
    `four_eyes` the approval of whoever started the run does not count, and where that is unknown none does.
    """
    about = (model, version.number, version.source, verdict_digest)
    latest: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda each: each.created):
        if (review.model, review.version, review.source, review.verdict_digest) == about and review_holds(review, rule):
            latest[review.by] = review
    rejected = next((review for review in latest.values() if review.decision == "reject"), None)
    if rejected is not None:
        return Decision("rejected", rejected.by, rejected.reason)
    if rule.four_eyes and started_by is None:
        return Decision("pending", None, "four eyes are asked for and the run does not say who started it")
    approved = next((r for r in latest.values() if not (rule.four_eyes and r.by == started_by)), None)
    if approved is not None:
        return Decision("approved", approved.by, approved.reason, review_digest(approved))
    own = f"; {started_by} started the run and can't approve it" if latest else ""
    return Decision("pending", None, f"it waits for a review{own}")


def review_digest(review: Review) -> str:
    """The digest of a review with its signature."""
    return digest_of(json.dumps(asdict(review), sort_keys=True, separators=(",", ":")).encode())


def review_holds(review: Review, rule: ReviewRule) -> bool:
    """Whether the key of the reviewer that it names signed it."""
    keys: Sequence[Ed25519PublicKey] = [key for name, key in rule.reviewers if name == review.by]
    return bool(keys) and record_fault("review", asdict(review), keys) is None


def new_review(decision: Literal["approve", "reject"], model: str, version: Version, by: str, reason: str) -> Review:
    """The unsigned review of the version as it stands now, under the verdict that it was put forward with."""
    verdict_digest = version.tags.get("ratchet.verdict_digest")
    if verdict_digest is None:
        raise InputError(
            f"version {version.number} has no verdict", where=model, expected="one that `ratchet promote` put forward"
        )
    created = datetime.now(UTC).isoformat(timespec="microseconds")
    return Review(decision, model, version.number, version.source, verdict_digest, by, reason, created)
