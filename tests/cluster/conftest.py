"""What tests on a cluster share: the cluster that KUBECONFIG names, a restricted namespace a test, images, jobs.

The images are those that `infra/images/build.sh --push` pushed to RATCHET_REGISTRY, a registry that the nodes reach.
"""

import base64
import json
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client, config
from tests.cluster.access import Cluster, names, until
from tests.cluster.loop import backing, kubeflow  # noqa: F401  fixtures
from tests.cluster.trainer import account, claim, definitions, runtime  # noqa: F401  fixtures

from ratchet.images import IMAGES

Work = Callable[..., "Ended"]
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}


@dataclass(frozen=True)
class Ended:
    """How a job ended: whether it succeeded, all that it printed, and the cluster's own words about its pod."""

    succeeded: bool
    log: str
    words: str

    def __str__(self) -> str:
        return f"succeeded: {self.succeeded}\n{self.words}\n{self.log[-4000:]}"

    @property
    def printed(self) -> dict[str, Any]:
        """The last JSON object that it printed; a log mixes both streams of a pod, in either order."""
        said = [line for line in self.log.splitlines() if line.startswith("{")]
        assert said, self
        return dict(json.loads(said[-1]))


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that KUBECONFIG names."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("needs a Kubernetes cluster: KUBECONFIG is not set")
    config.load_kube_config(os.environ["KUBECONFIG"])
    return Cluster(client.CoreV1Api(), client.BatchV1Api(), client.NetworkingV1Api())


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that enforces the Pod Security Standard `restricted`, gone with all that is in it after the test."""
    name = f"ratchet-test-{uuid.uuid4().hex[:8]}"
    cluster.core.create_namespace({"metadata": {"name": name, "labels": RESTRICTED}})
    try:
        until(lambda: cluster.core.list_namespaced_service_account(name).items, 30, "a service account in a namespace")
        yield name
    finally:
        cluster.core.delete_namespace(name, grace_period_seconds=0)
        until(lambda: name not in names(cluster.core.list_namespace()), 120, f"the end of namespace {name}")


@pytest.fixture(scope="session")
def image() -> Callable[[str], str]:
    """From a name in IMAGES to a reference that the nodes can pull: by digest, so that no node takes an older build."""
    registry = os.environ.get("RATCHET_REGISTRY")
    if not registry:
        pytest.skip("needs images in a registry that the nodes reach: RATCHET_REGISTRY is not set")

    def reference(name: str) -> str:
        repository, _, tag = IMAGES[name].rpartition(":")
        scheme = os.environ.get("RATCHET_REGISTRY_SCHEME", "http")
        address = f"{scheme}://{registry}/v2/{repository}/manifests/{tag}"
        request = urllib.request.Request(address, method="HEAD", headers={"Accept": MANIFESTS})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return f"{registry}/{repository}@{answer.headers['Docker-Content-Digest']}"
        except urllib.error.HTTPError as answer:
            if answer.code != 404:
                raise
            pytest.skip(f"needs the image {repository}:{tag} in the registry (infra/images/build.sh --push)")

    return reference


@pytest.fixture
def files(cluster: Cluster, namespace: str) -> Callable[[str, dict[str, bytes]], dict[str, Any]]:
    """From a name and files to a volume with them, for a pod to mount: a way in that needs no network."""

    def volume(name: str, contents: dict[str, bytes]) -> dict[str, Any]:
        encoded = {key: base64.b64encode(content).decode() for key, content in contents.items()}
        cluster.core.create_namespaced_config_map(namespace, {"metadata": {"name": name}, "binaryData": encoded})
        return {"name": name, "configMap": {"name": name}}

    return volume


@pytest.fixture
def run(cluster: Cluster, namespace: str) -> Work:
    """Runs a pod to its end as a job: from its specification, labels and limit in seconds to how it ended."""

    def work(spec: dict[str, Any], labels: dict[str, str] | None = None, limit_s: float = 300) -> Ended:
        name = f"job-{uuid.uuid4().hex[:8]}"
        template = {"metadata": {"labels": labels or {}}, "spec": spec}
        job = {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": template}}
        cluster.batch.create_namespaced_job(namespace, job)
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            status = cluster.batch.read_namespaced_job(name, namespace).status
            if status.succeeded or status.failed:
                return Ended(bool(status.succeeded), *_said(cluster, namespace, name))
            time.sleep(0.3)
        log, words = _said(cluster, namespace, name)
        raise AssertionError(f"job {name} did not end within {limit_s:g} s: {words}\n{log}")

    return work


def _said(cluster: Cluster, namespace: str, job: str) -> tuple[str, str]:
    """The log of a job's pod, and what the cluster says of the pod: its state, and events such as failed pulls."""
    pods = cluster.core.list_namespaced_pod(namespace, label_selector=f"job-name={job}").items
    events = [f"{e.reason}: {e.message}" for e in cluster.core.list_namespaced_event(namespace).items]
    if not pods:
        return "", "; ".join(events)
    states = [status.state.to_dict() for status in pods[0].status.container_statuses or []]
    words = json.dumps(states, default=str) + "; " + "; ".join(events)
    try:
        # Unread: the client takes a log that looks like JSON for a value and gives back Python's spelling of it.
        log = cluster.core.read_namespaced_pod_log(pods[0].metadata.name, namespace, _preload_content=False).data
    except client.ApiException as refused:  # a pod that never started has no log
        return "", f"{words}; {refused.reason}"
    return log.decode(errors="replace"), words
