"""`ratchet keys`: the key pair that verdicts are signed and verified with."""

from pathlib import Path

import click

from ratchet.cli.gate import FILE


@click.group()
def keys() -> None:
    """Make the key pair that verdicts are signed with."""


@keys.command("new", epilog="Example: ratchet keys new --out signing.pem")
@click.option("--out", type=FILE, required=True, help="New file for the private key; the public one is FILE.pub.")
def new(out: Path) -> None:
    """Write a new Ed25519 key pair and print the id of the key.

    The private key is readable by you alone (mode 0600) and has no password. No file is overwritten.
    """
    from ratchet.gate.keys import key_id, new_key

    click.echo(key_id(new_key(out)))


@keys.command("public", epilog="Example: ratchet keys public --key signing.pem > signing.pem.pub")
@click.option("--key", type=FILE, help="File with the private key. Else: RATCHET_SIGNING_KEY.")
def public(key: Path | None) -> None:
    """Print the public half of a private key, for those who verify."""
    from ratchet.errors import InputError
    from ratchet.gate.keys import SIGNING_VARIABLE, public_pem, signing_key

    private = signing_key(key)
    if private is None:
        raise InputError("no private key", expected=f"--key, or {SIGNING_VARIABLE}")
    click.echo(public_pem(private.public_key()), nl=False)
