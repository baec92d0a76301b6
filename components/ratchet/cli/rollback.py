"""`ratchet rollback`."""

from pathlib import Path

import click

from ratchet.cli.options import form
from ratchet.cli.registry_options import key, model, print_outcome, private_key, public_key, tracking_uri, trusted_keys


@click.command(
    epilog="\b\nExample:\n  ratchet rollback --model solver --to 3 --reason 'wrong units in production' \\\n"
    "    --key signing.pem --public-key signing.pem.pub"
)
@model
@click.option("--to", help="Version that is to be champion again. Else: the champion before this one.")
@click.option("--reason", required=True, help="Why; it is kept in the ledger.")
@click.option("--by", default="ratchet rollback", show_default=True, help="Who rolls back, for the ledger.")
@tracking_uri
@key
@public_key
@form
def rollback(
    model: str,
    to: str | None,
    reason: str,
    by: str,
    tracking_uri: str,
    key: Path | None,
    public_key: tuple[Path, ...],
    form: str,
) -> int:
    """Make an earlier champion champion again, where its verdict still holds.

    Exits 0 where it is, 3 where it may not be.
    """
    from ratchet.registry.rollback import rollback as library

    keys = trusted_keys(public_key)
    return print_outcome(library(tracking_uri, model, to, reason, private_key(key), keys, by), model, form)
