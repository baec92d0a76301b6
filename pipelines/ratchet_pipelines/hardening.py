"""Locked pods: what a pod that handles a model's programs may have, and how much of it a pipeline can say itself.

`locked` says it of a pipeline's task, as far as Kubeflow Pipelines can express it. `locked_pod` and `network_policy`
say all of it, for pods that are made without Kubeflow Pipelines. None of this is what keeps a graded program in: that
is the sandbox (docs/sandbox.md), which holds in a pod that has none of it. This is the wall behind.
"""

from collections.abc import Mapping
from typing import Any

from ratchet.images import SCRATCH, USER

LABEL = "ratchet/locked"  # what network policies and admission policies select these pods by
SCRATCH_SIZE = "4Gi"


def locked(task: Any, scratch_size: str = SCRATCH_SIZE) -> Any:
    """The task, its pod labelled as locked, with a numeric user that is not root and a folder to write to.

    Kubeflow Pipelines itself drops all capabilities, refuses more privileges and sets the runtime's seccomp profile. It
    has no say in a read-only root, a runtime class or the network: those are for policies that select the label. A
    service-account token its pods must have: the launcher, which starts the step, reads its settings from the API
    server, and it fetches the artifacts from the object store.
    """
    from kfp import kubernetes

    kubernetes.add_pod_label(task, LABEL, "true")
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    return kubernetes.empty_dir_mount(task, "scratch", SCRATCH, size_limit=scratch_size)


def locked_pod(
    container: Mapping[str, Any],
    volumes: list[dict[str, Any]] | None = None,
    runtime_class: str | None = None,
    scratch_size: str = SCRATCH_SIZE,
) -> dict[str, Any]:
    """The specification of a pod with this one container, locked. It belongs under a template with `labels()`.

    No token of a service account, none of the cluster's addresses in the environment, a numeric user that is not root,
    a read-only root with one folder to write to, no capabilities, no way to more privileges, the runtime's seccomp
    profile. It passes the Pod Security Standard `restricted`. `runtime_class` may name gVisor's.
    """
    mounts = [*container.get("volumeMounts", []), {"name": "scratch", "mountPath": SCRATCH}]
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{**container, "volumeMounts": mounts, "securityContext": _container_security()}],
        "volumes": [*(volumes or []), {"name": "scratch", "emptyDir": {"sizeLimit": scratch_size}}],
    }
    return spec if runtime_class is None else {**spec, "runtimeClassName": runtime_class}


def labels() -> dict[str, str]:
    """What a locked pod is labelled with."""
    return {LABEL: "true"}


def network_policy(name: str = "ratchet-locked") -> dict[str, Any]:
    """A network policy that lets nothing into a locked pod and nothing out of it, name look-ups included.

    For pods of `locked_pod`, which get their files through volumes. A step of Kubeflow Pipelines can't run under it:
    its launcher talks to the API server and to the object store.
    """
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {"matchLabels": labels()}, "policyTypes": ["Ingress", "Egress"]},
    }


def _container_security() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
    }
