"""`ratchet compare`: two profiles side by side."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from ratchet.cli.options import form

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(epilog="\b\nExample:\n  ratchet compare profiles/round-1 profiles/round-2 --report round-2.html")
@click.argument("before", type=FOLDER)
@click.argument("after", type=FOLDER)
@click.option("--all", "everything", is_flag=True, help="Print what has no change too, and the problems that flipped.")
@click.option(
    "--flips", type=click.IntRange(min=0), default=20, show_default=True, help="Most problems listed a suite."
)
@click.option("--embeddings", type=FOLDER, help="Sentence-embedding model, to compare diversity by it as well.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a self-contained HTML page.")
@form
def compare(
    before: Path, after: Path, everything: bool, flips: int, embeddings: Path | None, report: Path | None, form: str
) -> None:
    """Compare two profiles of the same problems: paired changes with 95% intervals, problems lost and won."""
    from ratchet.cli.profiles import print_comparison
    from ratchet.compare.compare import compare as library
    from ratchet.compare.page import write_page

    found = library(before, after, flips, embeddings)
    if report is not None:
        write_page(report, found)
    if form == "json":
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False, allow_nan=False))
        return
    print_comparison(found, everything)
    if report is not None:
        click.echo(f"page in {report}")
