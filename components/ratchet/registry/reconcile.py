"""The alias @champion as the ledger says: what a killed promotion left is finished, what nothing backs is put back.

Reading and deciding come first. Whatever can't be read ends the call with an error before anything is changed.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.registry.files import put_files
from ratchet.registry.ledger import LedgerEntry, Line, before, champions, head_digest
from ratchet.registry.registered import (
    CHALLENGER,
    CHAMPION,
    ROLLBACK,
    Registered,
    append,
    mark_applied,
    set_alias,
    set_model_tag,
)
from ratchet.registry.standing import Standing, read_standing

INCIDENT_TAG = "ratchet.incident"  # of the registered model: the latest one
ROUNDS = 20  # of looking again, before others are said to be changing the same thing all the time
Step = Literal["none", "finish", "restore", "record"]


@dataclass(frozen=True, slots=True)
class Action:
    """What was done: a promotion or rollback `finished`, or an alias `restored` after an incident."""

    did: Literal["finished", "restored"]
    found: str | None
    version: str | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The champion of a registered model after reconciliation and what was done to get there."""

    model: str
    champion: str | None
    checkpoint: str | None
    actions: tuple[Action, ...]


def reconcile(model: Registered, keys: Sequence[Ed25519PublicKey], by: str) -> Reconciled:
    """The champion by the ledger, after @champion was made to be it.

    An alias that stands elsewhere is an incident, which is written to the ledger first: of two reconcilers at once
    one writes it, and both put the alias back.
    """
    actions: list[Action] = []
    written: set[str | None] = set()  # what this call set the alias to: finding that is no incident
    for _ in range(ROUNDS):
        standing = read_standing(model, keys)
        found = standing.aliases.get(CHAMPION)
        step = next_step(standing, found, written)
        if step == "none":
            _mark(model, standing)
            return Reconciled(model.name, standing.version, standing.checkpoint, tuple(actions))
        if step == "record":
            append(model, _incident(model, standing, found, by))
            continue
        set_alias(model, CHAMPION, standing.version)
        written.add(standing.version)
        if step == "restore":
            _publish(model, standing)
            actions.append(Action("restored", found, standing.version, _reasons(standing, found)))
        else:
            actions.append(Action("finished", found, standing.version, ()))
    raise InputError(
        f"@{CHAMPION} was changed {ROUNDS} times while it was looked at",
        where=model.name,
        expected="an alias that stays",
        next="find out who moves it",
    )


def next_step(standing: Standing, found: str | None, written: set[str | None]) -> Step:
    """What to do about an alias that points to `found`.

    It is left where the ledger has it; finished where it is where an unfinished promotion began; restored where the
    incident is written down already and not done with; and else the incident is written down first.
    """
    if found == standing.version:
        return "none"
    if found in written or found in _unfinished(standing):
        return "finish"
    head = standing.counted[-1] if standing.counted else None
    known = head is not None and head.entry is not None and head.entry.kind == "incident" and not head.applied
    return "restore" if known and head is not None and head.entry and head.entry.found == found else "record"


def _unfinished(standing: Standing) -> set[str | None]:
    """Where the alias may stand because a promotion or rollback died before, or is about to move it."""
    begun: set[str | None] = set()
    for line in champions(standing.trusted):
        if line.applied or line.entry is None:
            break
        if standing.champion is not None and line.number <= standing.champion.number:
            begun.add(line.entry.before)
    return begun


def _incident(model: Registered, standing: Standing, found: str | None, by: str) -> LedgerEntry:
    champion = standing.champion.entry if standing.champion else None
    return LedgerEntry(
        kind="incident",
        model=model.name,
        version=standing.version,
        source=champion.source if champion else None,
        checkpoint=standing.checkpoint,
        verdict_digest=None,
        before=found,
        after=head_digest(standing.counted),
        by=by,
        reason="; ".join(_reasons(standing, found)),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        claim=secrets.token_hex(8),
        found=found,
    )


def _reasons(standing: Standing, found: str | None) -> tuple[str, ...]:
    """Why the version that was found may not stand there."""
    if found is None:
        return (f"@{CHAMPION} was removed",)
    rejected = next((each for each in standing.rejected if each.version == found), None)
    if rejected is not None:
        return rejected.faults
    changed = next((each for each in standing.rejected if each.version is None), None)
    if changed is not None:
        return changed.faults
    made = any(line.entry and line.entry.version == found for line in champions(standing.counted))
    said = "which is champion no more" if made else "which nothing in the ledger made champion"
    return (f"@{CHAMPION} was moved to version {found}, {said}",)


def _tidy(model: Registered, standing: Standing) -> None:
    """Set the other aliases as the ledger says: where a rollback would go, and no challenger that is champion."""
    entry = standing.champion.entry if standing.champion else None
    if entry is None:
        return
    earlier = [line.entry.version for line in before(standing.trusted, entry.version)[:1] if line.entry]
    if earlier or ROLLBACK in standing.aliases:
        set_alias(model, ROLLBACK, earlier[0] if earlier else None)
    if standing.aliases.get(CHALLENGER) == entry.version:
        set_alias(model, CHALLENGER, None)


def _publish(model: Registered, standing: Standing) -> None:
    """Show the incident at the head of the ledger where people look: a tag of the model, a file of the champion."""
    entry = standing.counted[-1].entry
    assert entry is not None, "an incident that was read"
    text = json.dumps(asdict(entry), indent=2, sort_keys=True, ensure_ascii=False)
    set_model_tag(model, INCIDENT_TAG, f"{entry.created}: {entry.reason}")
    if entry.source is not None:
        put_files(model, entry.source, "incidents", {f"{entry.claim}.json": text.encode()})


def _mark(model: Registered, standing: Standing) -> None:
    """See to the other aliases where something in the ledger is not done with, and note that it is."""
    head: tuple[Line, ...] = standing.counted[-1:]
    lines = [*head, *([standing.champion] if standing.champion else [])]
    if all(line.applied for line in lines):
        return
    _tidy(model, standing)
    for line in lines:
        mark_applied(model, line)
