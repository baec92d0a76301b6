"""Who stands as champion by the ledger, and what the alias in MLflow says beside it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.registry.backing import entry_faults, evidence_faults
from ratchet.registry.ledger import LedgerEntry, Line, chain, champions, succession
from ratchet.registry.registered import Registered, aliases, read_evidence, read_lines, versions
from ratchet.registry.signed import record_fault

CHANGED = "its ledger entry was changed after it was written"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line of the ledger that made a champion and does not back it (any more)."""

    line: Line
    faults: tuple[str, ...]

    @property
    def version(self) -> str | None:
        """The version that the line speaks of, None where nobody can say any more."""
        return self.line.entry.version if self.line.entry else None


@dataclass(frozen=True, slots=True)
class Standing:
    """The ledger as it was read, then the aliases as they were read after it.

    `trusted` are those of the lines that count that a trusted key signed; what was promoted, rolled back from and used
    is read from them alone. `champion` is the line that made the champion, `rejected` are the lines that back nothing.
    """

    counted: tuple[Line, ...]
    trusted: tuple[Line, ...]
    champion: Line | None
    rejected: tuple[Rejected, ...]
    aliases: dict[str, str]

    @property
    def version(self) -> str | None:
        """The version that is champion by the ledger; None where no evidence makes any one so."""
        return None if self.champion is None else _entry(self.champion).version

    @property
    def checkpoint(self) -> str | None:
        """The digest of the champion's checkpoint."""
        return None if self.champion is None else _entry(self.champion).checkpoint


def read_standing(model: Registered, keys: Sequence[Ed25519PublicKey]) -> Standing:
    """The champion by the ledger: the latest of the succession that evidence backs."""
    return standing_by(model, read_lines(model), keys)


def standing_by(model: Registered, lines: Sequence[Line], keys: Sequence[Ed25519PublicKey]) -> Standing:
    """The champion by these lines of the ledger.

    The ledger is read before the aliases: whoever moves an alias has written to the ledger first.
    """
    counted = chain(lines)
    trusted = tuple(line for line in counted if not distrust(model.name, line, keys))
    champion, rejected = latest_backed(model, succession(trusted)[::-1], keys)
    strange = [Rejected(line, distrust(model.name, line, keys)) for line in champions(counted) if line not in trusted]
    return Standing(counted, trusted, champion, (*strange, *rejected), aliases(model))


def distrust(model: str, line: Line, keys: Sequence[Ed25519PublicKey]) -> tuple[str, ...]:
    """Why nobody here vouches for the line; empty where a trusted key signed it for this model."""
    if line.entry is None:
        return (CHANGED,)
    fault = record_fault("ledger", asdict(line.entry), keys)
    if fault is not None:
        return (fault,)
    return () if line.entry.model == model else (f"the entry is of the model {line.entry.model!r}",)


def latest_backed(
    model: Registered, lines: Sequence[Line], keys: Sequence[Ed25519PublicKey]
) -> tuple[Line | None, tuple[Rejected, ...]]:
    """The first of the lines that backs its version, and those before it with their faults."""
    sources = {version.number: version.source for version in versions(model.client, model.name)}
    rejected: list[Rejected] = []
    for line in lines:
        faults = _faults(model, line, sources, keys)
        if not faults:
            return line, tuple(rejected)
        rejected.append(Rejected(line, faults))
    return None, tuple(rejected)


def _faults(
    model: Registered, line: Line, sources: dict[str, str], keys: Sequence[Ed25519PublicKey]
) -> tuple[str, ...]:
    entry = line.entry
    if entry is None:
        return (CHANGED,)
    faults = entry_faults(entry, model.name, sources.get(str(entry.version)), keys)
    return faults or evidence_faults(entry, read_evidence(model, entry), keys, datetime.now(UTC))


def _entry(line: Line) -> LedgerEntry:
    assert line.entry is not None, "a line without entry backs nothing"
    return line.entry
