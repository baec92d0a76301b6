"""The KFP component of `sample`."""

from typing import List  # noqa: UP035  kfp reads typing's own names

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["sample"], install_kfp_package=False)
def sample(
    problems: dsl.Input[dsl.Dataset],
    checkpoint: dsl.Input[dsl.Model],
    samples: dsl.Output[dsl.Dataset],
    splits: List[str],  # noqa: UP006
    attempts: int,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    seed: int,
    limit: int,
    workspace: str,
    step: str,
) -> None:
    """Draw `attempts` attempts at each problem of the splits (0 = no limit on their number)."""
    from pathlib import Path

    from ratchet.sample import Sampling
    from ratchet.sample import sample as draw
    from ratchet.steps import placed

    sampling = Sampling(attempts, temperature, top_p, max_new_tokens, seed)
    with placed(workspace, step, samples.path) as out:
        draw(Path(problems.path, "problems.parquet"), Path(checkpoint.path), out, sampling, splits, limit or None)  # type: ignore[arg-type]
