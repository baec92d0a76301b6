"""`ratchet verify`: does a verdict speak of these files?"""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ratchet.cli.gate import FILE, FOLDER

if TYPE_CHECKING:
    from ratchet.gate.verify import Verification


@click.command(
    epilog="\b\nExample:\n  ratchet verify verdict.json --candidate profiles/round-3 --base profiles/base \\\n"
    "    --policy policy.yaml --public-key signing.pem.pub"
)
@click.argument("verdict", type=FILE)
@click.option("--candidate", type=FOLDER, required=True, help="Profile that the verdict is on.")
@click.option("--base", type=FOLDER, help="Profile of the model that the run started from.")
@click.option("--champion", type=FOLDER, help="Profile of the checkpoint in use.")
@click.option(
    "--history", type=FOLDER, multiple=True, help="Profile of an earlier checkpoint; may be given several times."
)
@click.option("--policy", type=FILE, help="Policy that the verdict was reached under (YAML).")
@click.option("--checkpoint", type=FOLDER, help="Checkpoint folder that the verdict is on.")
@click.option(
    "--public-key",
    "public_key",
    type=FILE,
    multiple=True,
    help="File with public keys, one of which signed; may be given several times. Else: RATCHET_VERIFY_KEY.",
)
@click.option("--fingerprint", is_flag=True, help="Load the checkpoint: did its weights draw the candidate's attempts?")
@click.option("--unsigned", is_flag=True, help="Accept a verdict without signature: anyone could have written it.")
@click.option("--max-age", type=click.FloatRange(min=0.0, min_open=True, max=1e6), help="Refuse older, in days.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def verify(
    verdict: Path,
    candidate: Path,
    base: Path | None,
    champion: Path | None,
    history: tuple[Path, ...],
    policy: Path | None,
    checkpoint: Path | None,
    public_key: tuple[Path, ...],
    fingerprint: bool,
    unsigned: bool,
    max_age: float | None,
    form: str,
) -> int:
    """Check offline that VERDICT is signed and speaks of these files.

    Exits with the verdict where every check holds, 0 PROMOTE, 1 BLOCK, 2 INCONCLUSIVE, 3 ERROR; 3 too where one does
    not; 64 for a usage or input error. What isn't given is not checked.
    """
    from ratchet.gate import verify as library
    from ratchet.gate.keys import public_keys

    given = {"candidate": candidate, "base": base, "champion": champion}
    verification = library.verify(
        verdict,
        {name: folder for name, folder in given.items() if folder is not None},
        policy,
        public_keys(public_key),
        datetime.now(UTC),
        history=history,
        checkpoint=checkpoint,
        unsigned=unsigned,
        max_age=None if max_age is None else timedelta(days=max_age),
        fingerprint=fingerprint,
    )
    click.echo(_as_json(verification) if form == "json" else _as_text(verification, verdict))
    return verification.exit_code


def _as_text(verification: "Verification", path: Path) -> str:
    """The outcome, then a line a check, those that failed first; a verdict that does not hold is not repeated."""
    checks = sorted(verification.checks, key=lambda check: check.result != "failed")
    failed = sum(check.result == "failed" for check in checks)
    verdict = verification.verdict
    signed = f"signed by key {verification.signed_by}" if verification.signed_by else "NO SIGNATURE WAS VERIFIED"
    outcome = f"{verdict.verdict}, {signed}" if verdict else f"NOT VERIFIED, {failed} of {len(checks)} checks failed"
    lines = [f"{path}: {outcome}", *(f"{check.result:<11}  {check.name}: {check.said}" for check in checks)]
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines)


def _as_json(verification: "Verification") -> str:
    verdict = verification.verdict
    shown = {
        "verified": verdict is not None,
        "verdict": verdict.verdict if verdict else None,
        "signed_by": verification.signed_by,
        "checks": [asdict(check) for check in verification.checks],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False, allow_nan=False)
