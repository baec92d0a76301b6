"""The KFP components of `select`: what the first iteration learns from, and what every later one does."""

from typing import List  # noqa: UP035  kfp reads typing's own names

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def select_solutions(
    problems: dsl.Input[dsl.Dataset],
    examples: dsl.Output[dsl.Dataset],
    workspace: str,
    step: str,
    prompt: str = "plain",
) -> None:
    """Take the reference solutions of the training problems."""
    from pathlib import Path

    from ratchet.select import select_solutions as select
    from ratchet.steps import placed

    with placed(workspace, step, examples.path) as out:
        select(Path(problems.path, "problems.parquet"), out, prompt)  # type: ignore[arg-type]


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def select_correct(
    attempts: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    problems: dsl.Input[dsl.Dataset],
    examples: dsl.Output[dsl.Dataset],
    per_problem: int,
    seed: int,
    workspace: str,
    step: str,
) -> None:
    """Take up to `per_problem` of the model's own correct attempts at each training problem."""
    from pathlib import Path

    from ratchet.select import select_correct as select
    from ratchet.steps import files, placed

    with placed(workspace, step, examples.path) as out:
        graded = files(attempts, "attempts.parquet")
        select(graded, Path(problems.path, "problems.parquet"), out, per_problem, seed)
