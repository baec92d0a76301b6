"""The KFP component of `grade`."""

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["grade"], install_kfp_package=False)
def grade(
    samples: dsl.Input[dsl.Dataset],
    problems: dsl.Input[dsl.Dataset],
    attempts: dsl.Output[dsl.Dataset],
    workspace: str,
    step: str,
    shard: str = "0/1",
) -> None:
    """Grade the samples against the problems' answers; those of a shard, `i/n` with i from 0, in a place of its own."""
    from pathlib import Path

    from ratchet.grade import grade as grade_samples
    from ratchet.shards import placed_at
    from ratchet.steps import placed

    files = Path(samples.path, "samples.parquet"), Path(problems.path, "problems.parquet")
    with placed(workspace, placed_at(step, shard), attempts.path) as out:
        grade_samples(*files, out)
