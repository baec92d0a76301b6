"""Reconciliation of several models: once, again and again, and whenever MLflow says that something has changed."""

import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.registry.reconcile import Reconciled, reconcile
from ratchet.registry.registered import Registered, require_name
from ratchet.registry.store import connected


def reconcile_models(
    tracking_uri: str, names: Sequence[str], keys: Sequence[Ed25519PublicKey], by: str = "ratchet reconcile"
) -> list[Reconciled]:
    """The champion of each model, after its alias was made to be it. The first that can't be read ends the call."""
    with connected(tracking_uri) as client:
        return [reconcile(Registered(client, tracking_uri, require_name(name)), keys, by) for name in names]


def watch(
    once: Callable[[], list[Reconciled]],
    every_s: float,
    changed: threading.Event,
    stop: threading.Event,
) -> Iterator[list[Reconciled] | InputError]:
    """What came of each pass, `every_s` seconds after the one before it or as soon as `changed` is set.

    A pass that can't read MLflow is given as its error and changes nothing; the next one tries again.
    """
    while not stop.is_set():
        changed.clear()  # before looking: what changes while we look is looked at again
        try:
            yield once()
        except InputError as error:
            yield error
        changed.wait(every_s)


def print_events(found: list[Reconciled]) -> None:
    """Print a line of JSON for everything that was done."""
    for one in found:
        for action in one.actions:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            event = {"time": now, "model": one.model, **asdict(action)}
            print(json.dumps(event, ensure_ascii=False), file=sys.stdout, flush=True)
