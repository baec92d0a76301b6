"""What helm makes of the chart: objects from values, the pods among them, and who may talk to whom."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "charts" / "ratchet"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
MINIMAL = CHART / "ci" / "minimal-values.yaml"
Object = dict[str, Any]


def helm() -> str:
    """The path of helm: on the PATH, or what the test cluster's build left.

    Without it the test is skipped; with RATCHET_TEST_SERVERS=required, as CI has it, the test fails.
    """
    cache = Path(os.environ.get("TESTCLUSTER_CACHE", Path.home() / ".cache" / "testcluster"))
    found = shutil.which("helm", path=os.pathsep.join([os.environ.get("PATH", ""), str(cache / "bin")]))
    if found is None and os.environ.get("RATCHET_TEST_SERVERS") == "required":
        pytest.fail("helm 3 is needed: testcluster build")
    return found or pytest.skip("needs helm 3: testcluster build, or any package manager's")


def templated(*values: Path | Mapping[str, Any], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """How `helm template` ended: values in files, then those given in Python, which are written to the folder."""
    files = []
    for number, one in enumerate(values):
        if not isinstance(one, Path):
            assert folder is not None
            path = folder / f"values-{number}.yaml"
            path.write_text(yaml.safe_dump(one))
            one = path
        files.append(f"--values={one}")
    command = [helm(), "template", "demo", str(CHART), "--namespace=team", *files]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def objects(*values: Path | Mapping[str, Any], folder: Path | None = None) -> list[Object]:
    """The objects that helm makes."""
    ended = templated(*values, folder=folder)
    assert ended.returncode == 0, ended.stderr
    return [one for one in yaml.safe_load_all(ended.stdout) if one]


@cache
def scenario(path: Path) -> tuple[Object, ...]:
    """The objects of a scenario in ci/."""
    return tuple(objects(path))


def of_kind(some: tuple[Object, ...] | list[Object], kind: str) -> list[Object]:
    """The objects of a kind."""
    return [one for one in some if one["kind"] == kind]


def named(some: tuple[Object, ...] | list[Object], kind: str, end: str) -> Object:
    """The one object of that kind whose name ends so."""
    (found,) = [one for one in of_kind(some, kind) if one["metadata"]["name"].endswith(end)]
    return found


def pods(some: tuple[Object, ...] | list[Object]) -> Iterator[tuple[str, Object]]:
    """The pod templates among the objects, each with the name of what makes it."""
    for one in some:
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] in ("Job", "Deployment"):
            yield name, one["spec"]["template"]
        elif one["kind"] == "CronJob":
            yield name, one["spec"]["jobTemplate"]["spec"]["template"]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects something with these labels."""
    meets = {
        "In": lambda key, values: labels.get(key) in values,
        "NotIn": lambda key, values: labels.get(key) not in values,
        "Exists": lambda key, values: key in labels,
        "DoesNotExist": lambda key, values: key not in labels,
    }
    plain = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return plain and all(
        meets[one["operator"]](one["key"], one.get("values", [])) for one in selector.get("matchExpressions", [])
    )


def reached(some: tuple[Object, ...] | list[Object], labels: Mapping[str, str], direction: str) -> set[str] | None:
    """Where a pod with these labels may go ("Egress"), or who may come ("Ingress"); None where no policy says.

    Policies add up: a pod that several select may do what any of them allows.
    """
    rules, limited = [], False
    for policy in (one["spec"] for one in of_kind(some, "NetworkPolicy")):
        if direction in policy["policyTypes"] and selects(policy["podSelector"], labels):
            limited = True
            rules += policy.get(direction.lower()) or []
    peers = [str(peer) for rule in rules for peer in rule["to" if direction == "Egress" else "from"]]
    return {_place(peer) for peer in peers} if limited else None


def _place(peer: str) -> str:
    known = {"kube-dns": "names", "ml-pipeline": "kubeflow", "metadata-grpc": "kubeflow", "minio": "store"}
    known |= {"'mlops'": "mlflow", "192.0.2.": "api"}
    return next((place for word, place in known.items() if word in peer), peer)
