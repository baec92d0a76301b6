"""The compiled pipeline is the golden one, and its components only wire."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from ratchet_pipelines.catalogue import COMPONENTS, README, RUN_FORM, catalogue, run_form
from ratchet_pipelines.compile import NAMES, compile_pipeline

ROOT = Path(__file__).parents[2]
COMPILED = ROOT / "pipelines" / "compiled"
LIBRARY = ROOT / "components" / "ratchet"


@pytest.mark.parametrize("name", NAMES)
def test_the_compiled_pipeline_is_the_golden_one(name: str, tmp_path: Path) -> None:
    compiled = compile_pipeline(name, tmp_path / "p.yaml").read_text()
    golden = (COMPILED / (name.replace("-", "_") + ".yaml")).read_text()
    assert compiled == golden, "meant? then `make golden`, and read the difference before you commit it"


def test_the_table_of_components_is_up_to_date() -> None:
    assert catalogue() == README.read_text(), "run `make golden`"


def test_the_page_of_the_run_form_is_up_to_date_and_has_what_the_pipelines_take() -> None:
    page = RUN_FORM.read_text()
    assert run_form() == page, "run `make golden`"
    for name in NAMES:
        for parameter in _golden(name)[0]["root"]["inputDefinitions"]["parameters"]:
            assert f"| `{parameter}` |" in page


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*/component.py")), ids=lambda path: path.parent.name)
def test_a_component_only_wires(path: Path) -> None:
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert {f.name for f in functions} == set(COMPONENTS[path.parent.name])
    for function in functions:
        inner = [node for node in ast.walk(function) if isinstance(node, ast.stmt) and node is not function]
        decisions = (ast.If, ast.For, ast.While, ast.Try, ast.IfExp, ast.ListComp, ast.DictComp, ast.GeneratorExp)
        assert not [node for node in ast.walk(function) if isinstance(node, decisions)]
        assert len(inner) <= 9, "eight statements and the docstring"


def _golden(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The specification of the pipeline and what it says to Kubernetes."""
    path = COMPILED / (name.replace("-", "_") + ".yaml")
    spec, platform = yaml.safe_load_all(path.read_text())
    return spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def _tasks(spec: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    dags = [spec["root"]["dag"], *(c["dag"] for c in spec["components"].values() if "dag" in c)]
    return [(name, task) for dag in dags for name, task in dag["tasks"].items()]


def _component(task: dict[str, Any]) -> str:
    return str(task["componentRef"]["name"].removeprefix("comp-").rstrip("-0123456789"))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_drawn_trained_or_measured_is_never_taken_from_a_cache(name: str) -> None:
    cached: dict[str, set[bool]] = {}
    for _, task in _tasks(_golden(name)[0]):
        cached.setdefault(_component(task), set()).add(task.get("cachingOptions", {}).get("enableCache", False))
    anew = ("train", "sample", "evaluate", "gate", "log", "record-end")
    assert all(cached.get(step, {False}) == {False} for step in anew)
    assert cached["validate"] == {True}
    assert {"sample", "evaluate", "gate", "log", "record-end"} <= set(cached)


def test_every_round_is_inside_the_conditions_of_the_one_before() -> None:
    spec, _ = _golden("self-improvement")
    conditions = [t["triggerPolicy"]["condition"] for _, t in _tasks(spec) if "condition" in t.get("triggerPolicy", {})]
    assert len(conditions) == 8  # two before each of rounds 2 to 5: neither blocked nor refused
    assert sum("BLOCK" in condition for condition in conditions) == 4
    assert sum("ERROR" in condition for condition in conditions) == 4
    whole = spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    assert "train" in whole
    assert "train-2" not in whole


@pytest.mark.parametrize("name", NAMES)
def test_all_of_a_run_is_inside_the_handler_that_records_its_end(name: str) -> None:
    spec, _ = _golden(name)
    tasks = spec["root"]["dag"]["tasks"]
    assert set(tasks) == {"exit-handler-1", "record-end"}
    assert tasks["record-end"]["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    taken = tasks["record-end"]["inputs"]["parameters"]
    assert taken["status"] == {"taskFinalStatus": {"producerTask": "exit-handler-1"}}
    assert not [one for one in taken.values() if "taskOutputParameter" in one]  # Kubeflow refuses an end that waits


@pytest.mark.parametrize("name", NAMES)
def test_every_image_carries_the_package_version_and_no_step_installs_anything(name: str) -> None:
    from ratchet import __version__

    spec, _ = _golden(name)
    executors = spec["deploymentSpec"]["executors"].values()
    images = {executor["container"]["image"] for executor in executors if "container" in executor}
    assert images
    assert all(image.endswith(f":{__version__}") for image in images)
    assert "pip install" not in yaml.safe_dump(spec)


def test_the_images_of_a_registry_are_named_with_it_and_nothing_else_changes(tmp_path: Path) -> None:
    text = compile_pipeline(
        "evaluate-and-gate", tmp_path / "p.yaml", registry="registry.example:5000/team/"
    ).read_text()
    plain = (COMPILED / "evaluate_and_gate.yaml").read_text()
    assert text.count("image: registry.example:5000/team/ratchet-mlops/") == plain.count("image: ") > 5
    assert text.replace("registry.example:5000/team/", "") == plain


@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_of_a_pipeline_is_described(name: str) -> None:
    parameters = _golden(name)[0]["root"]["inputDefinitions"]["parameters"]
    assert [parameter for parameter, described in parameters.items() if not described.get("description")] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_pod_is_unprivileged_has_a_limit_on_all_it_takes_and_survives_its_node(name: str) -> None:
    spec, pods = _golden(name)
    executors = spec["deploymentSpec"]["executors"]
    for _, task in _tasks(spec):
        label = spec["components"][task["componentRef"]["name"]].get("executorLabel")
        if label is None or "container" not in executors[label]:
            continue  # a condition, or an artifact that is there already
        assert task["retryPolicy"]["maxRetryCount"] == 3
        pod, resources = pods[label], executors[label]["container"]["resources"]
        assert pod["securityContext"] == {"runAsUser": "65532", "runAsGroup": "65532", "runAsNonRoot": True}
        assert int(pod["activeDeadlineSeconds"]) > 0
        assert [mount["mountPath"] for mount in pod["pvcMount"]] == ["/workspace"]
        assert {"resourceCpuLimit", "resourceMemoryLimit"} <= set(resources)
        accelerated = _component(task) in ("train", "sample")
        assert ("accelerator" in resources) is accelerated
        folders = {mount["mountPath"]: mount.get("medium") for mount in pod["emptyDirMounts"]}
        assert folders == ({"/tmp": None, "/dev/shm": "Memory"} if accelerated else {"/tmp": None})
        assert ("ratchet/locked" in pod["podMetadata"]["labels"]) is (_component(task) == "grade")
        assert ("secretAsEnv" in pod) is (_component(task) in ("gate", "log", "champion", "promote", "record-end"))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_pod_is_placed_by_reaches_it_through_every_condition_around_it(name: str) -> None:
    """Each input that a task takes from around it is declared there, and handed in at each level up to the root."""
    spec, _ = _golden(name)
    groups = {"root": spec["root"], **spec["components"]}
    for group in groups.values():
        declared = set(group.get("inputDefinitions", {}).get("parameters", {}))
        for task_name, task in group.get("dag", {}).get("tasks", {}).items():
            taken = task.get("inputs", {}).get("parameters", {}).values()
            wanted = {value["componentInputParameter"] for value in taken if "componentInputParameter" in value}
            assert wanted <= declared, (task_name, wanted - declared)


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_is_what_the_schema_of_kubeflow_pipelines_says(name: str) -> None:
    """Parsed by the specification's own messages, which refuse unknown fields; within the limits of names and size."""
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    spec, _ = _golden(name)
    parsed = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec(), ignore_unknown_fields=False)
    assert parsed.schema_version == "2.1.0"
    assert parsed.pipeline_info.name == name
    names = [task for task, _ in _tasks(spec)] + [spec["pipelineInfo"]["name"]]
    assert all(len(one) <= 63 and one == one.lower() for one in names)
    assert len(yaml.safe_dump(spec)) < 2**20  # a Kubernetes object, which the workflow becomes, holds 1.5 MiB at most
