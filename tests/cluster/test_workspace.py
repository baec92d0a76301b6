"""A volume of root's on a real cluster: steps, whose pods have no fsGroup, write to it after the chart's job did."""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.charts.rendered import CHART, MINIMAL, helm
from tests.cluster.access import Cluster, address, until

from ratchet.images import USER
from ratchet_pipelines.hardening import locked_pod

pytestmark = pytest.mark.cluster

CLAIM = "ratchet-workspace"
# What a first step leaves and a second one changes: new folders must be writable as well.
WRITE = "mkdir -p /workspace/run/train && touch /workspace/run/train/weights && ls -ln /workspace/run"


@pytest.fixture
def node(cluster: Cluster) -> str:
    """The node that is this machine, whose folders can be made volumes."""
    here = address(cluster)
    for one in cluster.core.list_node().items:
        if any(found.address == here for found in one.status.addresses):
            return str(one.metadata.name)
    pytest.skip("needs a cluster that has this machine as a node: volumes are made of its folders")


@pytest.fixture
def claim(cluster: Cluster, namespace: str, node: str, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes the claim on a folder that is root's, as a volume of that kind: `local` (fsGroup works) or `hostPath`."""
    if os.geteuid() != 0:
        pytest.skip("needs root: the folder of the volume must not be the images' user's")
    folder, name = tmp_path / "volume", f"ratchet-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o755)
    for one in (tmp_path, *tmp_path.parents[:-2]):
        one.chmod(one.stat().st_mode | 0o011)
    there = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    kinds: dict[str, dict[str, Any]] = {
        "local": {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [there]}]}}},
        "hostPath": {},
    }

    def make(kind: str) -> Path:
        shared = {"accessModes": ["ReadWriteMany"], "storageClassName": name}
        volume = shared | {"capacity": {"storage": "1Gi"}, kind: {"path": str(folder)}} | kinds[kind]
        cluster.core.create_persistent_volume({"metadata": {"name": name}, "spec": volume})
        asked = shared | {"resources": {"requests": {"storage": "1Gi"}}}
        cluster.core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": CLAIM}, "spec": asked})
        return folder

    yield make
    cluster.core.delete_persistent_volume(name)


@pytest.fixture
def prepared(cluster: Cluster, namespace: str, image: Callable[[str], str], tmp_path: Path) -> Callable[[], Any]:
    """Runs the chart's job on the claim: whether it succeeded, and its log."""

    def run() -> tuple[bool, str]:
        command = [helm(), "template", "ratchet", str(CHART), f"--namespace={namespace}", f"--values={MINIMAL}"]
        command += [f"--set=workspace.existingClaim={CLAIM}", "--show-only=templates/workspace/job.yaml"]
        made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        job = yaml.safe_load(made)
        pod = job["spec"]["template"]["spec"]
        pod["serviceAccountName"] = "default"
        pod["containers"][0]["image"] = image("base")
        name = job["metadata"]["name"]
        cluster.batch.create_namespaced_job(namespace, job)

        def ended() -> bool:
            status = cluster.batch.read_namespaced_job(name, namespace).status
            return bool(status.succeeded or status.failed)

        until(ended, 120, "the end of the chart's job")
        (found,) = cluster.core.list_namespaced_pod(namespace, label_selector=f"job-name={name}").items
        log = cluster.core.read_namespaced_pod_log(found.metadata.name, namespace)
        return bool(cluster.batch.read_namespaced_job(name, namespace).status.succeeded), str(log)

    return run


def _step(image: str) -> dict[str, Any]:
    """A pod as Kubeflow makes it of a step: user and group of the images, and no fsGroup."""
    mount = {"name": "workspace", "mountPath": "/workspace"}
    container = {"name": "step", "image": image, "command": ["sh", "-c", WRITE], "volumeMounts": [mount]}
    pod = locked_pod(container, [{"name": "workspace", "persistentVolumeClaim": {"claimName": CLAIM}}])
    del pod["securityContext"]["fsGroup"]
    return pod


def test_steps_write_to_a_volume_of_roots_after_the_charts_job_gave_it_to_their_group(
    claim: Callable[[str], Path], prepared: Callable[[], Any], image: Callable[[str], str], run: Any
) -> None:
    folder = claim("local")
    (folder / "older").mkdir()
    before = run(_step(image("base")))
    assert not before.succeeded
    assert "Permission denied" in before.log
    assert prepared() == (True, "found a volume that steps can write to\n")
    for _ in range(2):
        after = run(_step(image("base")))
        assert after.succeeded, after
    assert (folder.stat().st_uid, folder.stat().st_gid) == (0, USER)
    assert (folder / "older").stat().st_gid == USER
    assert (folder / "run" / "train").stat().st_gid == USER


def test_of_a_volume_that_kubernetes_does_not_give_away_the_charts_job_says_so(
    claim: Callable[[str], Path], prepared: Callable[[], Any]
) -> None:
    claim("hostPath")
    succeeded, log = prepared()
    assert not succeeded
    tried, folder, told = log.splitlines()
    assert "Permission denied" in tried
    assert folder.split()[2:4] == ["0", "0"], log
    assert told.startswith("found a volume that user and group 65532 can't write to")
