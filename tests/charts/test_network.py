"""Whom each pod reaches, and who reaches it, by the chart's network policies taken together."""

from pathlib import Path

import pytest
from tests.charts.rendered import CHART, MINIMAL, named, pods, reached, scenario

from ratchet_pipelines.hardening import LABEL, labels, network_policy
from ratchet_pipelines.placement import STEP_LABEL

LOOP, MULTI, CLOSED = (CHART / "ci" / f"{name}-values.yaml" for name in ("loop", "multi-user", "closed"))
KUBEFLOW = {"pipelines.kubeflow.org/v2_component": "true"}  # on all pods of a run, drivers too
LOCKED = {**labels(), STEP_LABEL: "grade"}


@pytest.mark.parametrize(
    ("labels", "out"),
    [
        ({STEP_LABEL: "train", **KUBEFLOW}, {"names", "api", "kubeflow", "store", "mlflow"}),
        ({STEP_LABEL: "sample", **KUBEFLOW}, {"names", "api", "kubeflow", "store", "mlflow"}),
        ({STEP_LABEL: "small", **KUBEFLOW}, {"names", "api", "kubeflow", "store", "mlflow"}),
        ({**LOCKED, **KUBEFLOW}, {"names", "api", "kubeflow", "store"}),  # its launcher's, and not MLflow
        ({LABEL: "true"}, set()),  # a locked pod that was made without Kubeflow
        (KUBEFLOW, None),  # drivers, and the pipelines of others
        ({"app": "others"}, None),
    ],
)
def test_a_step_reaches_what_its_launcher_needs_and_a_locked_pod_nothing(
    labels: dict[str, str], out: set[str] | None
) -> None:
    assert reached(scenario(LOOP), labels, "Egress") == out
    if out is not None:
        assert reached(scenario(LOOP), labels, "Ingress") == set()


def test_the_policy_of_locked_pods_is_that_of_the_library() -> None:
    assert named(scenario(MINIMAL), "NetworkPolicy", "-grade")["spec"] == network_policy()["spec"]


def test_with_the_namespace_closed_drivers_reach_what_steps_do_and_all_others_nothing() -> None:
    some = scenario(CLOSED)
    assert reached(some, KUBEFLOW, "Egress") == {"names", "api", "kubeflow", "store"}
    assert reached(some, {**LOCKED, **KUBEFLOW}, "Egress") == {"names", "api", "kubeflow", "store"}
    assert reached(some, {STEP_LABEL: "train", **KUBEFLOW}, "Egress") == {"names", "api", "kubeflow", "store", "mlflow"}
    assert reached(some, {"app": "others"}, "Egress") == reached(some, {"app": "others"}, "Ingress") == set()


def test_the_charts_own_pods_reach_what_they_work_with_and_mlflow_reaches_the_listener() -> None:
    def own(path: Path, component: str) -> tuple[set[str] | None, set[str] | None]:
        (found,) = [
            pod["metadata"]["labels"]
            for _, pod in pods(scenario(path))
            if pod["metadata"]["labels"]["app.kubernetes.io/component"] == component
        ]
        return reached(scenario(path), found, "Egress"), reached(scenario(path), found, "Ingress")

    assert own(LOOP, "schedule") == ({"names", "kubeflow"}, set())
    assert own(LOOP, "reconcile") == ({"names", "store", "mlflow"}, set())
    mlflow = str({"ipBlock": {"cidr": "198.51.100.7/32"}})
    assert own(MULTI, "listener")[1] == {mlflow}
