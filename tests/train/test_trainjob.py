"""The TrainJob is made like the step's own pod; what is wrong with what a run asks for is said before anything runs."""

from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import InputError
from ratchet.train import SFT
from ratchet.train.nodes import train_command
from ratchet.train.trainjob import Asked, asked, job_name, manifest, mounted

OUT = Path("/workspace/run-7/round-2/train")
GPU = "nvidia.com/gpu"


def own_pod(**container: Any) -> dict[str, Any]:
    """The pod of a step as Kubeflow makes it: the launcher's container beside the step's, tolerations of every pod."""
    step = {
        "name": "main",
        "image": "registry.example/ratchet-python-train:1",
        "resources": {"limits": {"cpu": "8", "memory": "64Gi", GPU: "4"}, "requests": {"cpu": "2"}},
        "volumeMounts": [
            {"name": "launcher", "mountPath": "/kfp-launcher"},
            {"name": "ws", "mountPath": "/workspace", "subPath": "team", "readOnly": False},
        ],
    }
    kept_by_kubernetes = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
    return {
        "metadata": {
            "name": "run-7-train",
            "ownerReferences": [
                {
                    "apiVersion": "argoproj.io/v1alpha1",
                    "kind": "Workflow",
                    "name": "run-7",
                    "uid": "u",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "serviceAccountName": "pipeline-runner",
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [kept_by_kubernetes, {"key": GPU, "operator": "Exists"}],
            "containers": [{"name": "wait", "image": "argoexec"}, step | container],
            "volumes": [
                {"name": "launcher", "emptyDir": {}},
                {"name": "ws", "persistentVolumeClaim": {"claimName": "ratchet-workspace"}},
            ],
        },
    }


def _made(pod: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    return manifest("ratchet-x", ["ratchet", "train"], OUT, 3, asked(said), pod or own_pod())


def test_each_node_is_like_the_pod_of_the_step() -> None:
    made = _made()
    assert (made["apiVersion"], made["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    assert made["spec"]["runtimeRef"] == {
        "apiGroup": "trainer.kubeflow.org",
        "kind": "ClusterTrainingRuntime",
        "name": "torch-distributed",
    }
    trainer = made["spec"]["trainer"]
    assert (trainer["image"], trainer["numNodes"], trainer["numProcPerNode"]) == (
        "registry.example/ratchet-python-train:1",
        3,
        4,
    )
    (override,) = made["spec"]["podSpecOverrides"]
    assert override["targetJobs"] == [{"name": "node"}]
    assert override["nodeSelector"] == {"pool": "gpu"}
    assert override["tolerations"] == [{"key": GPU, "operator": "Exists"}]
    assert "serviceAccountName" not in override  # the runner's rights are not the nodes'
    assert override["volumes"][0] == {"name": "ws", "persistentVolumeClaim": {"claimName": "ratchet-workspace"}}
    (node,) = override["containers"]
    assert node["volumeMounts"][0] == {"name": "ws", "mountPath": "/workspace", "subPath": "team"}
    assert {mount["mountPath"] for mount in node["volumeMounts"]} == {"/workspace", "/tmp", "/dev/shm"}
    assert "env" not in node  # Trainer refuses it there


def test_the_workflow_owns_the_job_without_controlling_it() -> None:
    (owner,) = _made()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == ("Workflow", False, False)


def test_accelerators_stand_in_requests_as_in_limits() -> None:
    assert _made()["spec"]["trainer"]["resourcesPerNode"] == {
        "limits": {"cpu": "8", "memory": "64Gi", GPU: "4"},
        "requests": {"cpu": "2", "memory": "64Gi", GPU: "4"},
    }


def test_a_run_can_ask_for_other_nodes_than_the_pod_of_the_step_that_waits() -> None:
    pod = own_pod(resources={"limits": {"cpu": "1", "memory": "1Gi"}})
    said = {"gpus": "8", "cpu": "32", "memory": "500Gi", "service_account": "puller", "env": {"NCCL_DEBUG": "INFO"}}
    made = _made(pod, runtime="torch", runtime_kind="TrainingRuntime", **said)["spec"]
    wanted = {"cpu": "32", "memory": "500Gi", GPU: "8"}
    assert made["trainer"]["resourcesPerNode"] == {"limits": wanted, "requests": wanted}
    assert made["trainer"]["numProcPerNode"] == 8
    assert {one["name"]: one["value"] for one in made["trainer"]["env"]} == {
        "OMP_NUM_THREADS": "4",  # 32 processors for 8 processes
        "NCCL_DEBUG": "INFO",
    }
    assert made["podSpecOverrides"][0]["serviceAccountName"] == "puller"
    assert (made["runtimeRef"]["kind"], made["runtimeRef"]["name"]) == ("TrainingRuntime", "torch")


def test_without_accelerators_a_node_has_one_process() -> None:
    trainer = _made(gpus="0")["spec"]["trainer"]
    assert trainer["numProcPerNode"] == 1
    assert GPU not in str(trainer["resourcesPerNode"])


@pytest.mark.parametrize(("cpu", "threads"), [("8", "2"), ("6500m", "1"), ("500m", "1"), ("31.5", "7")])
def test_the_processes_of_a_node_share_its_processors(cpu: str, threads: str) -> None:
    assert _made(cpu=cpu)["spec"]["trainer"]["env"] == [{"name": "OMP_NUM_THREADS", "value": threads}]  # of 4


def test_the_same_wish_has_the_same_digest_and_another_one_another() -> None:
    digests = [one["metadata"]["annotations"]["ratchet/made-from"] for one in (_made(), _made(), _made(gpus="2"))]
    assert digests[0] == digests[1] != digests[2]


def test_the_name_is_that_of_the_result_and_short_enough_for_its_pods() -> None:
    name = job_name(OUT)
    assert name == job_name(OUT) != job_name(Path("/workspace/run-8/round-2/train"))
    assert name.startswith("ratchet-round-2-")
    long = job_name(Path("/workspace/r/Stage_with a very long name, 1234567890/train"))
    # RFC 1035, as Trainer's webhook asks; NAME-node-0-0-xxxxx must not pass 63 characters
    assert long.replace("-", "").isalnum() and long.islower() and len(long) <= 40


def test_the_command_is_the_verb_with_all_settings() -> None:
    settings = SFT(epochs=2, batch_size=8, learning_rate=1e-5, max_length=99, seed=3)
    words = train_command(Path("/w/m0"), Path("/w/e.parquet"), OUT, settings)
    assert words == [
        "ratchet",
        "train",
        "--checkpoint=/w/m0",
        "--examples=/w/e.parquet",
        f"--out={OUT}",
        "--epochs=2",
        "--batch-size=8",
        "--learning-rate=1e-05",
        "--max-length=99",
        "--seed=3",
    ]
    defaults = SFT(1, 1, 1.0)
    assert (settings.warmup, settings.save_steps) == (defaults.warmup, defaults.save_steps)  # the verb has no option


def test_a_workspace_that_other_pods_cannot_mount_is_refused() -> None:
    with pytest.raises(InputError, match="/tmp/run: not on a volume claim of this pod; expected a workspace"):
        mounted(own_pod(), Path("/tmp/run"))
    with pytest.raises(InputError, match="/kfp-launcher/run: not on a volume claim"):
        mounted(own_pod(), Path("/kfp-launcher/run"))


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"gpu": "1"}, "train_job: gpu = '1'"),
        ({"gpus": 8}, "train_job: gpus = 8"),
        ({"runtime_kind": "Deployment"}, "train_job: runtime_kind = 'Deployment'"),
        ({"limit_s": 0}, "train_job: limit_s = 0"),
    ],
)
def test_settings_that_are_unknown_or_ill_typed_are_refused_by_name(said: dict[str, Any], found: str) -> None:
    with pytest.raises(InputError) as error:
        asked(said)
    assert str(error.value).startswith(found)
    assert "expected one of runtime, runtime_kind, gpus" in str(error.value)


def test_the_job_ends_before_the_step_that_waits_for_it() -> None:
    from ratchet_pipelines.placement import TIME_LIMIT_S

    assert Asked().limit_s + 1800 <= TIME_LIMIT_S["train"]
