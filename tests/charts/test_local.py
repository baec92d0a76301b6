"""The scripts of the local cluster: what they say where something is missing, and an install where one is there."""

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from tests.charts.rendered import CHART, helm
from tests.charts.test_install import kubectl
from tests.cluster.conftest import Cluster

LOCAL = CHART.parents[1] / "infra" / "local"
SCRIPTS = sorted(LOCAL.glob("*.sh"))


def _ran(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """How a script ended whose PATH is the folder and the shell's own programs."""
    for program in ("bash", "dirname", "mkdir", "grep", "sed", "paste"):
        (folder / program).symlink_to(str(shutil.which(program)))
    return subprocess.run(
        [LOCAL / script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": str(folder), **environment},
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    found = shutil.which("shellcheck")
    if found is None:
        pytest.skip("needs shellcheck, Debian's package of that name")
    ended = subprocess.run([found, script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout


def test_without_docker_the_local_cluster_says_what_is_missing(tmp_path: Path) -> None:
    ended = _ran("up.sh", tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "up.sh: docker is not installed; or set KUBECONFIG to a cluster of yours\n"


def test_a_cluster_that_is_named_is_used_and_none_is_started(tmp_path: Path) -> None:
    ended = _ran("up.sh", tmp_path, KUBECONFIG="/somewhere")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == "up.sh: KUBECONFIG is set: its cluster is used\n"


@pytest.mark.cluster
def test_the_install_makes_a_restricted_namespace_and_finds_the_addresses_of_the_api(cluster: Cluster) -> None:
    name = f"ratchet-local-{uuid.uuid4().hex[:8]}"
    path = os.pathsep.join([str(Path(helm()).parent), os.environ["PATH"]])
    environment = os.environ | {"NAMESPACE": name, "RELEASE": "here", "PATH": path}
    try:
        subprocess.run([LOCAL / "install.sh"], check=True, capture_output=True, timeout=120, env=environment)
        labels = cluster.core.read_namespace(name).metadata.labels
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        (policy,) = [
            one
            for one in cluster.networking.list_namespaced_network_policy(name).items
            if one.metadata.name == "here-ratchet-pipelines"
        ]
        blocks = {peer.ip_block.cidr for rule in policy.spec.egress for peer in rule.to if peer.ip_block}
        slices = kubectl("get", "endpoints", "kubernetes", "-o", "jsonpath={.subsets[*].addresses[*].ip}").split()
        assert blocks == {f"{address}/32" for address in slices}
    finally:
        subprocess.run([helm(), "uninstall", "here", "-n", name], check=False, capture_output=True, timeout=120)
        kubectl("delete", "namespace", name, "--ignore-not-found")
