"""The gate as a Kubeflow Pipelines component."""

from kfp import dsl

from ratchet.images import IMAGES


@dsl.component(base_image=IMAGES["base"], install_kfp_package=False)
def gate(
    candidate: dsl.Input[dsl.Dataset],
    policy: str,
    verdict_out: dsl.Output[dsl.Artifact],
    champion_out: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
    metrics: dsl.Output[dsl.Metrics],
    workspace: str,
    step: str,
    base: dsl.Input[dsl.Dataset] = None,
    champion: dsl.Input[dsl.Dataset] = None,
    history: dsl.Input[dsl.Dataset] = None,
    first: bool = False,
) -> str:
    """PROMOTE, BLOCK, INCONCLUSIVE or ERROR; the step itself succeeds and hands on the profile that stands now."""
    from ratchet.gate.step import gate_step, hand_on
    from ratchet.steps import placed

    with placed(workspace, step, verdict_out.path) as out:
        given = {"base": getattr(base, "path", None), "champion": getattr(champion, "path", None)}
        verdict = gate_step(candidate.path, given, policy, first, out, getattr(history, "path", None))
        metrics.metadata.update(hand_on(out, champion_out.path, report.path, summary.path))
    return verdict.verdict
