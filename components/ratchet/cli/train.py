"""`ratchet train`."""

from pathlib import Path

import click

from ratchet.cli.options import checkpoint, file, out, seed


@click.command(epilog="Example: ratchet train --checkpoint m1 --examples e2/examples.parquet --out m2")
@checkpoint
@click.option("--examples", type=file, required=True, help="examples.parquet of `ratchet select`.")
@out
@click.option("--method", type=click.Choice(["sft"]), default="sft", show_default=True, help="How to train.")
@click.option("--epochs", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), default=1e-5, show_default=True)
@click.option(
    "--max-length", type=click.IntRange(min=1), default=256, show_default=True, help="Longest text, in tokens."
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    help="Processes that share each batch.  [default: one an accelerator, at least one]",
)
@seed
def train(
    checkpoint: Path,
    examples: Path,
    out: Path,
    method: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    max_length: int,
    processes: int | None,
    seed: int,
) -> int:
    """One training iteration: checkpoint in, checkpoint out.

    OUT becomes an ordinary Hugging Face folder (safetensors). After a kill the same command goes on from the last
    saved training state. BATCH-SIZE is that of an optimisation step, whatever the number of processes; under torchrun,
    also over several nodes, the processes are torchrun's. Exit code 75: a process was lost; give the command again.
    """
    from ratchet.train.launch import LOST_EXIT_CODE, RankLost, trained
    from ratchet.train.sft import SFT

    settings = SFT(epochs, batch_size, learning_rate, max_length, seed=seed)
    try:
        click.echo(trained(checkpoint, examples, out, settings, processes))
    except RankLost as lost:
        click.echo(f"ratchet: {lost}", err=True)
        return LOST_EXIT_CODE
    return 0
