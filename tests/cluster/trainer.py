"""Kubeflow Trainer's part, played by the tests: the Job and the service that it makes of a TrainJob and its runtime.

With what the tests of TrainJobs need beside: a volume, the chart's runtime, an account with the chart's rights.

No controller of Trainer runs on the test cluster. Names, labels and PET_ variables are those of Trainer 2.0 and JobSet,
read in their sources; what they make beside (a JobSet between the TrainJob and the Job) is left out.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
from kubernetes import client
from tests.charts.rendered import CHART, named, of_kind, scenario
from tests.cluster.access import Cluster
from tests.cluster.loop import CLAIM, _make_writable

GROUP, VERSION, PLURAL = "trainer.kubeflow.org", "v1alpha1", "trainjobs"
JOBSET = "jobset.sigs.k8s.io/jobset-name"
PORT = 29400
CLOSED = CHART / "ci" / "closed-values.yaml"
Object = Mapping[str, Any]


def node_job(job: Object, runtime: Object) -> dict[str, Any]:
    """The Job of the nodes: indexed, so that each pod has a number and a name that the service resolves."""
    name, trainer = job["metadata"]["name"], job["spec"]["trainer"]
    (replicated,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    spec = deepcopy(replicated["template"]["spec"])
    pod, nodes = spec["template"], trainer["numNodes"]
    pod.setdefault("metadata", {}).setdefault("labels", {})[JOBSET] = name
    _override(pod["spec"], job["spec"]["podSpecOverrides"][0])
    (node,) = pod["spec"]["containers"]
    node.update(image=trainer["image"], command=trainer["command"], resources=trainer["resourcesPerNode"])
    node["env"] = [*trainer["env"], *_settings(name, nodes, trainer["numProcPerNode"])]
    pod["spec"].update(subdomain=name, restartPolicy=pod["spec"].get("restartPolicy", "OnFailure"))
    spec.update(completionMode="Indexed", parallelism=nodes, completions=nodes)
    owner = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "TrainJob", "name": name, "uid": job["metadata"]["uid"]}
    return {"metadata": {"name": f"{name}-node-0", "ownerReferences": [owner]}, "spec": spec}


def _override(spec: dict[str, Any], override: Object) -> None:
    for key in ("nodeSelector", "tolerations", "serviceAccountName"):
        if key in override:
            spec[key] = override[key]
    spec.setdefault("volumes", []).extend(override["volumes"])
    spec["containers"][0].setdefault("volumeMounts", []).extend(override["containers"][0]["volumeMounts"])


def _settings(name: str, nodes: int, processes: int) -> list[dict[str, Any]]:
    """What torchrun reads of the nodes."""
    index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    given = {
        "PET_NNODES": str(nodes),
        "PET_NPROC_PER_NODE": str(processes),
        "PET_MASTER_ADDR": f"{name}-node-0-0.{name}",
        "PET_MASTER_PORT": str(PORT),
    }
    rank = {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": index}}}
    return [*({"name": key, "value": value} for key, value in given.items()), rank]


def service(job: Object) -> dict[str, Any]:
    """The headless service that gives the pods names, also before they are ready."""
    name = job["metadata"]["name"]
    owner = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "TrainJob", "name": name, "uid": job["metadata"]["uid"]}
    spec = {"clusterIP": "None", "selector": {JOBSET: name}, "publishNotReadyAddresses": True}
    return {"metadata": {"name": name, "ownerReferences": [owner]}, "spec": spec}


@contextmanager
def playing(cluster: Cluster, namespace: str, runtime: Object) -> Iterator[None]:
    """Within it TrainJobs of the namespace are run, and told that they are complete or failed."""
    done = threading.Event()
    jobs = client.CustomObjectsApi()

    def play() -> None:
        while not done.wait(0.5):
            for job in jobs.list_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL)["items"]:
                _step(cluster, namespace, job, runtime, jobs)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(30)


def _step(cluster: Cluster, namespace: str, job: Object, runtime: Object, jobs: client.CustomObjectsApi) -> None:
    """Make what is not there yet, or hand the end of the Job on to the TrainJob."""
    name = job["metadata"]["name"]
    if "deletionTimestamp" in job["metadata"]:
        return
    try:
        found = cluster.batch.read_namespaced_job(f"{name}-node-0", namespace)
    except client.ApiException as missing:
        if missing.status != 404:
            raise
        cluster.core.create_namespaced_service(namespace, service(job))
        cluster.batch.create_namespaced_job(namespace, node_job(job, runtime))
        return
    for condition in found.status.conditions or []:
        if condition.status == "True" and condition.type in ("Complete", "Failed"):
            told = {
                "type": condition.type,
                "status": "True",
                "reason": "JobsEnded",
                "message": condition.message or "jobs ended",
                "lastTransitionTime": condition.last_transition_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            body = {"status": {"conditions": [told]}}
            jobs.patch_namespaced_custom_object_status(GROUP, VERSION, namespace, PLURAL, name, body)


@pytest.fixture
def definitions(cluster: Cluster) -> None:
    """Those of Kubeflow Trainer."""
    try:
        client.ApiextensionsV1Api().read_custom_resource_definition(f"{PLURAL}.{GROUP}")
    except client.ApiException as missing:
        if missing.status != 404:
            raise
        pytest.skip("needs Kubeflow Trainer's definitions: testcluster trainer")


@pytest.fixture
def claim(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """The volume of the workspace."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": CLAIM}, "spec": spec})
    _make_writable(cluster, namespace)
    return {"name": "workspace", "persistentVolumeClaim": {"claimName": CLAIM}}


@pytest.fixture
def runtime() -> dict[str, Any]:
    """The chart's."""
    (found,) = of_kind(scenario(CLOSED), "TrainingRuntime")
    return found


@pytest.fixture
def account(cluster: Cluster, namespace: str) -> str:
    """A service account with the rights that the chart gives to runs."""
    rules = named(scenario(CLOSED), "Role", "-pipelines")["rules"]
    rights, name = client.RbacAuthorizationV1Api(), "steps"
    cluster.core.create_namespaced_service_account(namespace, {"metadata": {"name": name}})
    rights.create_namespaced_role(namespace, {"metadata": {"name": name}, "rules": rules})
    body = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    rights.create_namespaced_role_binding(namespace, body)
    return name
