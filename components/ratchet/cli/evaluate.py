"""`ratchet evaluate`: attempts in, profile out."""

from pathlib import Path

import click

from ratchet.cli.options import form

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    epilog="\b\nExample:\n  ratchet evaluate --attempts results.jsonl --out profiles/round-2 --name round-2"
    " \\\n    --base-profile profiles/round-1 --history profiles/round-1",
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
@click.option("--k", "ks", type=click.IntRange(min=1), multiple=True, help="k of pass@k; powers of two if not given.")
@click.option("--base-profile", type=FOLDER, help="Profile of the base: adds improvement, regression, attribution.")
@click.option("--history", type=FOLDER, multiple=True, help="Profile of an earlier round, oldest first: adds dynamics.")
@click.option("--concepts", type=FILE, help="Concept map (YAML): adds mastery, coverage, fringe, prerequisites.")
@click.option("--embeddings", type=FOLDER, help="Sentence-embedding model: adds diversity by embeddings.")
@form
def evaluate(
    files: tuple[Path, ...],
    out: Path,
    name: str | None,
    ks: tuple[int, ...],
    base_profile: Path | None,
    history: tuple[Path, ...],
    concepts: Path | None,
    embeddings: Path | None,
    form: str,
) -> None:
    """Turn graded attempts into a capability profile: every metric with its 95% interval, and a page to look at."""
    from ratchet.cli.profiles import headlines, print_metrics
    from ratchet.evaluate.build import Beside
    from ratchet.evaluate.build import evaluate as build
    from ratchet.evaluate.profile import PAGE_FILE, PROFILE_FILE, read_profile
    from ratchet.storage import read_bytes

    beside = Beside(base_profile, history, concepts, embeddings)
    folder = build(files, out, name or out.resolve().name, ks or None, beside)
    if form == "json":
        click.echo(read_bytes(folder / PROFILE_FILE), nl=False)
        return
    print_metrics(headlines(read_profile(folder).metrics), form)
    click.echo(f"profile in {folder}, page in {folder / PAGE_FILE}; all numbers: ratchet show {folder}")
