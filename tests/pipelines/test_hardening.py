"""What a locked pod is, and what of it reaches the compiled pipeline."""

from pathlib import Path

import pytest
import yaml

from ratchet_pipelines.hardening import labels, locked, locked_pod, network_policy


def test_a_locked_task_says_in_the_compiled_pipeline_what_kubeflow_can_express(tmp_path: Path) -> None:
    pytest.importorskip("kfp.kubernetes", reason="needs the package kfp-kubernetes")
    from kfp import compiler, dsl

    @dsl.container_component
    def step() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image="image:1", command=["true"])

    @dsl.pipeline(name="one-step")
    def pipeline() -> None:
        locked(step(), scratch_size="2Gi")

    compiler.Compiler().compile(pipeline, str(tmp_path / "p.yaml"))
    _, platform = yaml.safe_load_all((tmp_path / "p.yaml").read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors["exec-step"] == {
        "podMetadata": {"labels": {"ratchet/locked": "true"}},
        "securityContext": {"runAsUser": "65532", "runAsGroup": "65532", "runAsNonRoot": True},
        "emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/tmp", "sizeLimit": "2Gi"}],
    }


def test_a_locked_pod_keeps_what_its_container_mounts() -> None:
    mount = {"name": "data", "mountPath": "/data"}
    volume = {"name": "data", "configMap": {"name": "data"}}
    pod = locked_pod({"name": "c", "image": "image:1", "volumeMounts": [mount]}, [volume], scratch_size="1Gi")
    scratch = {"name": "scratch", "mountPath": "/tmp"}
    assert pod["containers"][0]["volumeMounts"] == [mount, scratch]
    assert pod["volumes"] == [volume, {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}}]


def test_a_locked_pod_has_no_token_no_capability_no_root_and_nothing_to_write_but_its_scratch_folder() -> None:
    pod = locked_pod({"name": "c", "image": "image:1"})
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
    }


def test_a_container_cannot_say_less_of_its_own_security() -> None:
    pod = locked_pod({"name": "c", "image": "image:1", "securityContext": {"privileged": True}})
    assert pod["containers"][0]["securityContext"]["privileged"] is False


def test_the_runtime_class_is_set_where_one_is_named() -> None:
    container = {"name": "c", "image": "image:1"}
    assert locked_pod(container, runtime_class="gvisor")["runtimeClassName"] == "gvisor"
    assert "runtimeClassName" not in locked_pod(container)


def test_the_network_policy_selects_locked_pods_and_allows_nothing() -> None:
    spec = network_policy()["spec"]
    assert spec["podSelector"] == {"matchLabels": labels()}
    # A direction that is named and has no rules allows nothing.
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert not {"ingress", "egress"} & set(spec)
