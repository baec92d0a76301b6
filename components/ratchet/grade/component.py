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
) -> None:
    """Grade the samples against the problems' answers."""
    from pathlib import Path

    from ratchet.grade import grade as grade_samples
    from ratchet.steps import placed

    with placed(workspace, step, attempts.path) as out:
        grade_samples(Path(samples.path, "samples.parquet"), Path(problems.path, "problems.parquet"), out)
