"""`rollback`: an earlier champion again, because its verdict still holds, with the reason on record."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.registry.ledger import LedgerEntry, Line, before, chain, champions, head_digest, signed_entry
from ratchet.registry.promotion import Outcome
from ratchet.registry.reconcile import reconcile
from ratchet.registry.registered import Registered, append, read_lines, require_name
from ratchet.registry.signed import require_trusted
from ratchet.registry.standing import Standing, latest_backed, read_standing
from ratchet.registry.store import connected


def rollback(
    tracking_uri: str,
    name: str,
    to: str | None,
    reason: str,
    key: Ed25519PrivateKey,
    keys: Sequence[Ed25519PublicKey],
    by: str = "ratchet rollback",
) -> Outcome:
    """What came of it: version `to`, or the champion before this one, is champion again, or why it may not be.

    The version must have been champion and what made it so must still hold today.
    """
    require_name(name)
    require_trusted(key, keys)
    if not reason.strip():
        raise InputError("no reason", expected="--reason, which is kept in the ledger")
    with connected(tracking_uri) as client:
        model = Registered(client, tracking_uri, name)
        if not read_lines(model):
            raise InputError("nothing was ever promoted", where=name, expected="a registered model with a champion")
        reconcile(model, keys, by)
        standing = read_standing(model, keys)
        target = _target(model, standing, to, keys)
        if isinstance(target, Outcome):
            return target
        entry = signed_entry(_again(target, standing, reason, by), key)
        digest = append(model, entry)
        if digest not in {line.digest for line in chain(read_lines(model))}:
            return Outcome("error", None, ("somebody else changed the champion meanwhile",), "look, then call it again")
        reconcile(model, keys, by)
        return Outcome("champion", target.version, (f"it takes the place of version {standing.version or 'none'}",))


def _again(made: LedgerEntry, standing: Standing, reason: str, by: str) -> LedgerEntry:
    """The unsigned entry by which a version is champion again, for what made it so."""
    return replace(
        made,
        kind="rollback",
        before=standing.version,
        after=head_digest(standing.counted),
        by=by,
        reason=reason,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        claim=secrets.token_hex(8),
        signature=None,
    )


def _target(
    model: Registered, standing: Standing, to: str | None, keys: Sequence[Ed25519PublicKey]
) -> LedgerEntry | Outcome:
    """The entry that made the version champion before, or why there is none that holds."""
    if to is not None and to == standing.version:
        return Outcome("champion", to, ("it is the champion already",))
    earlier: Sequence[Line] = before(standing.trusted, standing.version)
    if to is not None:
        earlier = [line for line in champions(standing.trusted) if line.entry and line.entry.version == to]
    if not earlier:
        said = "there is no champion before this one" if to is None else f"version {to} was never champion"
        return Outcome("error", to, (said,), "only what a verdict made champion once can be again")
    backed, rejected = latest_backed(model, earlier, keys)
    if backed is None or backed.entry is None:
        faults = tuple(f"version {each.version}: {fault}" for each in rejected for fault in each.faults)
        return Outcome("error", to, faults, "name another version with --to")
    return backed.entry
