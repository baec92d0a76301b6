"""`ratchet run`."""

import json
import sys
from pathlib import Path

import click

from ratchet.cli.options import file


@click.command(epilog="Example: ratchet run pipelines/configs/quickstart.yaml --out runs/quickstart")
@click.argument("config", type=file)
@click.option("--out", type=file, help="Folder of the run; runs/NAME without it.")
@click.option("--seed", type=click.IntRange(min=0), help="Another seed than the configuration's.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def run(config: Path, out: Path | None, seed: int | None, style: str) -> None:
    """A whole self-improvement run on this machine.

    The pipeline of `ratchet pipeline compile`, its steps as processes (kfp.local), MLflow in an SQLite file. A run that
    was killed goes on where it was when the same command is given again.
    """
    from ratchet_pipelines.local import REPORT_FILE, RunFolder, run_locally
    from ratchet_pipelines.summary import summary_rows, summary_table

    folder = RunFolder(out or Path("runs", config.stem if seed is None else f"{config.stem}-{seed}"))
    rows = summary_rows(run_locally(config, folder.root, seed))
    if style == "json":
        click.echo(json.dumps(rows))
        return
    from rich.console import Console

    Console(width=None if Console().is_terminal else 120).print(summary_table(rows))
    click.echo(f"\nWhy:    {folder.root / REPORT_FILE} (open it in a browser)")
    mlflow = Path(sys.executable).with_name("mlflow")
    click.echo(f"MLflow: {mlflow} server --workers 1 --backend-store-uri {folder.tracking_uri}")
    click.echo("        then http://127.0.0.1:5000 in a browser")
