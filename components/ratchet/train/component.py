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
) -> None:
    """Fine-tune the checkpoint on the examples for one iteration."""
    from pathlib import Path

    from ratchet.steps import located, placed
    from ratchet.train import SFT, train_sft

    settings = SFT(epochs, batch_size, learning_rate, max_length, seed=seed)
    with placed(workspace, step, trained.path, as_pointer=True) as out:
        train_sft(located(checkpoint.path), Path(examples.path, "examples.parquet"), out, settings)
