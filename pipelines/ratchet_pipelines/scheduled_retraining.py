"""One round of self-improvement a run: from the champion of the moment, gated against it, promoted where it may be.

Made for schedules. A run that was missed is missed: the next one starts from whoever is champion then. Two runs that
overlap start from the same champion; the second to be promoted is told to be gated again, since the champion that its
verdict speaks of is none any more.
"""

from typing import Any

from kfp import dsl

from ratchet.registry.component import champion as champion_step
from ratchet.registry.component import promote
from ratchet_pipelines.form import CLUSTER, DATA, LEARNING, MEASURING, Field, Settings, named, pipeline
from ratchet_pipelines.placement import SIGNING_KEYS, with_secret
from ratchet_pipelines.stages import (
    Run,
    begun,
    decided,
    fresh,
    given,
    logged,
    measured,
    own_answers,
    recorded,
    solutions,
    trained,
    with_tracking,
)

NAME = "scheduled-retraining"
SAYS = "One round from the champion on: trained on its own correct answers, gated, promoted."
STAGE = f"{dsl.PIPELINE_JOB_ID_PLACEHOLDER}"  # runs share a workspace: each has a folder of its own in it
RUN_NAME = f"{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}"  # a schedule's parameters are the same in all its runs
FIELDS = {
    **DATA,
    "model_base": Field(str, "Base checkpoint M_0, which the first champion is made from where there is none yet."),
    "run_workspace": Field(str, "Folder that outlives pods and runs; each run has its own folder in it."),
    "mlflow_experiment": named(NAME)["mlflow_experiment"],
    "mlflow_model": Field(str, "Registered model whose champion is retrained."),
    "gate_reviewers": Field(str, "Text of a file of reviewers, one of whom must approve a promotion; or empty.", ""),
    "gate_four_eyes": Field(bool, "Whether the reviewer must be another one than who started the run.", False),
    **LEARNING,
    **MEASURING,
    **CLUSTER,
}


def _round(run: Run, standing: Any) -> None:
    """A round from the champion on, gated against it, the first champion and all between."""
    checkpoint, base, champion, history = (
        standing.outputs[name] for name in ("checkpoint_out", "base_out", "champion_out", "history_out")
    )
    examples = own_answers(run, STAGE, checkpoint, after=standing)
    new = trained(run, STAGE, checkpoint, examples, "train")
    profile = measured(run, STAGE, run.settings["run_name"], new, base=base, history=history).outputs["profile"]
    decision = decided(run, STAGE, profile, base=base, champion=champion, history=history)
    _logged_and_promoted(run, new, profile, decision)


def _first_round(run: Run, base_model: Any) -> None:
    """The first champion: the base model, fine-tuned on the reference solutions."""
    new = trained(run, STAGE, base_model, solutions(run, STAGE), "first")
    profile = measured(run, STAGE, run.settings["run_name"], new).outputs["profile"]
    _logged_and_promoted(run, new, profile, decided(run, STAGE, profile, first=True))


def _logged_and_promoted(run: Run, checkpoint: Any, profile: Any, decision: Any) -> None:
    settings = run.settings
    task = promote(
        checkpoint=checkpoint,
        profile=profile,
        verdict=decision.outputs["verdict_out"],
        registered_model=settings["mlflow_model"],
        tracking_uri=settings["mlflow_tracking_uri"],
        experiment=settings["mlflow_experiment"],
        reviewers=settings["gate_reviewers"],
        four_eyes=settings["gate_four_eyes"],
        **run.place(STAGE, "promote"),
    )
    _with_keys(run, fresh(run, "small", task)).after(logged(run, STAGE, checkpoint, profile, decision, 0))


def _with_keys(run: Run, task: Any) -> Any:
    return with_secret(with_tracking(run, task), run.settings["cluster_signing_secret"], SIGNING_KEYS)


@pipeline(NAME, SAYS, FIELDS)
def scheduled_retraining(form: Settings) -> None:
    """The steps of the pipeline."""
    settings = {**form, "run_name": RUN_NAME}
    with recorded(settings, STAGE):
        base = given(settings["model_base"], dsl.Model, "base model")
        run = begun(given(settings["data_problems"], dsl.Dataset, "problems"), settings, STAGE)
        task = champion_step(
            registered_model=settings["mlflow_model"],
            tracking_uri=settings["mlflow_tracking_uri"],
            **run.place(STAGE, "champion"),
        )
        standing = _with_keys(run, fresh(run, "small", task))
        with dsl.If(standing.outputs["Output"] == "champion", name="from-the-champion"):
            _round(run, standing)
        with dsl.Else(name="the-first-champion"):
            _first_round(run, base)
