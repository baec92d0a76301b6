"""What helm makes of the chart: locked-down pods, few rights, secrets by name."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.charts.rendered import (
    CHART,
    MINIMAL,
    SCENARIOS,
    helm,
    named,
    objects,
    of_kind,
    pods,
    scenario,
    templated,
)

from ratchet.images import USER
from ratchet_pipelines.placement import MLFLOW_KEYS

LOOP, MULTI, CLOSED = (CHART / "ci" / f"{name}-values.yaml" for name in ("loop", "multi-user", "closed"))
every_scenario = pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)


@every_scenario
def test_helm_has_nothing_to_say_against_the_chart(path: Path) -> None:
    command = [helm(), "lint", "--strict", "--quiet", f"--values={path}", str(CHART)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


@every_scenario
def test_every_pod_passes_the_restricted_standard_with_a_read_only_root(path: Path) -> None:
    for name, pod in pods(scenario(path)):
        whole = pod["spec"]["securityContext"]
        assert (whole["runAsNonRoot"], whole["runAsUser"], whole["runAsGroup"]) == (True, USER, USER), name
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            own = container["securityContext"]
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert not own["allowPrivilegeEscalation"], name
            assert own["readOnlyRootFilesystem"], name
            assert {"name": "scratch", "mountPath": "/tmp"} in container["volumeMounts"], name
            assert set(container["resources"]) == {"requests", "limits"}, name


@every_scenario
def test_no_pod_of_the_chart_has_a_token_of_the_kubernetes_api(path: Path) -> None:
    for name, pod in pods(scenario(path)):
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        assert pod["spec"]["enableServiceLinks"] is False, name
        projected = [volume["projected"] for volume in pod["spec"]["volumes"] if "projected" in volume]
        tokens = [source["serviceAccountToken"] for one in projected for source in one["sources"]]
        assert all(token["audience"] == "pipelines.kubeflow.org" for token in tokens), name


@every_scenario
def test_no_role_has_a_wildcard_or_reads_a_secret_that_it_does_not_name_or_reaches_beyond_the_namespace(
    path: Path,
) -> None:
    some = scenario(path)
    assert not {one["kind"] for one in some} & {"ClusterRole", "ClusterRoleBinding", "Namespace", "Secret"}
    assert all(one["metadata"]["namespace"] == "team" for one in some)
    for role in of_kind(some, "Role"):
        for rule in role["rules"]:
            assert not any("*" in value for values in rule.values() for value in values)
            assert not {"create", "update", "patch"} & set(rule["verbs"]) or "secrets" not in rule["resources"]
            assert "pods/exec" not in rule["resources"]
            if {"secrets", "configmaps"} & set(rule["resources"]):
                assert rule["resourceNames"], role["metadata"]["name"]


def test_the_rights_of_runs_grow_only_with_what_is_turned_on() -> None:
    def rights(path: Path) -> set[str]:
        rules = named(scenario(path), "Role", "-pipelines")["rules"]
        return {resource for rule in rules for resource in rule["resources"]}

    least = {"workflowtaskresults", "configmaps", "secrets"}
    assert rights(MINIMAL) == least
    assert rights(CLOSED) - least == {"persistentvolumeclaims", "pods", "pods/log", "events", "trainjobs"}


def test_the_launcher_may_read_the_secret_that_its_configuration_names() -> None:
    some = scenario(CLOSED)
    provider = yaml.safe_load(named(some, "ConfigMap", "kfp-launcher")["data"]["providers"])["s3"]["default"]
    assert (provider["endpoint"], provider["disableSSL"]) == ("s3.example", False)
    rules = named(some, "Role", "-pipelines")["rules"]
    (names,) = [rule["resourceNames"] for rule in rules if "secrets" in rule["resources"]]
    assert names == [provider["credentials"]["secretRef"]["secretName"]] == ["s3-credentials"]


@every_scenario
def test_every_object_has_the_labels_of_the_conventions_and_selectors_find_their_pods(path: Path) -> None:
    some = scenario(path)
    for one in some:
        kept = {key.partition("/")[2] for key in one["metadata"]["labels"] if key.startswith("app.kubernetes.io/")}
        assert kept == {"name", "instance", "component", "version", "part-of", "managed-by"}, one["metadata"]["name"]
    found = [pod["metadata"]["labels"] for _, pod in pods(some)]
    for service in of_kind(some, "Service"):
        selected = [labels for labels in found if service["spec"]["selector"].items() <= labels.items()]
        names = [labels["app.kubernetes.io/component"] for labels in selected]
        assert names == [service["metadata"]["labels"]["app.kubernetes.io/component"]]
    for deployment in of_kind(some, "Deployment"):
        wanted = deployment["spec"]["selector"]["matchLabels"]
        assert sum(wanted.items() <= labels.items() for labels in found) == 1


@every_scenario
def test_service_accounts_that_are_named_are_made_or_said_to_be_there(path: Path) -> None:
    some = scenario(path)
    made = {one["metadata"]["name"] for one in of_kind(some, "ServiceAccount")}
    used = {pod["spec"]["serviceAccountName"] for _, pod in pods(some)}
    bound = {subject["name"] for one in of_kind(some, "RoleBinding") for subject in one["subjects"]}
    assert (used | bound) - made <= {"default-editor"}  # the profile's own, which multi-user-values.yaml names


def test_secrets_are_names_and_come_into_a_pod_key_by_key() -> None:
    for path in SCENARIOS:
        for name, pod in pods(scenario(path)):
            for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
                assert all("secretRef" not in source for source in container.get("envFrom", [])), name
    (container,) = named(scenario(LOOP), "CronJob", "-reconcile")["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ]
    keys = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"]}
    assert set(keys) == {*MLFLOW_KEYS, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert all(name == reference["key"] for name, reference in keys.items())
    assert "RATCHET_SIGNING_KEY" not in str(scenario(LOOP))  # what signs is for the gate's step alone


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"mlflow": {"trackingUri": ""}}, "mlflow.trackingUri is empty; expected the URL"),
        ({"image": {"tag": "latest"}}, "image.tag is latest; expected a fixed tag"),
        ({"networkPolicies": {"kubernetesApi": {"cidrs": []}}}, "networkPolicies.kubernetesApi.cidrs is empty"),
        ({"networkPolicies": {"mlflow": {"peers": []}}}, "networkPolicies.mlflow.peers is empty"),
        ({"schedule": {"enabled": True}}, "expected one of them"),
        ({"schedule": {"enabled": True, "cron": "0 0 3 * * 0", "every": 60}}, "expected one of them"),
        ({"schedule": {"enabled": True, "cron": "0 3 * * 0"}}, "expected six fields"),
        ({"reconcile": {"enabled": True}}, "reconcile.models is empty"),
        ({"reconcile": {"enabled": True, "models": ["m"]}}, "verdicts.publicKeys is empty"),
        (
            {"reconcile": {"models": ["m"], "listener": {"enabled": True}}, "verdicts": {"publicKeys": ["k"]}},
            "reconcile.listener.existingSecret is empty",
        ),
        ({"pipelines": {"launcherConfig": {"create": True}}}, "pipelines.launcherConfig.pipelineRoot is empty"),
        ({"imag": {}}, "'imag'"),
    ],
)
def test_values_that_cannot_work_are_refused_with_what_was_expected(
    values: dict[str, Any], said: str, tmp_path: Path
) -> None:
    ended = templated(MINIMAL, values, folder=tmp_path)
    assert ended.returncode != 0
    assert said in ended.stderr


def test_everything_optional_can_be_off() -> None:
    kinds = [one["kind"] for one in scenario(CHART / "ci" / "open-values.yaml")]
    assert sorted(kinds) == ["ConfigMap", "Role", "RoleBinding", "ServiceAccount"]


def test_the_workspace_stays_when_the_release_goes_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    claim = named(scenario(LOOP), "PersistentVolumeClaim", "-workspace")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"]["storageClassName"] == "shared"
    other = named(
        objects(MINIMAL, {"workspace": {"keep": False}}, folder=tmp_path), "PersistentVolumeClaim", "-workspace"
    )
    assert "annotations" not in other["metadata"]
    assert of_kind(scenario(MULTI), "PersistentVolumeClaim") == []


def test_the_workspaces_job_mounts_the_claim_with_the_steps_group_and_needs_nobodys_rights(tmp_path: Path) -> None:
    made_here = named(scenario(LOOP), "PersistentVolumeClaim", "-workspace")["metadata"]["name"]
    for path, claim in ((LOOP, made_here), (MULTI, "team-a-checkpoints")):
        (pod,) = [one["spec"] for name, one in pods(scenario(path)) if name.endswith("-workspace-1")]
        assert (pod["securityContext"]["fsGroup"], pod["securityContext"]["runAsGroup"]) == (USER, USER)
        assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
        assert {"name": "workspace", "persistentVolumeClaim": {"claimName": claim}} in pod["volumes"]
        assert pod["serviceAccountName"] not in str(of_kind(scenario(path), "RoleBinding"))
    for over in ({"prepare": {"enabled": False}}, {"create": False, "existingClaim": ""}):
        made = objects(MINIMAL, {"workspace": over}, folder=tmp_path)
        assert not [name for name, _ in pods(made) if "workspace" in name]


def test_what_all_pods_are_given_is_given_to_all_pods() -> None:
    found = list(pods(scenario(MULTI)))
    assert [name.partition("/")[0] for name, _ in found] == ["Deployment", "Deployment", "Job", "Job"]
    for name, pod in found:
        spec = pod["spec"]
        assert spec["imagePullSecrets"] == [{"name": "registry-credentials"}], name
        assert spec["priorityClassName"] == "batch", name
        assert spec["nodeSelector"] == {"kubernetes.io/arch": "amd64"}, name
        assert [one["key"] for one in spec["tolerations"]] == ["dedicated"], name
        assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false", name
        assert pod["metadata"]["annotations"]["example.org/cost-centre"] == "team-a", name
        for container in spec["containers"] + spec.get("initContainers", []):
            which, digit = ("dashboard", "1") if name.endswith("-dashboard") else ("base", "0")
            image = f"registry.example/team-a/ratchet-mlops/ratchet-python-{which}@sha256:{64 * digit}"
            assert container["image"] == image, name


def test_a_listener_starts_anew_when_its_configuration_changes(tmp_path: Path) -> None:
    def checksum(*values: Any) -> str:
        pod = named(objects(MULTI, *values, folder=tmp_path), "Deployment", "-listener")["spec"]["template"]
        return str(pod["metadata"]["annotations"]["checksum/config"])

    assert checksum() == checksum() != checksum({"verdicts": {"publicKeys": ["another"]}})
