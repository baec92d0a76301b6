"""The pipeline step `evaluate`: graded attempts in, capability profile out."""

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def evaluate(
    attempts: dsl.Input[dsl.Dataset],
    profile: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    name: str,
    workspace: str,
    step: str,
) -> None:
    """Write the profile of the attempts that the grade step hands on."""
    from pathlib import Path

    from ratchet.evaluate.build import evaluate, tracked_metrics
    from ratchet.evaluate.profile import ATTEMPTS_FILE, read_profile
    from ratchet.steps import placed

    with placed(workspace, step, profile.path) as out:
        evaluate([Path(attempts.path, ATTEMPTS_FILE)], out, name)
    metrics.metadata.update(tracked_metrics(read_profile(out)))
