"""Pipelines sent to an endpoint: versions, parameters, following a run, each way in which an endpoint can fail."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.pipelines.stand_in import Kubeflow, serving

from ratchet.cli import invoke as ratchet
from ratchet.errors import InputError
from ratchet_pipelines import endpoint as endpoints
from ratchet_pipelines.endpoint import Endpoint
from ratchet_pipelines.follow import follow
from ratchet_pipelines.parameters import checked, pipeline_spec
from ratchet_pipelines.submit import submit

GOLDEN = Path(__file__).parents[2] / "pipelines" / "compiled" / "self_improvement.yaml"
GIVEN = {
    "data_problems": "s3://data/p.parquet",
    "model_base": "s3://models/m0",
    "gate_policy": "version: 1",
    "run_workspace": "/work",
    "mlflow_tracking_uri": "http://mlflow:5000",
}
ARGUMENTS = [f"--param={name}={value}" for name, value in GIVEN.items()]


@pytest.fixture
def kubeflow() -> Iterator[Kubeflow]:
    with serving() as state:
        yield state


def test_the_same_pipeline_is_uploaded_once_and_a_changed_one_as_a_new_version(
    kubeflow: Kubeflow, tmp_path: Path
) -> None:
    at = Endpoint(kubeflow.url)
    first = submit(at, GOLDEN, GIVEN, "e", "one")
    again = submit(at, GOLDEN, GIVEN, "e", "two")
    changed = tmp_path / "changed.yaml"
    changed.write_text(GOLDEN.read_text() + "# another\n")
    other = submit(at, changed, GIVEN, "e", "three")
    assert first.version_name == again.version_name != other.version_name
    assert [p["display_name"] for p in kubeflow.pipelines.values()] == ["self-improvement"]
    versions = {v["display_name"] for v in kubeflow.versions.values()}
    assert {first.version_name, other.version_name} <= versions
    ran = [run["pipeline_version_reference"]["pipeline_version_id"] for run in kubeflow.runs.values()]
    assert ran[0] == ran[1] != ran[2]
    assert len(kubeflow.experiments) == 1


def test_a_pipeline_is_uploaded_without_a_run(kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["pipeline", "upload", f"--pipeline={GOLDEN}", f"--host={kubeflow.url}"]
    assert ratchet(command) == 0
    said = capsys.readouterr().out
    assert said.startswith("version ") and said.endswith(" uploaded\n")
    assert ratchet([*command, "--format=json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["version_name"] == said.split()[1]
    assert again["new"] is False
    assert [p["display_name"] for p in kubeflow.pipelines.values()] == ["self-improvement"]
    assert not kubeflow.runs and not kubeflow.experiments


def test_the_command_sends_typed_parameters_and_prints_where_the_run_is(
    kubeflow: Kubeflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(GIVEN | {"train_epochs": 2, "train_learning_rate": "1e-4"}))
    (tmp_path / "policy.yaml").write_text("version: 1\nalpha: 0.05\n")
    command = ["pipeline", "submit", f"--pipeline={GOLDEN}", f"--params={tmp_path / 'p.yaml'}", "--name=first"]
    more = [f"--host={kubeflow.url}", f"--param=gate_policy=@{tmp_path / 'policy.yaml'}", "--param=run_seed=7"]
    assert ratchet([*command, *more, "--format=json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    sent = kubeflow.runs[printed["run"]]["runtime_config"]["parameters"]
    assert sent["train_epochs"] == 2
    assert sent["train_learning_rate"] == 1e-4
    assert sent["run_seed"] == 7
    assert sent["gate_policy"] == "version: 1\nalpha: 0.05\n"
    assert printed["link"] == f"{kubeflow.url}/#/runs/details/{printed['run']}"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"train_epoch": 2}, "self-improvement: unknown parameter 'train_epoch'; expected one of "),
        ({"train_epochs": "many"}, "train_epochs = 'many'; expected a whole number"),
        ({"train_epochs": 1.5}, "train_epochs = 1.5; expected a whole number"),
        ({"train_epochs": True}, "train_epochs = True; expected a whole number"),
        ({"train_learning_rate": "fast"}, "expected a number"),
    ],
)
def test_a_parameter_that_the_pipeline_does_not_take_is_refused_before_anything_is_sent(
    given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError) as refused:
        checked(pipeline_spec(GOLDEN), GIVEN | given, "self-improvement")
    assert complaint in str(refused.value)


def test_a_missing_parameter_is_named_with_what_it_means() -> None:
    with pytest.raises(InputError) as refused:
        checked(pipeline_spec(GOLDEN), {}, "self-improvement")
    assert "no 'data_problems'; expected Problem file, .jsonl or .parquet" in str(refused.value)


def _step(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"task_id": name, "display_name": name, "state": state, **more}


def test_a_run_is_followed_through_an_outage_and_its_failure_is_told_in_the_clusters_words(kubeflow: Kubeflow) -> None:
    at = Endpoint(kubeflow.url)
    run = submit(at, GOLDEN, GIVEN, "e", "one").run
    words = "OOMKilled: container main of pod x-1 was over its memory limit"
    kubeflow.states = [
        {"state": "RUNNING", "run_details": {"task_details": [_step("train", "RUNNING"), _step("root", "RUNNING")]}},
        {
            "state": "FAILED",
            "runtime_config": {"pipeline_root": "s3://b/root"},
            "run_details": {
                "task_details": [
                    _step("train", "FAILED", end_time="2026-01-02T00:00:00Z", error={"code": 1, "message": words}),
                    _step("train-driver", "FAILED"),
                ]
            },
        },
    ]
    said: list[str] = []
    ended = follow(at, run, timeout_s=30, say=said.append, pause_s=0.01)
    assert said == ["running    train", "failed     train"]
    assert (ended.state, ended.failed, ended.words, ended.pipeline_root) == ("FAILED", "train", words, "s3://b/root")


def test_an_endpoint_that_is_followed_is_asked_at_the_start_alone_whether_it_is_one(kubeflow: Kubeflow) -> None:
    at = Endpoint(kubeflow.url)
    run = submit(at, GOLDEN, GIVEN, "e", "one").run
    kubeflow.states = [{"state": "RUNNING"}, {"state": "RUNNING"}, {"state": "RUNNING"}, {"state": "SUCCEEDED"}]
    kubeflow.asked.clear()
    assert follow(at, run, timeout_s=30, say=lambda line: None, pause_s=0.01).state == "SUCCEEDED"
    # Our own question, the one that the SDK's client asks when it is made, and four looks.
    assert kubeflow.asked == [*["GET /healthz"] * 2, *[f"GET /runs/{run}"] * 4]


def test_a_wait_goes_on_with_an_endpoint_that_comes_back(kubeflow: Kubeflow) -> None:
    at = Endpoint(kubeflow.url)
    run = submit(at, GOLDEN, GIVEN, "e", "one").run
    kubeflow.states = [{"state": "RUNNING"}, {"state": "SUCCEEDED"}]
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        kubeflow.away = 0

    kubeflow.away = 1
    assert follow(at, run, timeout_s=30, say=say, pause_s=0.01).state == "SUCCEEDED"
    assert len(said) == 1 and "503" in said[0]


def test_a_wait_has_an_end_of_its_own(kubeflow: Kubeflow) -> None:
    at = Endpoint(kubeflow.url)
    run = submit(at, GOLDEN, GIVEN, "e", "one").run
    with pytest.raises(InputError, match=r"not at its end after 0 s .*the run goes on"):
        follow(at, run, timeout_s=0.05, say=lambda line: None, pause_s=0.01)


def test_an_endpoint_that_is_away_does_not_end_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as state:
        run = submit(Endpoint(state.url), GOLDEN, GIVEN, "e", "one").run
        away = Endpoint(state.url)
    said: list[str] = []
    with pytest.raises(InputError, match="not at its end"):
        follow(away, run, timeout_s=0.2, say=said.append, pause_s=0.01)
    assert said
    assert all("nothing listens there" in line for line in said)


class _Page(BaseHTTPRequestHandler):
    """A sign-in page, as Dex shows it to whoever comes without a cookie."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/dex/auth")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def _said(host: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    command = ["pipeline", "submit", f"--pipeline={GOLDEN}", "--name=x", f"--host={host}", *ARGUMENTS, *options]
    assert ratchet(command) == 64
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_each_way_in_which_an_endpoint_can_fail_has_its_own_line(
    kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "begins with http:// or https://" in _said("kubeflow.example", capsys)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert "nothing listens there" in _said(f"http://127.0.0.1:{closed.getsockname()[1]}", capsys)
    assert "does not speak TLS; expected a Kubeflow Pipelines endpoint; begin --host with http://" in _said(
        kubeflow.url.replace("http:", "https:"), capsys
    )
    assert "the endpoint answered 404" in _said(kubeflow.url + "/elsewhere", capsys)
    kubeflow.token = "secret"
    monkeypatch.setenv("KFP_TOKEN", "wrong-token")
    refused = _said(kubeflow.url, capsys)
    assert "the endpoint answered 401 (Unauthenticated)" in refused
    assert "it was shown a token" in refused
    assert "wrong-token" not in refused


def test_a_sign_in_page_is_told_from_an_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said = _said(f"http://127.0.0.1:{server.server_port}", capsys)
    server.shutdown()
    server.server_close()
    assert "answers with a page for people (302)" in said
    assert "sign in: it was shown no credentials" in said


def test_an_endpoint_that_is_silent_is_not_waited_for_for_ever(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "REQUEST_TIMEOUT_S", (0.3, 0.3))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "does not answer in time" in _said(f"http://127.0.0.1:{silent.getsockname()[1]}", capsys)


def test_a_server_that_falls_silent_after_it_was_found_is_not_waited_for_either(
    kubeflow: Kubeflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = Endpoint(kubeflow.url)
    monkeypatch.setattr(endpoints, "REQUEST_TIMEOUT_S", (1, 0.2))
    refused = pytest.raises(InputError, match="does not answer in time")
    with socket.socket() as silent, refused, endpoints.connected(at) as client:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client._run_api.api_client.configuration.host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client.get_run("x")


def test_a_token_from_a_file_signs_in_and_is_shown_nowhere(
    kubeflow: Kubeflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeflow.token = "secret-of-the-file"
    (tmp_path / "token").write_text("secret-of-the-file\n")
    assert "KFP_TOKEN" not in os.environ
    command = ["pipeline", "submit", f"--pipeline={GOLDEN}", "--name=x", f"--host={kubeflow.url}", *ARGUMENTS]
    assert ratchet([*command, f"--token-file={tmp_path / 'token'}"]) == 0
    printed = capsys.readouterr()
    assert "secret" not in printed.out + printed.err
    assert "secret" not in repr(Endpoint(kubeflow.url, token="secret", cookie="secret"))
