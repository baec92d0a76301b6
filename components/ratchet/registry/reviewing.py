"""The reviewer's side: what is put forward, and a signed word on it stored with the version."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet.errors import InputError
from ratchet.registry.registered import CHALLENGER, Registered, Version, aliases, require_name, versions
from ratchet.registry.review import (
    Review,
    ReviewRule,
    decision_on,
    new_review,
    read_reviewers,
    read_reviews,
    review_holds,
    signed_review,
    store_review,
)
from ratchet.registry.store import connected

UNKNOWN = "unknown"
OVERRIDE_TAG, EXPIRES_TAG = "ratchet.override", "ratchet.override_expires"


@dataclass(frozen=True, slots=True)
class Said:
    """One review as it is shown; `signature` says whether it holds, where that can be told."""

    decision: str
    by: str
    reason: str
    created: str
    signature: Literal["holds", "does not hold", "not checked"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version as a reviewer sees it; all but `created` and the reviews is what its tags say.

    `created` is when it became a version, in UTC. `run` and `round` are where its checkpoint was made, None where the
    version does not say.
    """

    model: str
    version: str
    aliases: tuple[str, ...]
    checkpoint: str
    verdict: str
    review: str
    override: str | None
    reviews: tuple[Said, ...]
    created: str
    run: str | None
    round: str | None


def candidates(tracking_uri: str, name: str, reviewers: Path | None) -> list[Candidate]:
    """Every version, latest first."""
    require_name(name)
    rule = None if reviewers is None else ReviewRule(read_reviewers(reviewers))
    with connected(tracking_uri) as client:
        model = Registered(client, tracking_uri, name)
        return candidates_among(name, versions(client, name), aliases(model), rule)


def candidates_among(
    name: str, there: Sequence[Version], pointed: Mapping[str, str], rule: ReviewRule | None
) -> list[Candidate]:
    """Those of the versions, which come by number, latest first; `pointed` are the aliases."""
    return [_candidate(name, version, pointed, rule) for version in reversed(there)]


def waiting(found: Iterable[Candidate], once_champion: Collection[str]) -> list[Candidate]:
    """What waits for somebody: put forward under a verdict, never champion and not rejected; @challenger first."""
    open_ = [one for one in found if one.verdict != UNKNOWN and one.review != "rejected"]
    ours = [one for one in open_ if one.version not in once_champion]
    return sorted(ours, key=lambda one: CHALLENGER not in one.aliases)


def candidate(tracking_uri: str, name: str, number: str, reviewers: Path | None) -> Candidate:
    """One version; an InputError where there is none of that number."""
    found = [one for one in candidates(tracking_uri, name, reviewers) if one.version == number]
    if not found:
        raise _no_version(name, number)
    return found[0]


def review(
    tracking_uri: str,
    name: str,
    number: str,
    decision: Literal["approve", "reject"],
    by: str,
    reason: str,
    key: Ed25519PrivateKey,
) -> Review:
    """The review, signed and stored with the version, under the verdict that it was put forward with."""
    require_name(name)
    if not reason.strip() or not by.strip():
        raise InputError("no reason or no name", expected="--reason and --by, which are kept with the version")
    with connected(tracking_uri) as client:
        model = Registered(client, tracking_uri, name)
        version = next((version for version in versions(client, name) if version.number == number), None)
        if version is None:
            raise _no_version(name, number)
        said = signed_review(new_review(decision, name, version, by, reason), key)
        store_review(model, said)
    return said


def _no_version(name: str, number: str) -> InputError:
    return InputError(f"no version {number}", where=name, expected="one that `ratchet review list` shows")


def _candidate(name: str, version: Version, pointed: Mapping[str, str], rule: ReviewRule | None) -> Candidate:
    tags = version.tags
    reviews = read_reviews(version)
    return Candidate(
        model=name,
        version=version.number,
        aliases=tuple(sorted(alias for alias, number in pointed.items() if number == version.number)),
        checkpoint=tags.get("ratchet.digest", UNKNOWN),
        verdict=tags.get("ratchet.verdict", UNKNOWN),
        review=_state(name, version, reviews, rule),
        override=_override(tags),
        reviews=tuple(_said(one, rule) for one in reviews),
        created=datetime.fromtimestamp(version.created_ms / 1000, UTC).isoformat(timespec="seconds"),
        run=tags.get("ratchet.run"),
        round=tags.get("ratchet.round"),
    )


def _state(name: str, version: Version, reviews: list[Review], rule: ReviewRule | None) -> str:
    """What the reviews come to where their signatures can be checked, else what the last `promote` found."""
    tag = version.tags.get("ratchet.review")
    if rule is None or (tag is None and not reviews):
        return tag or "not asked for"
    return decision_on(reviews, rule, name, version, version.tags.get("ratchet.verdict_digest", ""), None).state


def _said(one: Review, rule: ReviewRule | None) -> Said:
    holds = None if rule is None else review_holds(one, rule)
    shown: Literal["holds", "does not hold", "not checked"]
    shown = "not checked" if holds is None else "holds" if holds else "does not hold"
    return Said(one.decision, one.by, one.reason, one.created, shown)


def _override(tags: dict[str, str]) -> str | None:
    """The override in words, and that it has expired where it has."""
    said, expires = tags.get(OVERRIDE_TAG), tags.get(EXPIRES_TAG, "")
    if said is None:
        return None
    try:
        over = datetime.now(UTC).date() > date.fromisoformat(expires)
    except ValueError:
        return said
    return f"EXPIRED: {said}" if over else said
