"""The chart's values: each commented, each in the closed schema, the README's table of them as the values are."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from tests.charts.rendered import CHART, SCENARIOS

from ratchet import __version__
from ratchet.images import IMAGES

VALUES = (CHART / "values.yaml").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
README = runpy.run_path(str(CHART.parent / "readme.py"))


def _paths(node: Any, prefix: str = "") -> Iterator[str]:
    for key, value in node.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")


def _declared(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    for key, inner in schema.get("properties", {}).items():
        yield f"{prefix}{key}"
        yield from _declared(inner, f"{prefix}{key}.")


def _objects(schema: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield where, schema
        for key, inner in schema.items():
            yield from _objects(inner, f"{where}/{key}")


def test_every_value_has_a_comment() -> None:
    assert [one.path for one in README["values"](VALUES) if not one.comment] == []


def test_the_table_in_the_readme_is_made_from_the_comments() -> None:
    page = (CHART / "README.md").read_text()
    assert README["written"](page, VALUES) == page, "python charts/readme.py writes it anew"


def test_a_group_is_a_heading_and_a_value_without_commented_keys_is_one_row() -> None:
    text = "# A name.\nname: x\n# What it\n# may use.\nuse: {cpu: 1}\n"
    text += "# More.\nmore:\n  # Deeper.\n  deep:\n    # Leaf.\n    leaf: []\n"
    assert README["table"](text) == (
        "| value | unless set | what |\n| --- | --- | --- |\n"
        '| `name` | `"x"` | A name. |\n| `use` | `{"cpu": 1}` | What it may use. |\n\n'
        "### more\n\nMore.\n\n| value | unless set | what |\n| --- | --- | --- |\n"
        "| `more.deep` |  | Deeper. |\n| `more.deep.leaf` | `[]` | Leaf. |"
    )


def test_the_schema_has_the_keys_of_the_values_and_no_others() -> None:
    # resources are requests and limits wherever they stand; selectors and peers are under lists
    wanted = {path for path in _paths(yaml.safe_load(VALUES)) if ".requests." not in path and ".limits." not in path}
    assert set(_declared(SCHEMA)) == wanted | {"global"}  # which helm hands to a chart that is part of another


def test_every_object_of_the_schema_is_closed_but_for_free_mappings() -> None:
    free = {where for where, one in _objects(SCHEMA) if one.get("additionalProperties") is not False}
    assert {where.removeprefix("/properties/").replace("/properties/", ".") for where in free} == {
        "global",
        "nodeSelector",
        "podLabels",
        "podAnnotations",
        "pipelines.serviceAccount.annotations",
        "schedule.parameters",
        "dashboard.serviceAccount.annotations",
        "dashboard.podLabels",
        "quota.hard",
        "/definitions/resources.requests",
        "/definitions/resources.limits",
        "/definitions/selector.matchLabels",
    }


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)
def test_the_values_of_every_scenario_follow_the_schema(path: Path) -> None:
    Draft7Validator(SCHEMA).validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"reconcil": {}}, ""),
        ({"image": {"tags": "1"}}, "image"),
        ({"schedule": {"every": 30}}, "schedule.every"),  # Kubeflow would start a run every 30 s
        ({"schedule": {"state": "on"}}, "schedule.state"),
        ({"verdicts": {"publicKeys": ["-----BEGIN PRIVATE KEY-----"]}}, "verdicts.publicKeys.0"),
        ({"mlflow": {"trackingUri": "http://me:secret@mlflow"}}, "mlflow.trackingUri"),
        ({"mlflow": {"password": "secret"}}, "mlflow"),
        ({"networkPolicies": {"dns": {"ports": []}}}, "networkPolicies.dns.ports"),
        ({"networkPolicies": {"mlflow": {"peers": [{}]}}}, "networkPolicies.mlflow.peers.0"),  # would mean everywhere
        ({"networkPolicies": {"dashboard": {"peers": [{}]}}}, "networkPolicies.dashboard.peers.0"),
        ({"dashboard": {"rootPath": "ratchet/"}}, "dashboard.rootPath"),
        ({"dashboard": {"reviewers": ["ada"]}}, "dashboard.reviewers.0"),  # whose key?
        ({"reconcile": {"cron": "0 0 3 * * 0"}}, "reconcile.cron"),  # six fields are Kubeflow's
    ],
)
def test_values_that_are_unknown_or_out_of_range_are_refused_where_they_stand(values: Any, where: str) -> None:
    (error,) = Draft7Validator(SCHEMA).iter_errors(values)
    assert ".".join(str(step) for step in error.absolute_path) == where


def test_the_chart_has_the_version_of_the_package_and_names_its_base_image() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    repository = yaml.safe_load(VALUES)["image"]["repository"]
    assert f"{repository}:{chart['appVersion']}" == IMAGES["base"]


def test_templates_are_one_object_a_file_and_one_folder_a_workload() -> None:
    templates = list((CHART / "templates").glob("*/*.yaml"))
    assert {path.parent.name for path in templates} == {
        *("config", "dashboard", "grade", "namespace", "pipelines", "reconcile", "schedule", "train", "workspace")
    }
    assert [
        path.name
        for path in templates
        if path.read_text().count("\nkind: ") + path.read_text().startswith("kind: ") != 1
    ] == []
    loose = {path.name for path in (CHART / "templates").glob("*") if path.is_file()}
    assert all(name.startswith("_") or name == "NOTES.txt" for name in loose)
