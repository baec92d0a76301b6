"""`ratchet policy`: a policy to start from, and what one could never decide."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ratchet.cli.gate import FILE
from ratchet.cli.options import form

if TYPE_CHECKING:
    from ratchet.gate.checking import Checked, PolicyCheck

WARNED = 1  # exit code of a policy that could be read and is warned of
_NUMERIC = ("margin", "to promote", "to block", "asked for", "blocks from")


@click.group()
def policy() -> None:
    """Write a policy to start from, or check one."""


@policy.command(
    "init", epilog="\b\nExample:\n  ratchet policy init --preset default --suite gsm8k --ood math --out policy.yaml"
)
@click.option(
    "--preset",
    "name",
    type=click.Choice(["strict", "default", "exploratory"]),
    default="default",
    show_default=True,
    help="How much harm is tolerated, and how much evidence that takes.",
)
@click.option("--suite", required=True, help="The main suite.")
@click.option("--ood", multiple=True, help="A suite that nothing was trained for; repeat.")
@click.option("--out", type=FILE, help="New file to write; printed if not given.")
def init(name: str, suite: str, ood: tuple[str, ...], out: Path | None) -> None:
    """Write a policy in which a comment explains each key. No file is overwritten."""
    from ratchet.errors import InputError
    from ratchet.gate.presets import preset
    from ratchet.storage import write_text

    text = preset(name, suite, ood)
    if out is None:
        click.echo(text, nl=False)
        return
    if out.exists():
        raise InputError("there is a file already", where=out, expected="a new one", next="remove it, or name another")
    write_text(out, text)
    click.echo(f"policy in {out}; what it could decide: ratchet policy check {out}")


@policy.command("check", epilog="\b\nExample:\n  ratchet policy check policy.yaml --problems 300")
@click.argument("file", type=FILE)
@click.option("--problems", type=click.IntRange(min=1), help="Problems of each suite, in the place of min_problems.")
@click.option("--attempts", type=click.IntRange(min=1), help="Attempts a problem, in the place of min_attempts.")
@form
def check(file: Path, problems: int | None, attempts: int | None, form: str) -> int:
    """Say, axis by axis, with how few problems a policy could never promote or never block.

    Exits 0 where there is nothing to warn of, 1 with warnings, 64 for a file that is no policy.
    """
    from ratchet.gate.checking import check_policy
    from ratchet.gate.policy import read_policy

    found = check_policy(read_policy(file), datetime.now(UTC).date(), problems, attempts)
    if form == "json":
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _print(found)
    return WARNED if found.warnings else 0


def _print(found: "PolicyCheck") -> None:
    from ratchet.cli.tables import print_table

    columns = ("axis", "tier", "against", *_NUMERIC, "verdict")
    print_table(columns, [_row(row) for row in found.rows], numeric=_NUMERIC)
    lines = [f"warning: {line}" for line in found.warnings] + [f"note: {line}" for line in found.notes]
    least = f"alpha {found.alpha:.3g}; to promote and to block: the least problems that could decide, at the very best"
    click.echo("\n" + "\n".join(line for line in (*lines, f"{least} (ratchet plan says what is likely)")))


def _row(row: "Checked") -> list[str]:
    margin = f"{row.margin:.1%}" if row.margin_kind == "relative drop" else f"{row.margin:g}"
    least = ["never" if number is None else f"{number:,}" for number in (row.to_promote, row.to_block)]
    return [
        row.axis,
        row.tier,
        row.against,
        f"{row.margin_kind} {margin}",
        *least,
        f"{row.asked:,}" + (" in all" if row.counted else ""),
        "-" if row.blocks_from is None else f"{row.blocks_from:.1%} lost",
        "ok" if row.enough else "too few",
    ]
