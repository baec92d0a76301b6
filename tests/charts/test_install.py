"""The chart on a real cluster: installed, upgraded and removed in a restricted namespace, and nothing left behind.

Kubeflow Pipelines is the stand-in, and MLflow a server of this machine; pods reach both at its address.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.charts.forwarded import answer, forwarded
from tests.charts.rendered import CHART, SCENARIOS, helm, scenario
from tests.cluster.access import Cluster, address
from tests.pipelines.stand_in import Kubeflow, serving
from tests.registry.conftest import Room

from ratchet.gate.keys import new_key, public_pem

pytestmark = pytest.mark.cluster
RELEASE = "loop"
PATIENCE_S = 300.0  # for what takes seconds where nothing else is at work


def nowhere(cluster: Cluster) -> str:
    """A URL of this machine at which nothing listens."""
    return f"http://{address(cluster)}:1"


@pytest.fixture
def mlflow(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """An MLflow server with an empty database, its URL."""
    host, folder = address(cluster), tmp_path
    with socket.create_server((host, 0)) as probe:
        port = probe.getsockname()[1]
    words = ["server", f"--host={host}", f"--port={port}", "--workers=1", "--allowed-hosts=*"]
    words += [f"--backend-store-uri=sqlite:///{folder}/mlflow.db", f"--artifacts-destination={folder}/artifacts"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(
            [Path(sys.executable).with_name("mlflow"), *words], stdout=log, stderr=log, env=environment
        )
    try:
        url = f"http://{host}:{port}"
        _wait_until(lambda: _answers(f"{url}/health"), PATIENCE_S, f"{folder}/mlflow.log")
        yield url
    finally:
        server.terminate()
        server.wait(30)


def _answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=2).status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait_until(met: Callable[[], bool], limit_s: float, what: str) -> None:
    deadline = time.monotonic() + limit_s
    while not met():
        assert time.monotonic() < deadline, f"waited {limit_s:g} s: {what}"
        time.sleep(0.3)


def kubectl(*words: str) -> str:
    """What kubectl says."""
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("needs kubectl on the PATH")
    return subprocess.run([found, *words], capture_output=True, text=True, timeout=120, check=True).stdout


def everything(namespace: str) -> set[str]:
    """All objects of the namespace but events, and all outside namespaces that are of the release or of this one."""
    inside = kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").split()
    outside = kubectl("api-resources", "--verbs=list", "--namespaced=false", "-o", "name").split()
    kinds = ",".join(kind for kind in inside if not kind.startswith("events") and "metrics" not in kind)
    names = set(kubectl("get", kinds, "-n", namespace, "-o", "name", "--ignore-not-found").split())
    listed = "".join(
        kubectl("get", ",".join(outside), "-o", "name", "--ignore-not-found", "-l", f"app.kubernetes.io/{key}")
        for key in (f"instance={RELEASE}", "part-of=ratchet")
    )
    volumes = json.loads(kubectl("get", "persistentvolumes", "-o", "json"))["items"]
    ours = [one for one in volumes if one["spec"].get("claimRef", {}).get("namespace") == namespace]
    return names | set(listed.split()) | {f"persistentvolume/{one['metadata']['name']}" for one in ours}


@pytest.fixture
def kubeflow(cluster: Cluster) -> Iterator[Kubeflow]:
    with serving(address(cluster)) as state:
        yield state


@pytest.fixture
def values(cluster: Cluster, image: Callable[[str], str], kubeflow: Kubeflow, tmp_path: Path) -> dict[str, Any]:
    """Values for this machine's servers, with everything on that a cluster without Kubeflow can run."""
    registry, repository, digest = re.fullmatch(r"([^/]+)/(.+)@(.+)", image("base")).groups()  # type: ignore[union-attr]
    host = address(cluster)
    here = {"ipBlock": {"cidr": f"{host}/32"}}
    return {
        "image": {"registry": registry, "repository": repository, "digest": digest},
        "kubeflow": {"host": kubeflow.url},
        "mlflow": {"trackingUri": nowhere(cluster)},
        "verdicts": {"publicKeys": [public_pem(new_key(tmp_path / "key"))]},
        "workspace": {"size": "1Gi", "accessModes": ["ReadWriteOnce"], "keep": False},
        "schedule": {
            "enabled": True,
            "name": "weekly",
            "cron": "0 0 3 * * 0",
            "policy": "version: 1\n",
            "parameters": {
                "data_problems": "s3://d/p",
                "model_base": "s3://d/m",
                "run_workspace": "/workspace/r",
                "mlflow_model": "solver",
            },
        },
        "reconcile": {
            "enabled": True,
            "models": ["solver"],
            "listener": {"enabled": True, "existingSecret": "webhooks"},
        },
        "networkPolicies": {"kubernetesApi": {"cidrs": [f"{host}/32"]}, "mlflow": {"peers": [here]}},
        "dashboard": {"enabled": False},
        "quota": {"hard": {"requests.nvidia.com/gpu": "8"}},
    }


@pytest.fixture
def release(namespace: str, values: dict[str, Any], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Installs or upgrades the release: from values over the others to how helm ended."""
    kubectl("create", "secret", "generic", "webhooks", "--from-literal=RATCHET_WEBHOOK_SECRET=s", "-n", namespace)

    def made(**over: Any) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "values.yaml"
        path.write_text(yaml.safe_dump({key: _under(over.get(key, {}), value) for key, value in values.items()}))
        command = [helm(), "upgrade", "--install", RELEASE, str(CHART), f"--namespace={namespace}", f"--values={path}"]
        command += ["--wait", "--timeout=6m"]
        return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)

    return made


def _under(over: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    return {**value, **over}


def _job(namespace: str, name: str) -> tuple[bool, str]:
    """Whether a job succeeded, and its log."""
    words = ["get", "job", name, "-n", namespace, "-o", "json"]
    _wait_until(lambda: bool({"succeeded", "failed"} & set(json.loads(kubectl(*words))["status"])), PATIENCE_S, name)
    status = json.loads(kubectl(*words))["status"]
    return "succeeded" in status, kubectl("logs", f"job/{name}", "-n", namespace, "--all-containers")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)
def test_the_api_server_takes_every_object_of_every_scenario_without_a_warning(
    namespace: str, path: Path, tmp_path: Path
) -> None:
    trainer = any("trainer.kubeflow.org" in one["apiVersion"] for one in scenario(path))
    if trainer and "trainingruntimes" not in kubectl("api-resources", "-o", "name"):
        pytest.skip("needs Kubeflow Trainer's definitions: testcluster trainer")
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/warn=restricted")  # of pod templates too
    made = tmp_path / "objects.yaml"
    made.write_text(
        yaml.safe_dump_all(one | {"metadata": one["metadata"] | {"namespace": namespace}} for one in scenario(path))
    )
    command = ["kubectl", "apply", "--dry-run=server", "--namespace", namespace, "--filename", str(made)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("(server dry run)") == len(scenario(path))


def test_the_release_is_installed_upgraded_and_removed_and_nothing_is_left(
    namespace: str, values: dict[str, Any], kubeflow: Kubeflow, release: Callable[..., Any]
) -> None:
    before, asked = everything(namespace), values["schedule"]
    installed = release()
    assert installed.returncode == 0, installed.stderr + kubectl("get", "events", "-n", namespace)
    (first,) = kubeflow.named("weekly")
    assert (first["status"], first["trigger"]) == ("ENABLED", {"cron_schedule": {"cron": "0 0 3 * * 0"}})
    assert first["service_account"] == f"{RELEASE}-ratchet-pipelines"
    assert first["runtime_config"]["parameters"]["cluster_claim"] == f"{RELEASE}-ratchet-workspace"
    assert len(everything(namespace) - before) > 10

    later = {**asked, "cron": "0 0 4 * * 0"}
    away = release(kubeflow={"host": values["mlflow"]["trackingUri"]}, schedule={**later, "timeoutSeconds": 15})
    assert (away.returncode != 0, "post-upgrade hooks failed" in away.stderr) == (True, True), away.stderr
    assert kubeflow.named("weekly") == [first]
    for schedule in (later, {**later, "enabled": False}):  # turning it off touches no recurring run
        upgraded = release(schedule=schedule)
        assert upgraded.returncode == 0, upgraded.stderr
        (second,) = kubeflow.named("weekly")
        assert second["trigger"] == {"cron_schedule": {"cron": "0 0 4 * * 0"}}
    assert kubeflow.live_at_once == 1

    subprocess.run([helm(), "uninstall", RELEASE, f"--namespace={namespace}", "--wait"], check=True, timeout=400)
    _wait_until(lambda: everything(namespace) <= before, PATIENCE_S, "the end of what the release made")
    assert kubeflow.named("weekly") == [second]


def test_the_reconciler_and_the_dashboard_run_in_their_pods_and_read_mlflow(
    cluster: Cluster,
    namespace: str,
    values: dict[str, Any],
    release: Callable[..., Any],
    mlflow: str,
    image: Callable[[str], str],
    tmp_path: Path,
) -> None:
    room = Room(tmp_path, mlflow)
    off = {**values["schedule"], "enabled": False}
    shown = {"enabled": True, "image": {"digest": image("dashboard").partition("@")[2]}, "rootPath": "/ratchet/team"}
    keys = {"publicKeys": [public_pem(room.key.public_key())]}
    installed = release(schedule=off, mlflow={"trackingUri": mlflow}, verdicts=keys, dashboard=shown)
    assert installed.returncode == 0, installed.stderr + kubectl("get", "events", "-n", namespace)
    assert f"port-forward service/{RELEASE}-ratchet-dashboard 8090" in installed.stdout
    reconcile = ["create", "job", f"--from=cronjob/{RELEASE}-ratchet-reconcile", "-n", namespace]
    # One whose MLflow is away is at it for a minute: beside all else, and so not by an upgrade of the release.
    away = json.loads(kubectl(*reconcile, "away", "--dry-run=client", "-o", "json"))
    elsewhere = {"name": "MLFLOW_TRACKING_URI", "value": nowhere(cluster)}
    away["spec"]["template"]["spec"]["containers"][0]["env"] = [elsewhere]
    cluster.batch.create_namespaced_job(namespace, away)
    room.promote("m1")
    room.promote("m2", "m1")
    kubectl(*reconcile, "now")
    with forwarded(namespace, f"{RELEASE}-ratchet-dashboard", 8090) as url:
        assert [answer(f"{url}{path}")[0] for path in ("/healthz", "/readyz", "/ratchet/team/healthz")] == [200] * 3
        status, page = answer(f"{url}/ratchet/team/")
        assert (status, 'href="/ratchet/team/models/solver"' in page) == (200, True), page
        # Profiles are fetched and drawn: that takes MLflow's artifacts and a folder that can be written to.
        status, page = answer(f"{url}/ratchet/team/models/solver/versions/2/against/1")
        assert (status, "version 1" in page) == (200, True), page
    succeeded, log = _job(namespace, "now")
    assert succeeded, log
    succeeded, log = _job(namespace, "away")
    assert (succeeded, "MLflow can't be used" in log) == (False, True), log
