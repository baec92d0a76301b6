"""The dashboard in the chart: what its pod is given, who reaches it, the way from Kubeflow's gateway."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.charts.rendered import (
    CHART,
    MINIMAL,
    Object,
    named,
    objects,
    of_kind,
    reached,
    scenario,
    selects,
    templated,
)

from ratchet import __version__
from ratchet.images import IMAGES
from ratchet_pipelines.placement import MLFLOW_KEYS

LOOP, MULTI = (CHART / "ci" / f"{name}-values.yaml" for name in ("loop", "multi-user"))
ROUTED = {
    "dashboard": {"enabled": True, "rootPath": "/ratchet/team", "virtualService": {"enabled": True}},
    "networkPolicies": {"dashboard": {"peers": [{"podSelector": {"matchLabels": {"app": "gateway"}}}]}},
}


def _deployment(some: tuple[Object, ...] | list[Object]) -> Object:
    return named(some, "Deployment", "-dashboard")


def _container(some: tuple[Object, ...] | list[Object]) -> Object:
    (container,) = _deployment(some)["spec"]["template"]["spec"]["containers"]
    return dict(container)


def test_the_dashboards_image_is_its_own_and_of_the_charts_version() -> None:
    assert _container(scenario(LOOP))["image"] == IMAGES["dashboard"]
    repository = yaml.safe_load((CHART / "values.yaml").read_text())["dashboard"]["image"]["repository"]
    assert f"{repository}:{__version__}" == IMAGES["dashboard"]


def test_it_is_asked_for_its_health_without_mlflow_and_for_its_readiness_with_it() -> None:
    container = _container(scenario(LOOP))
    (port,) = container["ports"]
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: one["path"] for kind, one in asked.items()} == {
        "startup": "/healthz",
        "readiness": "/readyz",
        "liveness": "/healthz",
    }
    assert {one["port"] for one in asked.values()} == {port["name"]}
    assert f"--port={port['containerPort']}" in container["args"]


def test_it_holds_what_verifies_and_a_readers_password_and_nothing_that_signs() -> None:
    some = scenario(LOOP)
    container = _container(some)
    keys = {one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"]}
    assert {keys[name] for name in MLFLOW_KEYS} == {"mlflow-reader"}  # not the reconciler's, who may write
    assert set(keys) - set(MLFLOW_KEYS) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert [one["configMapRef"]["name"] for one in container["envFrom"]] == ["demo-ratchet-config"]
    spec = _deployment(some)["spec"]["template"]["spec"]
    assert {next(iter(set(volume) - {"name"})) for volume in spec["volumes"]} == {"emptyDir", "configMap"}
    assert _container(scenario(MULTI))["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "mlflow-credentials"


def test_the_reviewers_are_a_file_that_the_library_reads(tmp_path: Path) -> None:
    from ratchet.registry.review import read_reviewers

    (text,) = named(scenario(LOOP), "ConfigMap", "-dashboard")["data"].values()
    path = tmp_path / "reviewers.txt"
    path.write_text(text)
    assert [name for name, _ in read_reviewers(path)] == ["ada"]
    assert "--reviewers=/etc/ratchet/reviewers.txt" in _container(scenario(LOOP))["args"]
    assert [
        one for one in of_kind(scenario(MULTI), "ConfigMap") if one["metadata"]["name"].endswith("-dashboard")
    ] == []
    assert not any("--reviewers" in word for word in _container(scenario(MULTI))["args"])


def test_nothing_reaches_the_dashboard_but_what_the_values_name(tmp_path: Path) -> None:
    labels = _deployment(scenario(LOOP))["spec"]["template"]["metadata"]["labels"]
    assert reached(scenario(LOOP), labels, "Ingress") == set()
    assert reached(scenario(LOOP), labels, "Egress") == {"names", "mlflow", "store"}
    gateway = str({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}}})
    assert reached(scenario(MULTI), {**labels, "app.kubernetes.io/instance": "demo"}, "Ingress") == {gateway}
    routed = objects(MINIMAL, ROUTED, folder=tmp_path)
    assert reached(routed, labels, "Ingress") == {str({"podSelector": {"matchLabels": {"app": "gateway"}}})}
    out = reached(routed, labels, "Egress")
    assert out is not None
    assert (len(out), {"names", "mlflow", "store"} < out) == (4, True)
    assert any("istiod" in peer for peer in out)


def test_a_policy_of_the_dashboard_selects_no_step() -> None:
    policy = named(scenario(LOOP), "NetworkPolicy", "-dashboard")["spec"]
    assert not selects(policy["podSelector"], {"ratchet/step": "train", "app.kubernetes.io/instance": "demo"})


def test_the_route_hands_the_path_on_that_the_dashboard_is_told(tmp_path: Path) -> None:
    some = objects(MINIMAL, ROUTED, folder=tmp_path)
    (route,) = of_kind(some, "VirtualService")
    service = named(some, "Service", "-dashboard")
    (rule,) = route["spec"]["http"]
    assert rule["match"] == [{"uri": {"exact": "/ratchet/team"}}, {"uri": {"prefix": "/ratchet/team/"}}]
    (to,) = rule["route"]
    assert to["destination"] == {
        "host": f"{service['metadata']['name']}.team.svc.cluster.local",
        "port": {"number": service["spec"]["ports"][0]["port"]},
    }
    assert "rewrite" not in rule
    assert (route["spec"]["gateways"], route["spec"]["hosts"]) == (["kubeflow/kubeflow-gateway"], ["*"])
    assert "--root-path=/ratchet/team" in _container(some)["args"]


def test_its_own_labels_win_over_those_of_all_pods(tmp_path: Path) -> None:
    values = {**ROUTED, "podLabels": {"sidecar.istio.io/inject": "false", "team": "a"}}
    values["dashboard"] = {**ROUTED["dashboard"], "podLabels": {"sidecar.istio.io/inject": "true"}}
    some = objects(MINIMAL, values, folder=tmp_path)
    labels = _deployment(some)["spec"]["template"]["metadata"]["labels"]
    assert (labels["sidecar.istio.io/inject"], labels["team"]) == ("true", "a")
    job = next(one for one in of_kind(some, "Job"))
    assert job["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dashboard": {"image": {"tag": "latest"}}}, "dashboard.image.tag is latest; expected a fixed tag"),
        ({"dashboard": {"virtualService": {"enabled": True}}}, "dashboard.rootPath is empty; expected the path"),
        ({**ROUTED, "networkPolicies": {}}, "networkPolicies.dashboard.peers is empty; expected where the gateway"),
    ],
)
def test_a_dashboard_that_nobody_would_reach_is_refused(values: dict[str, Any], said: str, tmp_path: Path) -> None:
    ended = templated(MINIMAL, values, folder=tmp_path)
    assert ended.returncode != 0
    assert said in ended.stderr


def test_it_starts_anew_when_a_reviewer_is_added(tmp_path: Path) -> None:
    def checksum(*values: Any) -> str:
        pod = _deployment(objects(LOOP, *values, folder=tmp_path))["spec"]["template"]
        return str(pod["metadata"]["annotations"]["checksum/config"])

    key = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
    assert checksum() == checksum() != checksum({"dashboard": {"reviewers": [f"bob {key}"]}})
