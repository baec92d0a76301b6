"""`ratchet log`."""

from pathlib import Path
from typing import Literal

import click

from ratchet.cli.options import checkpoint, file


@click.command(
    epilog="Example: ratchet log --checkpoint m2 --profile p2 --verdict verdict.json --round 2 --run first"
    " --tracking-uri sqlite:///mlflow.db"
)
@checkpoint
@click.option("--profile", type=file, required=True, help="Profile folder of the checkpoint.")
@click.option("--verdict", type=file, help="verdict.json of the checkpoint.")
@click.option("--report", type=file, help="The gate's HTML report, to be kept with the model.")
@click.option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", required=True, help="sqlite:///FILE or a server's URL.")
@click.option("--experiment", default="ratchet", show_default=True, help="MLflow experiment, created if need be.")
@click.option("--run", "run_name", required=True, help="Name of the run; the same name goes on with the same run.")
@click.option("--round", "round_number", type=click.IntRange(min=0), required=True, help="Step of the run's curves.")
@click.option("--parent", help="Digest of the checkpoint that this one was trained from.")
@click.option(
    "--weights",
    type=click.Choice(["reference", "upload"]),
    default="reference",
    show_default=True,
    help="Say where the weights are, or upload them.",
)
@click.option("--started-by", envvar="RATCHET_STARTED_BY", help="Who started the run, for reviews with four eyes.")
def log(
    checkpoint: Path,
    profile: Path,
    verdict: Path | None,
    report: Path | None,
    tracking_uri: str,
    experiment: str,
    run_name: str,
    round_number: int,
    parent: str | None,
    weights: Literal["reference", "upload"],
    started_by: str | None,
) -> None:
    """Log a checkpoint and its profile in MLflow.

    Prints the id of the model. The same call again changes nothing and prints the same id.
    """
    from ratchet.registry.log import log_checkpoint

    click.echo(
        log_checkpoint(
            tracking_uri,
            experiment,
            run_name,
            checkpoint,
            profile,
            round_number,
            verdict,
            parent=parent,
            report=report,
            weights=weights,
            started_by=started_by,
        )
    )
