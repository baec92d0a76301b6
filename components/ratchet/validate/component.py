"""The KFP component of `validate`."""

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def validate(
    problems: dsl.Input[dsl.Dataset],
    validated: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    workspace: str,
    step: str,
) -> None:
    """Check the problems and hand them on; problems that fail a check end the run."""
    from pathlib import Path

    from ratchet.steps import placed
    from ratchet.validate.result import require_valid
    from ratchet.validate.validate import REPORT_FILE, validate

    with placed(workspace, step, validated.path) as out:
        result = validate(Path(problems.path), out)
    Path(report.path).write_bytes((out / REPORT_FILE).read_bytes())
    require_valid(result, problems.path)
