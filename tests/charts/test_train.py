"""Training over several nodes: the nodes are locked down and reach each other alone; the step has the least rights."""

from typing import Any

from tests.charts.rendered import CHART, MINIMAL, named, of_kind, reached, scenario

from ratchet.images import USER

CLOSED = CHART / "ci" / "closed-values.yaml"


def _pod() -> dict[str, Any]:
    (runtime,) = of_kind(scenario(CLOSED), "TrainingRuntime")
    (job,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    assert job["name"] == "node"  # what a TrainJob's overrides are for
    assert job["template"]["metadata"]["labels"] == {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    pod: dict[str, Any] = job["template"]["spec"]["template"]
    return pod


def test_the_runtime_s_pods_pass_the_restricted_standard() -> None:
    spec = _pod()["spec"]
    whole = spec["securityContext"]
    assert (whole["runAsNonRoot"], whole["runAsUser"], whole["runAsGroup"]) == (True, USER, USER)
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    (container,) = spec["containers"]
    own = container["securityContext"]
    assert (container["name"], own["capabilities"]) == ("node", {"drop": ["ALL"]})
    assert (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"]) == (False, True)


def test_there_is_a_runtime_only_where_runs_may_make_train_jobs() -> None:
    assert of_kind(scenario(MINIMAL), "TrainingRuntime") == []


def test_nodes_reach_names_and_each_other_and_nothing_else_reaches_them() -> None:
    labels = _pod()["metadata"]["labels"]
    each_other = str({"podSelector": {"matchLabels": labels}})
    assert reached(scenario(CLOSED), labels, "Egress") == {"names", each_other}
    assert reached(scenario(CLOSED), labels, "Ingress") == {each_other}


def test_the_step_may_do_with_train_jobs_and_pods_what_it_does_and_no_more() -> None:
    rights: dict[str, set[str]] = {}
    for rule in named(scenario(CLOSED), "Role", "-pipelines")["rules"]:
        for resource in rule["resources"]:
            rights.setdefault(resource, set()).update(rule["verbs"])
    assert rights["trainjobs"] == {"create", "get", "delete"}
    assert rights["pods/log"] == {"get"}
    assert rights["events"] == {"list"}
    assert rights["pods"] == {"get", "list", "watch"}  # `watch` is for createVolumes, which this scenario has too
