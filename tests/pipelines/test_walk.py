"""The compiled pipelines walked as Kubeflow would: which steps run after which verdicts, and what their pods get."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.graph import Step, Walk, holds, load

from ratchet.shards import shards_for

COMPILED = Path(__file__).parents[2] / "pipelines" / "compiled"
GIVEN = {
    "data_problems": "s3://data/problems.parquet",
    "model_base": "s3://models/base",
    "gate_policy": "version: 1",
    "run_workspace": "/workspace/first",
    "mlflow_tracking_uri": "http://mlflow:5000",
}
ANY = {"model_candidate": "s3://models/new", "model_champion": "s3://models/champion"}


def _walked(name: str, verdicts: list[str], **given: Any) -> tuple[list[Step], Walk]:
    answers: Iterator[str] = iter(verdicts)
    steps: list[Step] = []

    def run(step: Step) -> dict[str, Any]:
        steps.append(step)
        if step.name == "validate":
            return {"Output": shards_for(_told(step)["pods"], 100)}
        decides = step.name.startswith(("gate", "champion"))
        return {"Output": next(answers)} if decides else {"Output": ""}

    walk = Walk(*load(COMPILED / f"{name}.yaml"), "s3://bucket/root", "job-1", run)
    walk.pipeline({**GIVEN, **given})
    return steps, walk


def _of(step: Step, name: str) -> str:
    """The address of a step's one artifact of that name, taken or made."""
    (only,) = [step.outputs[name]] if name in step.outputs else step.inputs[name]
    return str(only["uri"])


def _count(steps: list[Step], verb: str) -> int:
    return sum(step.name.rstrip("-0123456789") == verb for step in steps)


@pytest.mark.parametrize(
    ("verdicts", "rounds"),
    [
        (["PROMOTE", "PROMOTE", "PROMOTE", "PROMOTE", "PROMOTE"], 5),
        (["PROMOTE", "INCONCLUSIVE", "BLOCK"], 3),
        (["PROMOTE", "ERROR"], 2),
        (["BLOCK"], 1),
    ],
)
def test_self_improvement_ends_with_the_round_that_is_blocked_or_refused(verdicts: list[str], rounds: int) -> None:
    steps, walk = _walked("self_improvement", verdicts)
    assert [_count(steps, verb) for verb in ("train", "gate", "log", "evaluate")] == [rounds] * 4
    assert _count(steps, "sample") == 2 * rounds - 1
    assert len(walk.skipped) == (rounds < 5)


def test_a_round_is_compared_with_the_base_the_champion_that_the_gate_left_and_all_rounds_before() -> None:
    steps, _ = _walked("self_improvement", ["PROMOTE", "PROMOTE", "BLOCK"])
    gates = [step for step in steps if step.name.startswith("gate")]
    assert set(gates[0].inputs) == {"candidate"}
    assert _of(gates[2], "champion") == _of(gates[1], "champion_out")
    assert _of(gates[2], "base") == _of(gates[0], "candidate")
    evaluations = [step for step in steps if step.name.startswith("evaluate")]
    assert _of(gates[2], "history") == _of(evaluations[1], "history_out")


def test_a_checkpoint_from_anywhere_is_gated_against_a_champion_unless_that_is_the_base() -> None:
    steps, _ = _walked("evaluate_and_gate", ["PROMOTE"], **ANY)
    assert _count(steps, "sample") == 3
    (gate,) = [step for step in steps if step.name.startswith("gate")]
    assert len({_of(gate, side) for side in ("candidate", "base", "champion")}) == 3
    steps, _ = _walked("evaluate_and_gate", ["PROMOTE"], **ANY | {"model_champion": GIVEN["model_base"]})
    assert _count(steps, "sample") == 2
    (gate,) = [step for step in steps if step.name.startswith("gate")]
    assert gate.inputs["champion"] == gate.inputs["base"]


def test_a_scheduled_round_starts_from_the_champion_and_is_gated_against_it() -> None:
    model = {"mlflow_model": "solver"}
    steps, _ = _walked("scheduled_retraining", ["champion", "PROMOTE"], **model)
    at = {step.name.rstrip("-0123456789"): step for step in steps}
    assert _count(steps, "train") == 1
    assert _of(at["train"], "checkpoint") == _of(at["champion"], "checkpoint_out")
    for side in ("base", "champion", "history"):
        assert _of(at["gate"], side) == _of(at["champion"], f"{side}_out")
    assert _of(at["promote"], "checkpoint") == _of(at["train"], "trained")
    assert [step.name.rstrip("-0123456789") for step in steps[-3:]] == ["log", "promote", "record-end"]
    # without a champion the base is trained on the reference solutions, and the gate has nothing to compare with
    steps, _ = _walked("scheduled_retraining", ["none", "PROMOTE"], **model)
    at = {step.name.rstrip("-0123456789"): step for step in steps}
    assert _of(at["train"], "checkpoint") == GIVEN["model_base"]
    assert set(at["gate"].inputs) == {"candidate"}
    assert "promote" in at


@pytest.mark.parametrize("pods", [1, 3])
def test_each_shard_is_drawn_and_graded_in_pods_of_its_own_and_all_are_read_together(pods: int) -> None:
    steps, _ = _walked("self_improvement", ["PROMOTE", "BLOCK"], sample_pods=pods, sample_problems=30)
    assert [_count(steps, verb) for verb in ("sample", "grade", "select-correct", "evaluate")] == [3 * pods] * 2 + [
        1,
        2,
    ]
    assert _told(steps[0])["limit"] == 30
    shards = [f"{number}/{pods}" for number in range(pods)]
    for name in ("sample", "sample-2", "sample-3", "grade", "grade-2", "grade-3"):
        told = [_told(step) for step in steps if step.name == name]
        assert sorted(one["shard"] for one in told) == shards
        assert len({one["step"] for one in told}) == 1
    for reader, grader in (("evaluate", "grade"), ("select-correct", "grade-2"), ("evaluate-2", "grade-3")):
        (read,) = [step for step in steps if step.name == reader]
        graded = {_told(step)["shard"]: _of(step, "attempts") for step in steps if step.name == grader}
        # in the order of the shards, whichever was done first
        assert [one["uri"] for one in read.inputs["attempts"]] == [graded[shard] for shard in shards]
    drawn = {_of(step, "samples") for step in steps if step.name == "sample"}
    assert {_of(step, "samples") for step in steps if step.name == "grade"} == drawn
    assert len(drawn) == pods


def test_a_shard_that_fails_ends_the_run_before_anything_is_read() -> None:
    steps: list[Step] = []

    def run(step: Step) -> dict[str, Any]:
        steps.append(step)
        if step.name == "grade" and _told(step)["shard"] == "1/2":
            raise RuntimeError("the pod was lost")
        return {"Output": ["0/2", "1/2"] if step.name == "validate" else ""}

    walk = Walk(*load(COMPILED / "self_improvement.yaml"), "s3://bucket/root", "job-1", run)
    with pytest.raises(RuntimeError, match="the pod was lost"):
        walk.pipeline(GIVEN | {"sample_pods": 2})
    assert _count(steps, "grade") == 2
    assert _count(steps, "evaluate") == 0
    assert steps[-1].name == "record-end"


def test_pods_get_what_the_parameters_of_the_run_say_in_every_round() -> None:
    nodes, taints = {"gpu": "a100"}, [{"key": "gpu", "operator": "Exists"}]
    given = {"train_gpus": "4", "sample_memory": "7Gi", "cluster_node_selector": nodes, "cluster_tolerations": taints}
    steps, _ = _walked("self_improvement", ["PROMOTE", "PROMOTE", "BLOCK"], cluster_claim="mine", **given)
    for step in steps:
        assert step.platform["pvcMount"][0]["pvcNameParameter"] == "mine"
        if step.name.startswith("train"):
            assert step.resources["accelerator"]["resourceCount"] == "4"
            assert step.platform["nodeSelector"]["nodeSelectorJson"] == nodes
            assert step.platform["tolerations"] == [{"tolerationJson": taints}]
        if step.name.startswith("sample"):
            assert step.resources["resourceMemoryLimit"] == "7Gi"
            assert step.resources["accelerator"]["resourceCount"] == "1"
        if step.name.startswith("gate"):
            assert step.platform["secretAsEnv"][0]["secretNameParameter"] == "ratchet-signing"


def _told(step: Step) -> dict[str, Any]:
    """The parameters that a step's command line carries."""
    parameters: dict[str, Any] = json.loads(step.args[step.args.index("--executor_input") + 1])
    return parameters["inputs"]["parameterValues"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("failing", ["validate", "grade", "log"])
def test_a_failed_step_ends_the_run_and_its_end_is_recorded(failing: str) -> None:
    steps: list[Step] = []

    def run(step: Step) -> dict[str, Any]:
        steps.append(step)
        if step.name == failing:
            raise RuntimeError("the pod was lost")
        return {"Output": ["0/1"] if step.name == "validate" else "PROMOTE"}

    walk = Walk(*load(COMPILED / "self_improvement.yaml"), "s3://bucket/root", "job-1", run)
    with pytest.raises(RuntimeError, match="the pod was lost"):
        walk.pipeline(GIVEN)
    assert [step.name for step in steps[-2:]] == [failing, "record-end"]
    told = _told(steps[-1])
    assert told["status"]["state"] == "FAILED"
    assert (told["run_name"], told["kubeflow_run"]) == ("self-improvement", "job-1")
    assert (told["workspace"], told["step"]) == ("/workspace/first", ".")


def test_the_end_of_a_blocked_and_of_a_scheduled_run_is_recorded_in_its_own_folder() -> None:
    steps, _ = _walked("self_improvement", ["PROMOTE", "BLOCK"])
    assert _told(steps[-1])["status"]["state"] == "SUCCEEDED"
    steps, _ = _walked("scheduled_retraining", ["none", "BLOCK"], mlflow_model="solver")
    gate = next(step for step in steps if step.name.startswith("gate"))
    assert _told(steps[-1])["step"] == "job-1"
    assert _told(gate)["step"] == "job-1/gate"


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ("inputs.parameter_values['a'] != 'BLOCK'", True),
        ("inputs.parameter_values['a'] == inputs.parameter_values['b']", False),
        ("!(inputs.parameter_values['a'] == 'PROMOTE')", False),
        ("inputs.parameter_values['a'] == 'PROMOTE' && inputs.parameter_values['b'] != 'it\\'s'", True),
    ],
)
def test_conditions_are_read_as_kubeflow_writes_them(condition: str, truth: bool) -> None:
    assert holds(condition, {"a": "PROMOTE", "b": "x"}) is truth
