"""The KFP component of `validate`."""

from typing import List  # noqa: UP035  kfp reads typing's own names

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def validate(
    problems: dsl.Input[dsl.Dataset],
    validated: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    workspace: str,
    step: str,
    pods: int = 1,
    limit: int = 0,
) -> List[str]:  # noqa: UP006
    """Check the problems, hand them on, and return the shards, as in 0/2, that `pods` pods sample and grade.

    Problems that fail a check end the run. `limit` is the most training problems attempted, 0 for all.
    """
    from pathlib import Path

    from ratchet.steps import placed
    from ratchet.validate.validate import validate_step

    with placed(workspace, step, validated.path) as out:
        return validate_step(Path(problems.path), out, Path(report.path), pods, limit)
