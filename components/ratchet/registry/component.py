"""The KFP components of the registry: `log`, `champion`, `promote` and `record_end`."""

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def log(
    checkpoint: dsl.Input[dsl.Model],
    profile: dsl.Input[dsl.Dataset],
    verdict: dsl.Input[dsl.Artifact],
    tracking_uri: str,
    experiment: str,
    run_name: str,
    round_number: int,
    workspace: str,
    step: str,
) -> str:
    """Log a round in MLflow and return the id of its model; `verdict` is the gate's folder."""
    from pathlib import Path

    from ratchet.failures import noted
    from ratchet.registry.log import log_checkpoint
    from ratchet.steps import located

    with noted(workspace, step):
        return log_checkpoint(
            tracking_uri,
            experiment,
            run_name,
            checkpoint=located(checkpoint.path),
            profile=Path(profile.path),
            round=round_number,
            verdict=Path(verdict.path, "verdict.json"),
            report=Path(verdict.path, "report.html"),
        )


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def champion(
    checkpoint_out: dsl.Output[dsl.Model],
    base_out: dsl.Output[dsl.Dataset],
    champion_out: dsl.Output[dsl.Dataset],
    history_out: dsl.Output[dsl.Dataset],
    registered_model: str,
    tracking_uri: str,
    workspace: str,
    step: str,
) -> str:
    """Hand on the champion's weights and the profiles of all champions so far; return champion, or none without one."""
    from pathlib import Path

    from ratchet.failures import noted
    from ratchet.registry.champion import hand_on_champion

    artifacts = (checkpoint_out.path, base_out.path, champion_out.path, history_out.path)
    with noted(workspace, step):
        return hand_on_champion(tracking_uri, registered_model, Path(workspace, step), *artifacts)


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def promote(
    checkpoint: dsl.Input[dsl.Model],
    profile: dsl.Input[dsl.Dataset],
    verdict: dsl.Input[dsl.Artifact],
    registered_model: str,
    tracking_uri: str,
    experiment: str,
    workspace: str,
    step: str,
    reviewers: str = "",
    four_eyes: bool = False,
) -> str:
    """Make the checkpoint champion where its verdict holds: champion, refused, waiting or error; the step succeeds.

    `verdict` is the gate's folder. The keys are in RATCHET_SIGNING_KEY and RATCHET_VERIFY_KEY; `reviewers` is the text
    of a file of reviewers, empty where no review is asked for.
    """
    from pathlib import Path

    from ratchet.failures import noted
    from ratchet.registry.step import promote_step
    from ratchet.steps import located

    with noted(workspace, step):
        return promote_step(
            tracking_uri,
            experiment,
            registered_model,
            checkpoint=located(checkpoint.path),
            profile=Path(profile.path),
            verdict=Path(verdict.path),
            reviewers=reviewers,
            four_eyes=four_eyes,
        )


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def record_end(
    status: dsl.PipelineTaskFinalStatus,
    tracking_uri: str,
    experiment: str,
    run_name: str,
    workspace: str,
    step: str,
    kubeflow_run: str,
    kubeflow_url: str = "",
) -> str:
    """Record in MLflow how the run ended, whatever ended it: finished, blocked, refused, failed or terminated.

    `step` is the run's folder in the workspace, where its steps left verdicts and failures.
    """
    from pathlib import Path

    from ratchet.registry.ending import record_end as record
    from ratchet.registry.ending import told

    said = told(status.state, status.error_message, kubeflow_run, kubeflow_url)
    return record(tracking_uri, experiment, run_name, Path(workspace, step), said)
