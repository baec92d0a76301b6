"""Where a step's pod runs and what it gets: resources, nodes, the workspace's volume, secrets, retries, a time limit.

All of it is in the run's parameters, so that one compiled pipeline serves every cluster. A run on this machine
(kfp.local) passes over it.
"""

from collections.abc import Mapping
from typing import Any, Literal

from ratchet.images import SCRATCH, USER
from ratchet_pipelines.hardening import SCRATCH_SIZE, locked

Work = Literal["train", "sample", "grade", "small"]

WORKSPACE = "/workspace"
SHARED_MEMORY = "/dev/shm"
STEP_LABEL = "ratchet/step"  # what network policies tell the kinds of work apart by
ACCELERATOR = "nvidia.com/gpu"
DAY_S = 24 * 3600
TIME_LIMIT_S: Mapping[Work, int] = {"train": 3 * DAY_S, "sample": DAY_S, "grade": DAY_S, "small": DAY_S // 4}
MLFLOW_KEYS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
S3_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
SIGNING_KEYS = ("RATCHET_SIGNING_KEY", "RATCHET_VERIFY_KEY")


def placed(task: Any, work: Work, settings: Mapping[str, Any]) -> Any:
    """The task with the pod that the run's parameters ask for, for that kind of work.

    Retries are for what the cluster does to a pod (a node that is lost, an eviction): Kubeflow does not retry a step
    that fails by itself, and a step that is started again goes on where it was.
    """
    from kfp import kubernetes

    kubernetes.mount_pvc(task, settings["cluster_claim"], WORKSPACE)
    kubernetes.set_timeout(task, TIME_LIMIT_S[work])
    task.set_retry(3, backoff_duration="30s", backoff_factor=2.0, backoff_max_duration="600s")
    _limited(task, settings[f"{work}_cpu"], settings[f"{work}_memory"])
    if work in ("train", "sample"):
        _on_accelerators(task, work, settings)
    kubernetes.add_pod_label(task, STEP_LABEL, work)
    if work == "grade":
        return locked(task)
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    return kubernetes.empty_dir_mount(task, "scratch", SCRATCH, size_limit=SCRATCH_SIZE)


def with_secret(task: Any, secret: Any, keys: tuple[str, ...]) -> Any:
    """The task with those keys of a secret as environment; a secret that is not there leaves them unset."""
    from kfp import kubernetes

    return kubernetes.use_secret_as_env(task, secret, {key: key for key in keys}, optional=True)


def _on_accelerators(task: Any, work: str, settings: Mapping[str, Any]) -> None:
    """Accelerators, the nodes that have them, and memory that processes share: a container's own 64 MiB fail NCCL."""
    from kfp import kubernetes

    task.set_accelerator_type(ACCELERATOR).set_accelerator_limit(settings[f"{work}_gpus"])
    task.register_pipeline_channels([settings[f"{work}_gpus"]])
    kubernetes.add_node_selector_json(task, settings["cluster_node_selector"])
    kubernetes.add_toleration_json(task, settings["cluster_tolerations"])
    kubernetes.empty_dir_mount(task, "memory", SHARED_MEMORY, medium="Memory")


def _limited(task: Any, cpu: Any, memory: Any) -> None:
    task.set_cpu_limit(cpu).set_memory_limit(memory)
    # kfp 2.17 forgets to hand what a resource is set by into the conditions that the task is in, unless it is told.
    task.register_pipeline_channels([cpu, memory])
