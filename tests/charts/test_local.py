"""The scripts of the local cluster: what they say where something is missing, and an install where one is there."""

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from tests.charts.rendered import CHART, helm
from tests.charts.test_install import kubectl
from tests.cluster.conftest import Cluster

from ratchet.images import IMAGES

LOCAL = CHART.parents[1] / "infra" / "local"
SHELLS_OWN = ("sh", "bash", "basename", "dirname", "mkdir", "mktemp", "rm", "grep", "sed", "paste", "seq", "xargs")
SCRIPTS = sorted(LOCAL.rglob("*.sh"))
RUNS = "#!/bin/sh\n"  # what a stand-in for a program does: nothing, well
SAYS = f'{RUNS}echo "$(basename "$0") $*" >&2\n'


def _ran(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """How a script ended whose PATH is the folder and the shell's own programs."""
    for program in SHELLS_OWN:
        (folder / program).symlink_to(str(shutil.which(program)))
    return subprocess.run(
        [LOCAL / script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": str(folder), "BIN": str(Path(sys.executable).parent), **environment},
    )


def _stand_ins(folder: Path, **programs: str) -> None:
    """Puts programs that this machine may not have into the folder: what is tested is what the script makes of them."""
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


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


def test_a_docker_that_does_not_answer_is_said(tmp_path: Path) -> None:
    _stand_ins(tmp_path, docker=f"{RUNS}exit 1\n", kind=SAYS, kubectl=RUNS)
    ended = _ran("up.sh", tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "up.sh: docker does not answer: start it, or set KUBECONFIG to a cluster of yours\n"


def test_a_checkout_that_is_not_set_up_is_said(tmp_path: Path) -> None:
    _stand_ins(tmp_path, docker=RUNS, kind=SAYS, kubectl=RUNS)
    ended = _ran("up.sh", tmp_path, BIN="/nowhere")
    assert (ended.returncode, ended.stderr) == (1, "up.sh: /nowhere/python is not there: run `make setup`\n")


# Each ends before kind is called, whose stand-in would say so.
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"IMAGES": "base nix"}, f"found image nix, expected some of: {' '.join(IMAGES)}"),
        (
            {"IMAGES": "grade", "TOOL": "docker"},
            f"{IMAGES['grade']} is not in docker: build it with `TOOL=docker infra/images/build.sh grade`,"
            " or say with TOOL where it is",
        ),
        ({"TOOL": "podman"}, "found TOOL=podman, expected buildah or docker"),
    ],
    ids=["unknown", "not built", "tool"],
)
def test_images_that_cannot_be_had_are_said_before_a_cluster_is_started(
    environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    _stand_ins(tmp_path, docker=f'{RUNS}[ "$1" = info ]\n', kind=SAYS, kubectl=RUNS)
    ended = _ran("up.sh", tmp_path, **environment)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"up.sh: {said}\n")


def test_a_cluster_is_started_from_the_node_image_that_is_named_and_gets_what_docker_has(tmp_path: Path) -> None:
    has_base = f'{RUNS}[ "$1" = info ] || [ "$3" = {IMAGES["base"]} ]\n'
    _stand_ins(tmp_path, docker=has_base, kind=SAYS, kubectl=RUNS)
    ended = _ran("up.sh", tmp_path, TOOL="docker", NODE_IMAGE="mirror.example/kindest/node:v1.34.0")
    kubeconfig = LOCAL.parents[1] / "dist" / "local.kubeconfig"
    assert ended.stdout == f"export KUBECONFIG={kubeconfig}\n"
    assert ended.stderr.splitlines() == [
        f"kind create cluster --config infra/local/kind.yaml --kubeconfig {kubeconfig} --wait 120s"
        " --image mirror.example/kindest/node:v1.34.0",
        f"kind load docker-image {IMAGES['base']} --name ratchet",
    ]


def test_a_cluster_that_is_there_is_found_again_and_its_stopped_node_started(tmp_path: Path) -> None:
    kind = (
        f'{RUNS}case "$*" in "get clusters") echo ratchet ;; "get nodes"*) echo the-node ;; esac; [ "$1" != create ]\n'
    )
    docker = f'{RUNS}case $1 in start) echo "docker $*" >&2 ;; image) exit 1 ;; esac\n'
    _stand_ins(tmp_path, docker=docker, kind=kind, kubectl=RUNS)
    ended = _ran("up.sh", tmp_path, TOOL="docker")
    assert ended.stderr.splitlines() == [
        "up.sh: no images in docker: `make images` builds them, and up.sh then loads them",
        "docker start the-node",
    ]
    assert (ended.returncode, ended.stdout.partition("=")[0]) == (0, "export KUBECONFIG")


def test_a_node_image_that_cannot_be_had_is_said_with_the_way_to_name_another(tmp_path: Path) -> None:
    _stand_ins(tmp_path, docker=RUNS, kind=f'{RUNS}[ "$1" != create ]\n', kubectl=RUNS)
    ended = _ran("up.sh", tmp_path, TOOL="docker", IMAGES="base")
    assert (ended.returncode, ended.stdout) == (1, "")
    said = "up.sh: no cluster was started; where its node image can't be pulled, NODE_IMAGE names another\n"
    assert ended.stderr == said


def test_without_docker_a_cluster_is_not_said_to_be_removed(tmp_path: Path) -> None:
    _stand_ins(tmp_path, docker=f"{RUNS}exit 1\n", kind=SAYS)
    ended = _ran("down.sh", tmp_path)
    said = "down.sh: docker does not answer: start it, and what is left of the cluster can be removed\n"
    assert (ended.returncode, ended.stderr) == (1, said)


def test_what_buildah_has_is_loaded_under_its_full_name_and_no_file_stays(tmp_path: Path) -> None:
    buildah = f'{RUNS}case $1 in inspect) [ "$4" = {IMAGES["grade"]} ] ;; *) echo "buildah $*" >&2 ;; esac\n'
    files = tmp_path / "files"
    files.mkdir()
    _stand_ins(tmp_path, docker=RUNS, kind=SAYS, kubectl=RUNS, buildah=buildah)
    ended = _ran("up.sh", tmp_path, TMPDIR=str(files))
    pushed, loaded = ended.stderr.splitlines()[1:]
    archive = pushed.partition("docker-archive:")[2].partition(":")[0]
    assert pushed == f"buildah push --quiet {IMAGES['grade']} docker-archive:{archive}:docker.io/{IMAGES['grade']}"
    assert loaded == f"kind load image-archive {archive} --name ratchet"
    assert list(files.iterdir()) == []


def test_an_image_that_cannot_be_loaded_ends_it(tmp_path: Path) -> None:
    kind = f'{RUNS}[ "$1" != load ]\n'
    _stand_ins(tmp_path, docker=RUNS, kind=kind, kubectl=RUNS)
    ended = _ran("up.sh", tmp_path, TOOL="docker", IMAGES="base")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"up.sh: {IMAGES['base']} was not loaded into the cluster\n"


def test_the_cycle_leaves_a_cluster_alone_that_is_there(tmp_path: Path) -> None:
    kind = f'{RUNS}case "$*" in "get clusters") echo ratchet ;; *) echo "kind $*" >&2 ;; esac\n'
    _stand_ins(tmp_path, docker=RUNS, kind=kind, **dict.fromkeys(("git", "debootstrap", "kubectl", "helm"), SAYS))
    ended = _ran("check/cycle.sh", tmp_path)
    said = "cycle.sh: a cluster ratchet is there, which this would change: infra/local/down.sh removes it\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)


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
