"""The compiled pipeline is the golden one, and its components only wire."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from ratchet_pipelines.catalogue import COMPONENTS, README, catalogue
from ratchet_pipelines.compile import compile_self_improvement

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "pipelines" / "compiled" / "self_improvement.yaml"
LIBRARY = ROOT / "components" / "ratchet"


def test_the_compiled_pipeline_is_the_golden_one(tmp_path: Path) -> None:
    compiled = compile_self_improvement(4, tmp_path / "p.yaml").read_text()
    assert compiled == GOLDEN.read_text(), "meant? then `make golden`, and read the difference before you commit it"


def test_the_table_of_components_is_up_to_date() -> None:
    assert catalogue() == README.read_text(), "run `make golden`"


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*/component.py")), ids=lambda path: path.parent.name)
def test_a_component_only_wires(path: Path) -> None:
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert {f.name for f in functions} == set(COMPONENTS[path.parent.name])
    for function in functions:
        inner = [node for node in ast.walk(function) if isinstance(node, ast.stmt) and node is not function]
        decisions = (ast.If, ast.For, ast.While, ast.Try, ast.IfExp, ast.ListComp, ast.DictComp, ast.GeneratorExp)
        assert not [node for node in ast.walk(function) if isinstance(node, decisions)]
        assert len(inner) <= 9, "eight statements and the docstring"


def _tasks(spec: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    dags = [spec["root"]["dag"], *(c["dag"] for c in spec["components"].values() if "dag" in c)]
    return [(name, task) for dag in dags for name, task in dag["tasks"].items()]


def test_what_is_drawn_trained_or_measured_is_never_taken_from_a_cache() -> None:
    spec = next(yaml.safe_load_all(GOLDEN.read_text()))
    cached: dict[str, set[bool]] = {}
    for _, task in _tasks(spec):
        component = task["componentRef"]["name"].removeprefix("comp-").rstrip("-0123456789")
        cached.setdefault(component, set()).add(task.get("cachingOptions", {}).get("enableCache", False))
    assert all(cached[name] == {False} for name in ("train", "sample", "evaluate", "gate", "log"))
    assert cached["validate"] == {True}


def test_every_round_is_inside_the_conditions_of_the_one_before() -> None:
    spec = next(yaml.safe_load_all(GOLDEN.read_text()))
    conditions = [t["triggerPolicy"]["condition"] for _, t in _tasks(spec) if "triggerPolicy" in t]
    assert len(conditions) == 8  # two before each of rounds 2 to 5: neither blocked nor refused
    assert sum("BLOCK" in condition for condition in conditions) == 4
    assert sum("ERROR" in condition for condition in conditions) == 4
    assert "train" in spec["root"]["dag"]["tasks"]
    assert "train-2" not in spec["root"]["dag"]["tasks"]


def test_every_image_carries_the_package_version_and_no_step_installs_anything() -> None:
    from ratchet import __version__

    text = GOLDEN.read_text()
    images = {line.split("image: ")[1] for line in text.splitlines() if "image: " in line}
    assert images
    assert all(image.endswith(f":{__version__}") for image in images)
    assert "pip install" not in text


def test_each_parameter_of_the_pipeline_is_described() -> None:
    spec = next(yaml.safe_load_all(GOLDEN.read_text()))
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert [name for name, described in parameters.items() if not described.get("description")] == []
