"""Options that several verbs share."""

from pathlib import Path

import click

file = click.Path(path_type=Path)

problems = click.option("--problems", type=file, required=True, help="Problem file (.jsonl or .parquet).")
checkpoint = click.option("--checkpoint", type=file, required=True, help="Hugging Face checkpoint folder.")
out = click.option("--out", type=file, required=True, help="Folder for the result.")
seed = click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything drawn at random.")
limit = click.option("--limit", type=click.IntRange(min=1), help="Take the first that many problems.")
splits = click.option(
    "--split",
    "splits",
    type=click.Choice(["train", "eval", "ood"]),
    multiple=True,
    default=("eval",),
    show_default=True,
    help="Which problems; may be given several times.",
)
form = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
