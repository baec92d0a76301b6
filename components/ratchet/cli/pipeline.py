"""`ratchet pipeline`."""

from pathlib import Path

import click

from ratchet.cli.options import file


@click.group()
def pipeline() -> None:
    """Compile the pipelines for Kubeflow."""


@pipeline.command(epilog="Example: ratchet pipeline compile --rounds 4 --out self_improvement.yaml")
@click.option("--rounds", type=click.IntRange(1, 20), default=4, show_default=True, help="Rounds after M_1, unrolled.")
@click.option("--out", type=file, required=True, help="Pipeline YAML to write.")
def compile(rounds: int, out: Path) -> None:
    """Write the self-improvement pipeline as YAML for a Kubeflow Pipelines endpoint."""
    from ratchet_pipelines.compile import compile_self_improvement

    click.echo(compile_self_improvement(rounds, out))
