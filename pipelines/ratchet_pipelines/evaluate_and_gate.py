"""Any checkpoint against a base and a champion: all are tried on the same problems, profiled, and the gate decides.

For checkpoints that were trained elsewhere, and for those whose evidence is to be made anew.
"""

from typing import Any

from kfp import dsl

from ratchet_pipelines.form import CLUSTER, DATA, MEASURING, Field, Settings, named, pipeline
from ratchet_pipelines.stages import Run, begun, decided, given, logged, measured, recorded

NAME = "evaluate-and-gate"
SAYS = "Profile a checkpoint beside a base and a champion, and say whether it may be promoted."
FIELDS = {
    **DATA,
    "data_problems": Field(str, "Problem file, .jsonl or .parquet, with splits eval and ood."),
    "model_base": Field(str, "Checkpoint that it was once made from."),
    "model_candidate": Field(str, "Checkpoint to decide about, a Hugging Face folder with safetensors weights."),
    "model_champion": Field(str, "Checkpoint that is in use; the same as model_base where nothing was promoted yet."),
    **named(NAME),
    **MEASURING,
    **CLUSTER,
}


def _steps(settings: Settings) -> None:
    model_base, model_champion = settings["model_base"], settings["model_champion"]
    run = begun(given(settings["data_problems"], dsl.Dataset, "problems"), settings, "evaluate-and-gate")
    base = measured(run, "base", "base", given(model_base, dsl.Model, "base")).outputs["profile"]
    candidate = given(settings["model_candidate"], dsl.Model, "candidate")
    profile = measured(run, "candidate", "candidate", candidate, base=base).outputs["profile"]
    with dsl.If(model_champion == model_base, name="nothing-was-promoted-yet"):
        _decided_and_logged(run, candidate, profile, base=base, champion=base)
    with dsl.Else(name="against-a-champion"):
        champion = measured(run, "champion", "champion", given(model_champion, dsl.Model, "champion"))
        _decided_and_logged(run, candidate, profile, base=base, champion=champion.outputs["profile"])


def _decided_and_logged(run: Run, candidate: Any, profile: Any, **references: Any) -> None:
    decision = decided(run, "candidate", profile, **references)
    logged(run, "candidate", candidate, profile, decision, 0)


@pipeline(NAME, SAYS, FIELDS)
def evaluate_and_gate(settings: Settings) -> None:
    """The steps of the pipeline."""
    with recorded(settings):
        _steps(settings)
