"""The KFP component of `log`."""

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
) -> str:
    """Log a round in MLflow and return the id of its model; `verdict` is the gate's folder."""
    from pathlib import Path

    from ratchet.registry.log import log_checkpoint

    return log_checkpoint(
        tracking_uri,
        experiment,
        run_name,
        checkpoint=Path(checkpoint.path),
        profile=Path(profile.path),
        round=round_number,
        verdict=Path(verdict.path, "verdict.json"),
        report=Path(verdict.path, "report.html"),
    )
