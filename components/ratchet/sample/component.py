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
    backend: str = "transformers",
    prompt: str = "plain",
    stop: List[str] = [],  # noqa: B006, UP006  kfp copies it into the compiled pipeline
    shard: str = "0/1",
    base_url: str = "",
    model: str = "",
) -> None:
    """Draw `attempts` attempts at each problem of the splits (0 = no limit on their number).

    Shard i/n draws those at every n-th problem, in a place of its own. The back end `openai` asks the server at
    `base_url`.
    """
    from pathlib import Path

    from ratchet import sample as room
    from ratchet.shards import placed_at, read_shard
    from ratchet.steps import located, placed

    sampling = room.Sampling(attempts, temperature, top_p, max_new_tokens, seed, prompt, tuple(stop), backend)  # type: ignore[arg-type]
    with placed(workspace, placed_at(step, shard), samples.path) as out:
        where = (limit or None, read_shard(shard), room.endpoint_at(backend, base_url, model))
        room.sample(
            Path(problems.path, "problems.parquet"),
            located(checkpoint.path),
            out,
            sampling,
            splits,  # type: ignore[arg-type]
            *where,
        )
