"""`ratchet evaluate`: attempts in, profile out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ratchet.evaluate.profile import Profile


@click.command(
    epilog="\b\nExample:\n  ratchet evaluate --attempts results.jsonl --out profiles/round-2 --name round-2",
)
@click.option(
    "--attempts",
    "files",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Attempts file, JSONL or Parquet; repeat for more than one.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write the profile to.")
@click.option("--name", help="What the profile is called in reports; the folder's name if not given.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def evaluate(files: tuple[Path, ...], out: Path, name: str | None, form: str) -> None:
    """Turn graded attempts into a capability profile: pass@k and diversity, each with its 95% interval."""
    from ratchet.evaluate.build import evaluate as build
    from ratchet.evaluate.profile import PROFILE_FILE, read_profile
    from ratchet.storage import read_bytes

    folder = build(files, out, name or out.resolve().name)
    if form == "json":
        click.echo(read_bytes(folder / PROFILE_FILE), nl=False)
        return
    _print_profile(read_profile(folder))
    click.echo(f"profile in {folder}")


def _print_profile(profile: "Profile") -> None:
    from ratchet.cli.tables import print_table, shown

    numeric = ("estimate", "low", "high", "problems", "left out", "ungradable", "errors")
    rows = [
        (
            m.suite,
            m.name,
            *map(shown, (m.estimate, m.low, m.high)),
            *map(str, (m.denominator, m.left_out, m.ungradable, m.errors)),
            m.reason or "",
        )
        for m in profile.metrics
    ]
    print_table(("suite", "metric", *numeric, "why not"), rows, numeric)
