"""The commands that the chart's pods run, run here: the schedule's against a stand-in for Kubeflow."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from tests.charts.rendered import CHART, named, objects, scenario
from tests.pipelines.stand_in import Kubeflow, serving

from ratchet import cli
from ratchet.cli import invoke as ratchet

LOOP, MULTI = (CHART / "ci" / f"{name}-values.yaml" for name in ("loop", "multi-user"))


@pytest.fixture
def kubeflow() -> Iterator[Kubeflow]:
    with serving() as state:
        yield state


def _words(container: dict[str, Any], files: Path) -> list[str]:
    """The container's command with its folders in `files`."""
    words = container["command"] + container["args"]
    assert words[0] == "ratchet"
    return [re.sub(r"=(/tmp|/etc/ratchet)/", f"={files}/", word) for word in words[1:]]


@pytest.mark.slow
def test_the_schedules_job_makes_the_recurring_run_what_the_values_say(
    kubeflow: Kubeflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = objects(LOOP, {"schedule": {"parameters": {"run_seed": 20240101}}}, folder=tmp_path)
    pod = named(made, "Job", "-schedule")["spec"]["template"]["spec"]
    for name, text in named(made, "ConfigMap", "-schedule")["data"].items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("KFP_HOST", kubeflow.url)
    for container in pod["initContainers"] + pod["containers"]:
        assert ratchet(_words(container, tmp_path)) == 0
    (only,) = kubeflow.named("weekly")
    assert only["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 0"}}
    assert only["service_account"] == "demo-ratchet-pipelines"
    parameters = only["runtime_config"]["parameters"]
    assert parameters == {
        "mlflow_tracking_uri": "http://mlflow.mlops.svc.cluster.local:5000",
        "gate_policy": "version: 1\nsuites: {main: gsm8k}\n",
        "cluster_claim": "demo-ratchet-workspace",
        "cluster_mlflow_secret": "mlflow-credentials",
        "cluster_s3_secret": "s3-credentials",
        "cluster_signing_secret": "ratchet-signing-key",
        "data_problems": "s3://ratchet/problems.parquet",
        "model_base": "s3://ratchet/m0",
        "run_workspace": "/workspace/weekly",
        "mlflow_model": "solver",
        "run_seed": 20240101,
        "train_epochs": 2,
        "train_learning_rate": 1e-5,
    }


def test_the_jobs_sign_in_to_a_shared_kubeflow_is_what_the_command_reads() -> None:
    pod = named(scenario(MULTI), "Job", "-schedule")["spec"]["template"]["spec"]
    apply = pod["containers"][0]
    options = {option.envvar for option in _command(["pipeline", "schedule", "apply"]).params}
    environment = {one["name"]: one["value"] for one in apply["env"]}
    assert set(environment) <= options
    mounts = {one["name"]: one["mountPath"] for one in apply["volumeMounts"]}
    assert environment["KFP_TOKEN_FILE"] == f"{mounts['token']}/token"
    assert environment["KFP_CA_CERT"] == f"{mounts['authority']}/ca.crt"
    assert environment["KFP_NAMESPACE"] == "team"
    assert {"--paused", "--every=86400", "--service-account=default-editor"} <= set(apply["args"])


@pytest.mark.parametrize(("path", "kind", "end"), [(LOOP, "CronJob", "-reconcile"), (MULTI, "Deployment", "-listener")])
def test_the_reconcilers_command_line_is_one_that_the_command_takes(path: Path, kind: str, end: str) -> None:
    found = named(scenario(path), kind, end)
    job = found["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else found["spec"]
    (container,) = job["template"]["spec"]["containers"]
    command = _command(["reconcile"])
    words = container["command"][2:] + container["args"] + ["--tracking-uri=http://mlflow"]
    given = command.make_context("reconcile", words).params
    assert given["models"] == (("solver",) if kind == "CronJob" else ("solver", "prover"))
    assert (given["once"], given["listen"]) == ((True, None) if kind == "CronJob" else (False, "0.0.0.0:9443"))
    held = named(scenario(path), "ConfigMap", "-config")["data"]
    assert {option.envvar for option in command.params} & set(held) == {"MLFLOW_TRACKING_URI"}


def test_the_dashboards_command_line_is_one_that_the_command_takes(tmp_path: Path) -> None:
    reviewers = {"dashboard": {"reviewers": ["ada MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="]}}
    made = objects(MULTI, reviewers, folder=tmp_path)
    (container,) = named(made, "Deployment", "-dashboard")["spec"]["template"]["spec"]["containers"]
    (tmp_path / "reviewers.txt").write_text(named(made, "ConfigMap", "-dashboard")["data"]["reviewers.txt"])
    command = _command(["dashboard"])
    words = _words(container, tmp_path)[1:] + ["--tracking-uri=http://mlflow"]
    given = command.make_context("dashboard", words).params
    assert (given["host"], given["port"], given["root_path"]) == ("0.0.0.0", 8090, "/ratchet/team-a")
    assert given["reviewers"] == tmp_path / "reviewers.txt"
    held = named(made, "ConfigMap", "-config")["data"]
    assert {option.envvar for option in command.params} & set(held) == {"MLFLOW_TRACKING_URI"}


def test_the_public_keys_are_read_as_the_chart_writes_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from ratchet.gate.keys import VERIFY_VARIABLE, new_key, public_keys, public_pem

    keys = [new_key(tmp_path / str(number)) for number in range(2)]
    values = {"verdicts": {"publicKeys": [public_pem(key) for key in keys]}}
    held = named(objects(LOOP, values, folder=tmp_path), "ConfigMap", "-config")["data"][VERIFY_VARIABLE]
    monkeypatch.setenv(VERIFY_VARIABLE, held)
    assert [public_pem(key) for key in public_keys()] == [public_pem(key) for key in keys]


def _command(words: list[str]) -> click.Command:
    command: click.Command = cli.cli
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, word
        command = found
    return command
