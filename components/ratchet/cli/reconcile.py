"""`ratchet reconcile`."""

import signal
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ratchet.cli.options import file
from ratchet.cli.registry_options import public_key, tracking_uri, trusted_keys
from ratchet.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ratchet.registry.reconcile import Reconciled


@click.command(
    epilog="Example: ratchet reconcile --model solver --every 300 --listen 0.0.0.0:8080 --public-key signing.pem.pub"
)
@click.option("--model", "models", multiple=True, required=True, help="Registered model in MLflow; repeat.")
@click.option("--once", is_flag=True, help="Look once and end. This is the default.")
@click.option("--every", type=click.FloatRange(min=1), help="Look again after so many seconds, until stopped.")
@click.option("--listen", metavar="HOST:PORT", help="Take MLflow's webhooks there too, and look at once.")
@click.option("--webhook-secret", type=file, help="File with the webhooks' secret. Else: RATCHET_WEBHOOK_SECRET.")
@tracking_uri
@public_key
def reconcile(
    models: tuple[str, ...],
    once: bool,
    every: float | None,
    listen: str | None,
    webhook_secret: Path | None,
    tracking_uri: str,
    public_key: tuple[Path, ...],
) -> int:
    """Put @champion back where a valid verdict backs it.

    Prints a line of JSON for everything that was done. Exits 0 where nothing was wrong, 1 where an alias was put back,
    64 where something can't be read: then nothing was changed.
    """
    from ratchet.registry.watch import print_events, reconcile_models

    if once and (every is not None or listen is not None):
        raise InputError("--once with --every or --listen", expected="one or the other")
    look = partial(reconcile_models, tracking_uri, models, trusted_keys(public_key))
    if every is None and listen is None:
        found = look()
        print_events(found)
        return int(any(action.did == "restored" for one in found for action in one.actions))
    _keep_looking(look, every or 300.0, listen, webhook_secret)
    return 0


def _keep_looking(
    look: "Callable[[], list[Reconciled]]", every_s: float, listen: str | None, secret: Path | None
) -> None:
    from ratchet.registry.watch import print_events, watch
    from ratchet.registry.webhook import address, listening, webhook_secret

    changed, stop = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        stop.set()
        changed.set()

    signal.signal(signal.SIGTERM, end)
    with ExitStack() as stack:
        if listen is not None:
            port = stack.enter_context(listening(address(listen), webhook_secret(secret), changed))
            click.echo(f"listening on port {port}", err=True)
        for found in watch(look, every_s, changed, stop):
            if isinstance(found, InputError):
                click.echo(f"ratchet: {found}", err=True)
            else:
                print_events(found)
