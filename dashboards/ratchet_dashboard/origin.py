"""Where the dashboard reads and whom it trusts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.gate.keys import public_keys
from ratchet.registry.registered import Registered, require_name
from ratchet.registry.review import ReviewRule, read_reviewers
from ratchet.registry.store import Unavailable, connected
from ratchet_dashboard.faults import Unknown


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the dashboard reads and whom it trusts; both files are read anew for a page, so that keys can change."""

    tracking_uri: str
    public_keys: tuple[Path, ...] = ()
    reviewers: Path | None = None

    def keys(self) -> tuple[Ed25519PublicKey, ...]:
        """The public keys of verdicts and of the ledger; empty where none is given, and then nothing is checked."""
        return public_keys(self.public_keys)

    def rule(self) -> ReviewRule | None:
        """Whose reviews count; None where no file of reviewers is given."""
        return None if self.reviewers is None else ReviewRule(read_reviewers(self.reviewers))


def answers(origin: Origin) -> bool:
    """Whether MLflow answers."""
    try:
        with connected(origin.tracking_uri) as client:
            client.search_registered_models(max_results=1)
    except Unavailable:
        return False
    return True


@contextmanager
def registered(origin: Origin, name: str) -> Iterator[Registered]:
    """The model of that name, which is checked before MLflow is asked for anything."""
    try:
        require_name(name)
    except InputError as error:
        raise Unknown(f"no model of that name: {error.expected}") from None
    with connected(origin.tracking_uri) as client:
        yield Registered(client, origin.tracking_uri, name)
