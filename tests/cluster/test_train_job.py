"""Training over several nodes on a real cluster: TrainJobs that the API server checks, torchrun over two pods.

The definitions of Kubeflow Trainer are there (testcluster trainer), its controller is not: its part is played.
"""

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from tests.cluster.access import Cluster, names, until
from tests.cluster.trainer import GROUP, PLURAL, VERSION, playing
from tests.train.test_trainjob import GPU, own_pod

from ratchet.errors import InputError
from ratchet.train.follow import Api, followed
from ratchet.train.trainjob import Asked, manifest
from ratchet_pipelines.hardening import locked_pod

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

WORKSPACE = {"name": "workspace", "mountPath": "/workspace"}
LIMITS = {"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "100m", "memory": "256Mi"}}
SHORT = "SFT(epochs=2, batch_size=7, learning_rate=3e-3, max_length=128, save_steps=4)"
LONG = "SFT(epochs=60, batch_size=7, learning_rate=1e-3, max_length=128, save_steps=10)"
PREPARE = """
from pathlib import Path
from ratchet.quickstart.model import make_model
from ratchet.quickstart.problems import generate
from ratchet.records import Problem
from ratchet.select import select_solutions
from ratchet.storage import write_records
given = Path("/workspace/given")
given.mkdir()
write_records(given / "problems.parquet", generate(seed=1, train=60, evaluate=1, ood=1), Problem)
make_model(given / "problems.parquet", given / "m0", seed=1)
select_solutions(given / "problems.parquet", given / "e")
"""
ALONE = f"""
from ratchet.train import SFT, train_sft
train_sft(given / "m0", given / "e" / "examples.parquet", Path("/workspace/alone"), {SHORT})
"""
# The step, its examples outside the workspace as Kubeflow hands them to it.
STEP = """
import shutil
from pathlib import Path
from ratchet.train import SFT, trained_on
shutil.copy("/workspace/given/e/examples.parquet", "/tmp/examples.parquet")
job = {"runtime": RUNTIME, "runtime_kind": "TrainingRuntime", "env": {"OMP_NUM_THREADS": "1"}}
out = Path("/workspace/run/round-2/train")
trained_on(Path("/workspace/given/m0"), Path("/tmp/examples.parquet"), out, SETTINGS, 2, job)
"""
COMPARE = """
import json
from pathlib import Path
from safetensors.torch import load_file
load = lambda folder: load_file(f"/workspace/{folder}/model.safetensors")
apart = lambda one, other: max(float((one[name] - other[name]).abs().max()) for name in one)
alone, together, before = load("alone"), load("run/round-2/train"), load("given/m0")
files = sorted(path.name for path in Path("/workspace/run/round-2").iterdir() if not path.name.startswith("."))
print(json.dumps({"apart": apart(alone, together), "moved": apart(before, together), "files": files}))
"""


def _wished(pod: dict[str, Any]) -> dict[str, Any]:
    wanted = Asked(runtime="demo-ratchet-train", runtime_kind="TrainingRuntime")
    return manifest("ratchet-x", ["ratchet", "train"], Path("/workspace/run/train"), 2, wanted, pod)


def _jobs(namespace: str) -> list[Any]:
    return list(client.CustomObjectsApi().list_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL)["items"])


def test_the_api_server_takes_the_train_job_and_the_runtime_whole(
    definitions: None, namespace: str, runtime: dict[str, Any]
) -> None:
    wished = _wished(own_pod())
    made = {**runtime, "metadata": {"name": runtime["metadata"]["name"]}}
    for plural, body in ((PLURAL, wished), ("trainingruntimes", made)):
        api = client.CustomObjectsApi()
        strict = {"dry_run": "All", "field_validation": "Strict"}
        taken = api.create_namespaced_custom_object(GROUP, VERSION, namespace, plural, body, **strict)
        assert _holds(taken["spec"], body["spec"]), taken
    wrong = {**wished, "spec": {**wished["spec"], "nodes": 2}}
    with pytest.raises(client.ApiException, match=r'unknown field \\"spec.nodes'):
        client.CustomObjectsApi().create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, wrong, **strict)


def _holds(found: Any, wished: Any) -> bool:
    """Whether all that was wished is there; the API server may add defaults."""
    if isinstance(wished, dict):
        return all(key in found and _holds(found[key], value) for key, value in wished.items())
    if isinstance(wished, list):
        return len(found) == len(wished) and all(_holds(one, other) for one, other in zip(found, wished, strict=True))
    return bool(found == wished)


def _stripped(runtime: dict[str, Any]) -> dict[str, Any]:
    """The runtime as the one that comes with Trainer: nothing is locked down."""
    bare: dict[str, Any] = json.loads(json.dumps(runtime))
    spec = bare["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    del spec["securityContext"], spec["containers"][0]["securityContext"]
    return bare


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("no accelerators", "Unschedulable: 0/1 nodes are available: .*Insufficient nvidia.com/gpu"),
        ("no image", "ratchet-x-node-0-0-.*(ErrImagePull|ImagePullBackOff)"),
        ("pods that are refused", "FailedCreate: .*violates PodSecurity"),
    ],
)
def test_a_job_that_cannot_start_is_told_in_the_cluster_s_words_and_removed(
    definitions: None,
    cluster: Cluster,
    namespace: str,
    claim: dict[str, Any],
    runtime: dict[str, Any],
    case: str,
    said: str,
) -> None:
    pod = own_pod(image="registry.invalid/none:1", resources=LIMITS)
    pod["spec"]["nodeSelector"] = {}
    if case == "no accelerators":
        pod["spec"]["containers"][1]["resources"] = {"limits": {**LIMITS["limits"], GPU: "64"}}
    made_from = _stripped(runtime) if case == "pods that are refused" else runtime
    api = Api(client.ApiClient(), namespace)
    del pod["metadata"]["ownerReferences"]  # there is no such workflow: the job would be collected with it
    with playing(cluster, namespace, made_from), pytest.raises(InputError, match=said) as error:
        followed(api, _wished(pod), start_limit_s=20, limit_s=60, poll_s=0.5)
    assert "TrainJob ratchet-x has nodes that did not run for 20 s" in str(error.value)
    assert _jobs(namespace) == []
    until(lambda: not cluster.batch.list_namespaced_job(namespace).items, 60, "the end of what the TrainJob owned")


@pytest.fixture
def work(
    definitions: None,
    cluster: Cluster,
    namespace: str,
    claim: dict[str, Any],
    runtime: dict[str, Any],
    account: str,
    image: Callable[[str], str],
    run: Any,
) -> Callable[[str], Any]:
    """Runs a program in a pod of the image `train` with the workspace; with settings as the step, with its rights."""

    def worked(program: str, settings: str = "") -> Any:
        container = {
            "name": "main",
            "image": image("train"),
            "command": ["python", "-c", program.replace("SETTINGS", settings).replace("RUNTIME", repr(_name(runtime)))],
            "resources": LIMITS,
            "env": [{"name": "KFP_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "volumeMounts": [WORKSPACE],
        }
        pod = locked_pod(container, [claim])
        if settings:
            pod.update(serviceAccountName=account, automountServiceAccountToken=True)
        with playing(cluster, namespace, runtime):
            ended = run(pod, limit_s=900)
        assert ended.succeeded, ended
        return ended

    return worked


def _name(runtime: dict[str, Any]) -> str:
    return str(runtime["metadata"]["name"])


def _told(ended: Any) -> list[str]:
    return [line for line in ended.log.splitlines() if line.startswith("TrainJob ")]


def test_two_nodes_end_where_one_does_and_the_step_leaves_no_job_behind(
    cluster: Cluster, namespace: str, work: Any
) -> None:
    work(PREPARE + ALONE)
    ended = work(STEP, SHORT)
    assert _told(ended)[-2:] == ["TrainJob working", "TrainJob complete"], ended
    assert _jobs(namespace) == []
    until(lambda: not _nodes(cluster, namespace), 60, "the end of the nodes")
    found = work(COMPARE).printed
    print(found)
    assert found["apart"] < 1e-5
    assert found["moved"] > 1e-2
    assert found["files"] == ["train"]  # neither half-done work nor copies of what was given


def _nodes(cluster: Cluster, namespace: str) -> list[str]:
    return [name for name in names(cluster.core.list_namespaced_pod(namespace)) if "-node-0-" in name]


def test_a_node_that_is_lost_at_work_starts_again_and_all_go_on(cluster: Cluster, namespace: str, work: Any) -> None:
    work(PREPARE)
    lost: list[str] = []
    killer = threading.Thread(target=_lose_one, args=(cluster, namespace, lost), daemon=True)
    killer.start()
    ended = work(STEP, LONG)
    assert lost, "a node was to be lost before the end"
    told = _told(ended)
    assert told.count("TrainJob working") > 1, ended
    assert told[-1] == "TrainJob complete"


def _lose_one(cluster: Cluster, namespace: str, lost: list[str]) -> None:
    """Delete the second node's pod, once a training state is written."""

    def saved() -> bool:
        nodes = [name for name in _nodes(cluster, namespace) if "-node-0-1-" in name]
        words = [
            "exec",
            "-n",
            namespace,
            *nodes,
            "--",
            "sh",
            "-c",
            "ls -d /workspace/run/round-2/*/training/*/trainer*",
        ]
        found = subprocess.run(["kubectl", *words], capture_output=True, text=True, timeout=60, check=False).stdout
        lost[:] = nodes if found else []
        return bool(lost)

    until(saved, 600, "a training state")
    cluster.core.delete_namespaced_pod(lost[0], namespace, grace_period_seconds=0)
