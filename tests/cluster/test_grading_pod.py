"""The grading pod on a real cluster, under the Pod Security Standard `restricted`, and programs that try to leave it.

The cluster need not enforce network policies: what the sandbox promises must hold without them.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ratchet.records import Problem, Sample
from ratchet.storage import write_records
from ratchet_pipelines.catalogue import load
from ratchet_pipelines.hardening import labels, locked_pod, network_policy

pytestmark = pytest.mark.cluster

HERE = Path(__file__).parent
ATTACKS = [*HERE.joinpath("attacks").glob("*.txt"), *HERE.parent.joinpath("grade", "attacks").glob("*.txt")]
RESOURCES = {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"memory": "6Gi"}}
PRINT_GRADES = """
import json
from pathlib import Path
from ratchet.records import Grade
from ratchet.storage import read_records
for grade in read_records(Path("/tmp/graded/grades.parquet"), Grade):
    print(json.dumps([grade.problem_id, grade.attempt, grade.outcome, grade.isolation]))
"""
COMMAND = [
    *("ratchet", "grade", "--samples", "/data/samples.parquet", "--problems", "/data/problems.parquet"),
    *("--out", "/tmp/graded", "--workers", "2", "--isolation", "landlock"),
]


def _pod(image: str, command: list[str], data: dict[str, Any]) -> dict[str, Any]:
    mounts = [{"name": data["name"], "mountPath": "/data", "readOnly": True}]
    container = {"name": "grade", "image": image, "command": command, "volumeMounts": mounts, "resources": RESOURCES}
    return locked_pod(container, [data])


def _open_pod(image: str, command: list[str], data: dict[str, Any]) -> dict[str, Any]:
    """The same with a service-account token, as a step of Kubeflow Pipelines has one."""
    return {**_pod(image, command, data), "automountServiceAccountToken": True}


def test_the_namespace_refuses_a_pod_that_is_not_locked(cluster: Any, namespace: str) -> None:
    container = {"name": "open", "image": "none", "command": ["true"]}
    with pytest.raises(client.ApiException, match="violates PodSecurity"):
        cluster.core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": {"containers": [container]}})
    pod = {"metadata": {"name": "p"}, "spec": locked_pod(container)}
    assert cluster.core.create_namespaced_pod(namespace, pod, dry_run="All").metadata.name == "p"


def _component() -> list[str]:
    """The command of the pipeline's step, as Kubeflow Pipelines would fill it in, with its files as paths."""
    dataset = {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}

    def listed(name: str, uri: str) -> dict[str, Any]:
        return {"artifacts": [{"name": name, "uri": uri, "type": dataset, "metadata": {}}]}

    inputs = {name: listed(name, "/data") for name in ("samples", "problems")}
    filled = {
        "inputs": {"parameterValues": {"workspace": "/tmp", "step": "graded"}, "artifacts": inputs},
        "outputs": {
            "artifacts": {"attempts": listed("attempts", "/tmp/artifacts/attempts")},
            "outputFile": "/tmp/o.json",
        },
    }
    container = load("grade", "grade").component_spec.implementation.container
    return [*container.command, *(json.dumps(filled) if arg == "{{$}}" else arg for arg in container.args)]


@pytest.mark.parametrize("command", [COMMAND, _component()], ids=["the command", "the pipeline's step"])
def test_a_locked_pod_grades_programs_in_the_sandbox(
    command: list[str], image: Callable[[str], str], files: Any, run: Any, tmp_path: Path
) -> None:
    problems = [
        _problem("add", "def add(a, b):\n", "    return a + b\n", "assert candidate(2, 3) == 5"),
        _problem("last", "def last(items):\n", "    return items[-1]\n", "assert candidate([1, 2]) == 2"),
    ]
    texts = {
        ("add", 0): ("    return a + b\n", "correct"),
        ("add", 1): ("    return a - b\n", "incorrect"),  # 2 - 3 is not 5
        ("add", 2): ("    while True: pass\n", "incorrect"),
        ("add", 3): ("```python\ndef add(a, b):\n    return sum((a, b))\n```", "correct"),
        ("last", 0): ("    return items.pop()\n", "correct"),
        ("last", 1): ("    import os; os._exit(0)\n", "incorrect"),
        ("last", 2): ("    return open('/data/problems.parquet', 'rb').read() and 2\n", "incorrect"),
    }
    samples = [Sample(problem, "pod", attempt, text, "stop", 1, 0.0) for (problem, attempt), (text, _) in texts.items()]
    write_records(tmp_path / "problems.parquet", problems, Problem)
    write_records(tmp_path / "samples.parquet", samples, Sample)
    data = files("data", {path.name: path.read_bytes() for path in tmp_path.iterdir()})
    then_print = ["sh", "-c", '"$@" >&2 && python -c "$0"', PRINT_GRADES, *command]
    ended = run(_pod(image("grade"), then_print, data), labels())
    assert ended.succeeded, ended
    lines = [json.loads(line) for line in ended.log.splitlines() if line.startswith('["')]
    assert {(problem, attempt): outcome for problem, attempt, outcome, _ in lines} == {
        key: outcome for key, (_, outcome) in texts.items()
    }
    assert {isolation for *_, isolation in lines} == {"landlock, container"}


@pytest.mark.parametrize("pod", [_pod, _open_pod], ids=["locked", "with a token and the network"])
def test_no_program_breaks_out_of_the_pod(
    pod: Any, cluster: Any, namespace: str, image: Callable[[str], str], files: Any, run: Any
) -> None:
    if pod is _pod:
        cluster.networking.create_namespaced_network_policy(namespace, network_policy())
    data = files("data", {path.name: path.read_bytes() for path in [*ATTACKS, HERE / "siege.py"]})
    ended = run(pod(image("grade"), ["python", "/data/siege.py"], data), labels())
    assert ended.succeeded, ended
    found = ended.printed
    assert len(found["grades"]) == 2 * len(ATTACKS)
    assert [each for each in found["grades"] if (each["outcome"], each["next"]) != ("incorrect", "correct")] == []
    # An attack of this folder ran to its end, refused everything: one with a fault in it would say another reason.
    own = {path.stem for path in HERE.joinpath("attacks").glob("*.txt")}
    assert {each["reason"] for each in found["grades"] if each["attack"] in own} == {"a test failed"}
    assert found["left"] == []
    assert found["isolation"] == ["landlock, container"]
    allowed = found["pod"]
    assert allowed.pop("api") or pod is _pod, "the pod reaches the API server, the programs in it did not"
    assert allowed == {
        "user": 65532,
        "capabilities": 0,
        "no_new_privileges": True,
        "seccomp": True,
        "token": pod is _open_pod,  # there to be read, and no program has read it
        "writes_root": False,
        "writes_library": False,
        "writes_scratch": True,
    }


@pytest.fixture
def runtime_class() -> Iterator[str]:
    """A runtime class whose handler is the one that every containerd has, in the place of gVisor's."""
    name = f"ratchet-test-{uuid.uuid4().hex[:8]}"
    node = client.NodeV1Api()
    node.create_runtime_class({"metadata": {"name": name}, "handler": "runc"})
    yield name
    node.delete_runtime_class(name)


def test_the_runtime_class_that_is_asked_for_is_the_one_that_runs_the_pod(
    cluster: Any, namespace: str, image: Callable[[str], str], run: Any, runtime_class: str
) -> None:
    container = {"name": "grade", "image": image("grade"), "command": ["true"]}
    ended = run(locked_pod(container, runtime_class=runtime_class), labels())
    assert ended.succeeded, ended
    ran = cluster.core.list_namespaced_pod(namespace).items
    assert [pod.spec.runtime_class_name for pod in ran] == [runtime_class]
    refused = {"metadata": {"name": "p"}, "spec": locked_pod(container, runtime_class="none-of-this-name")}
    with pytest.raises(client.ApiException, match="none-of-this-name"):
        cluster.core.create_namespaced_pod(namespace, refused)


def _problem(name: str, prompt: str, solution: str, test: str) -> Problem:
    return Problem(
        id=name,
        suite="pod",
        prompt=prompt,
        answer="",
        kind="code",
        tests=f"def check(candidate):\n    {test}\n",
        entry_point=name,
        solution=solution,
    )
