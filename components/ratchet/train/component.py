"""The KFP component of `train`."""

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["train"], install_kfp_package=False)
def train(
    checkpoint: dsl.Input[dsl.Model],
    examples: dsl.Input[dsl.Dataset],
    trained: dsl.Output[dsl.Model],
    epochs: int,
    batch_size: int,
    learning_rate: float,
    max_length: int,
    seed: int,
    workspace: str,
    step: str,
    nodes: int = 1,
    job: dict = {},  # type: ignore[type-arg]  # noqa: B006  what kfp reads
) -> None:
    """Fine-tune the checkpoint on the examples for one iteration, on this pod or by a TrainJob over several nodes."""
    from pathlib import Path

    from ratchet.steps import located, placed
    from ratchet.train import SFT, trained_on

    settings = SFT(epochs, batch_size, learning_rate, max_length, seed=seed)
    with placed(workspace, step, trained.path, as_pointer=True) as out:
        trained_on(located(checkpoint.path), Path(examples.path, "examples.parquet"), out, settings, nodes, job)
