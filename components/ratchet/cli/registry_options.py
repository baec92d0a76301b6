"""Options and output that the verbs of the registry share."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ratchet.cli.options import file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from ratchet.registry.promotion import Outcome

model = click.option("--model", required=True, help="Registered model in MLflow.")
tracking_uri = click.option(
    "--tracking-uri", envvar="MLFLOW_TRACKING_URI", required=True, help="sqlite:///FILE or a server's URL."
)
key = click.option("--key", type=file, help="Private key that signs. Else: RATCHET_SIGNING_KEY.")
public_key = click.option(
    "--public-key",
    "public_key",
    type=file,
    multiple=True,
    help="File with public keys to trust; repeat. Else: RATCHET_VERIFY_KEY.",
)


def private_key(path: Path | None) -> "Ed25519PrivateKey":
    """The key that signs; refused where there is none."""
    from ratchet.errors import InputError
    from ratchet.gate.keys import SIGNING_VARIABLE, signing_key

    found = signing_key(path)
    if found is None:
        raise InputError("no private key", expected=f"--key, or {SIGNING_VARIABLE}")
    return found


def trusted_keys(paths: tuple[Path, ...]) -> "tuple[Ed25519PublicKey, ...]":
    """The public keys that are trusted; refused where there are none."""
    from ratchet.errors import InputError
    from ratchet.gate.keys import VERIFY_VARIABLE, public_keys

    found = public_keys(paths)
    if not found:
        raise InputError("no public key", expected=f"--public-key, or {VERIFY_VARIABLE}")
    return found


def print_outcome(outcome: "Outcome", name: str, form: str) -> int:
    """Print what came of it; the exit code."""
    if form == "json":
        click.echo(json.dumps(asdict(outcome), indent=2, ensure_ascii=False))
        return outcome.exit_code
    version = f" version {outcome.version}" if outcome.version else ""
    said = {"champion": "CHAMPION", "refused": "REFUSED", "waiting": "WAITING", "error": "REFUSED"}[outcome.result]
    lines = [f"{said}: {name}{version}: {'; '.join(outcome.reasons)}"]
    if outcome.next:
        lines.append(f"next: {outcome.next}")
    click.echo("\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines))
    return outcome.exit_code
