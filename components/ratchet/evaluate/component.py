"""The pipeline step `evaluate`: graded attempts in, capability profile out."""

from typing import List  # noqa: UP035  kfp reads typing's own names

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def evaluate(
    attempts: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    profile: dsl.Output[dsl.Dataset],
    history_out: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
    metrics: dsl.Output[dsl.Metrics],
    name: str,
    workspace: str,
    step: str,
    base: dsl.Input[dsl.Dataset] = None,
    history: dsl.Input[dsl.Dataset] = None,
) -> None:
    """Write the profile of the attempts that the grade steps hand on, beside its base and the rounds before it."""
    from ratchet.evaluate.step import evaluate_step, hand_on
    from ratchet.steps import files, placed

    with placed(workspace, step, profile.path) as out:
        beside = (getattr(base, "path", None), getattr(history, "path", None))
        evaluate_step(files(attempts, "attempts.parquet"), name, *beside, out)
    metrics.metadata.update(hand_on(out, getattr(history, "path", None), history_out.path, report.path, summary.path))
