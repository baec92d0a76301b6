"""A bad day between Ratchet and MLflow: nothing is lost, nothing is there twice, and what is said helps."""

import dataclasses
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ratchet.errors import InputError
from ratchet.registry.ledger import chain
from ratchet.registry.registered import read_lines
from ratchet.registry.watch import reconcile_models

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few tries, close together."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")


def behind(room: Any, proxy: Any) -> Any:
    return dataclasses.replace(room, tracking_uri=proxy.uri)


def told_in_another_process(room: Any) -> str:
    """The error of a promotion, in a process of its own: MLflow's client remembers the first URL of a file's place."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=tell, args=(queue, room))
    process.start()
    said: str = queue.get(timeout=120)
    process.join(20)
    return said


def tell(queue: Any, room: Any) -> None:
    try:
        queue.put(room.promote("m1").result)
    except InputError as error:
        queue.put(str(error))


def port_of(room: Any) -> int:
    port = urlsplit(room.tracking_uri).port
    assert port is not None
    return port


def held(room: Any) -> dict[str, Any]:
    """What MLflow holds of the room, counted."""
    client = room.client
    experiment = client.get_experiment_by_name(room.experiment).experiment_id
    models = client.search_logged_models([experiment])
    (run, *runs) = client.search_runs([experiment])
    return {
        "runs": 1 + len(runs),
        "models": sorted((model.name, str(model.status)) for model in models),
        "outputs": len(run.outputs.model_outputs),
        "curve": [(p.value, p.step) for p in client.get_metric_history(run.info.run_id, "arithmetic/pass_at_1")],
        "versions": len(client.search_model_versions(f"name = '{room.name}'")),
        "ledger": [line.entry.kind for line in chain(read_lines(room.registered)) if line.entry],
        "aliases": room.aliases,
    }


WHOLE = {
    "runs": 1,
    "models": [("m1", "LoggedModelStatus.READY")],
    "outputs": 1,
    "curve": [(1.0, 1)],
    "versions": 1,
    "ledger": ["promote"],
    "aliases": {"champion": "1"},
}


def whole() -> dict[str, Any]:
    from mlflow.entities import LoggedModelStatus

    return WHOLE | {"models": [("m1", str(LoggedModelStatus.READY))]}


@pytest.mark.parametrize("fault", ["500", "429", "refuse", "lose", "hang"])
def test_every_seventh_request_fails_once_and_all_is_there_once(
    served: Any, fault: str, proxies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = 7 if fault != "hang" else 15
    if fault == "hang":  # after which the client gives up; a busy machine may take seconds to answer what is answered
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")

    def bad(_: str, __: str, number: int) -> str | None:
        return fault if number % every == every - 1 else None

    with proxies.proxying(port_of(served), bad) as proxy:
        assert behind(served, proxy).promote("m1").result == "champion"
        assert sum(what == fault for _, _, what in proxy.seen) >= 2
    assert held(served) == whole()


def test_an_mlflow_that_is_cut_off_at_any_request_is_finished_by_the_next_call(served: Any, proxies: Any) -> None:
    with proxies.proxying(port_of(served)) as proxy:
        room = dataclasses.replace(
            behind(served, proxy), name=served.name + "-count", experiment=served.name + "-count"
        )
        room.promote("m1")
        total = len(proxy.seen)
    assert total > 20
    for cut in range(3, total, max(1, total // 6)):
        name = f"{served.name}-{cut}"
        with proxies.proxying(port_of(served), lambda *given, cut=cut: "refuse" if given[2] >= cut else None) as proxy:
            room = dataclasses.replace(behind(served, proxy), name=name, experiment=name)
            said = told_in_another_process(room)
            assert "MLflow can't be used (" in said and said.count("\n") == 0
            assert "the same command goes on where this one was" in said
        again = dataclasses.replace(served, name=name, experiment=name)
        assert again.promote("m1").result == "champion"
        assert held(again) == whole()


def test_a_reconciler_that_is_cut_off_changes_nothing(served: Any, proxies: Any) -> None:
    served.promote("m1")
    served.promote("m2", "m1")
    served.client.set_registered_model_alias(served.name, "champion", "1")
    keys = [served.key.public_key()]
    # in the second case the ledger is read, and the evidence is not: that is no reason to call it unbacked
    for unreadable in ("", "artifacts"):
        with (
            proxies.proxying(port_of(served), lambda _, path, __, u=unreadable: "500" if u in path else None) as proxy,
            pytest.raises(InputError, match="MLflow can't be used"),
        ):
            reconcile_models(proxy.uri, [served.name], keys)
    assert served.aliases["champion"] == "1" and len(read_lines(served.registered)) == 2
    (done,) = reconcile_models(served.tracking_uri, [served.name], keys)
    assert done.champion == "2" and served.aliases["champion"] == "2"


@pytest.mark.parametrize("which", ["postgres", "s3"])
def test_a_server_that_restarts_meanwhile_costs_nothing(served: Any, servers: Any, which: str, proxies: Any) -> None:
    server = getattr(servers, which)
    begun = threading.Event()

    def watched(_: str, path: str, number: int) -> None:
        if number >= 8 and (which == "postgres" or "artifacts" in path):
            begun.set()

    def restart() -> None:
        begun.wait(60)
        server.stop(kill=which == "s3")
        time.sleep(1)
        server.start()

    room = dataclasses.replace(served, tracking_uri=servers.tracking_uri)
    with proxies.proxying(servers.mlflow.port, watched) as proxy:
        thread = threading.Thread(target=restart)
        thread.start()
        try:
            result = behind(room, proxy).promote("m1").result
        except InputError as error:
            assert "the same command goes on where this one was" in str(error)
            result = None
        thread.join(60)
    if result is None:
        time.sleep(1)
        result = room.promote("m1").result
    assert result == "champion" and held(room) == whole()


def test_no_credential_is_in_anything_that_is_printed_logged_or_stored(
    served: Any, servers: Any, tmp_path: Path, proxies: Any
) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    secrets = {"MLFLOW_TRACKING_PASSWORD": "tracking-pass-5521", "RATCHET_WEBHOOK_SECRET": "hook-secret-1177"}
    private = served.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    secrets["RATCHET_SIGNING_KEY"] = private
    environment = {**os.environ, **secrets, "MLFLOW_TRACKING_USERNAME": "ratchet-user"}
    served = dataclasses.replace(served, tracking_uri=servers.tracking_uri)
    served.log("m1", weights="upload")
    public = tmp_path / "key.pub"
    from ratchet.gate.keys import public_pem

    public.write_text(public_pem(served.key.public_key()))
    base = ["--model", served.name, "--public-key", str(public), "--tracking-uri"]
    request = ["--verdict", str(served.verdict("m1")), "--candidate", str(served.profile("m1")), "--checkpoint"]
    request += [str(served.checkpoint("m1")), "--policy", str(served.policy), "--experiment", served.experiment]
    with proxies.proxying(servers.mlflow.port, lambda *_: "500") as dead:
        credible = dead.uri.replace("//", "//user:url-pass-9931@")
        calls = [
            ["promote", *base, served.tracking_uri, *request],
            ["promote", *base, credible, *request],
            ["reconcile", *base, served.tracking_uri, "--once"],
            ["reconcile", *base, credible, "--once"],
        ]
        printed = ""
        for call in calls:
            done = subprocess.run(
                [sys.executable, "-m", "ratchet", *call], env=environment, capture_output=True, text=True, timeout=120
            )
            printed += done.stdout + done.stderr
            assert done.returncode == (64 if credible in call else 0), printed
    assert "MLflow can't be used" in printed and "CHAMPION" in printed
    body = "".join(private.splitlines()[1:-1])
    forbidden = [*secrets.values(), "url-pass-9931", body, body[:32], "test-secret-7f3a", "postgres-secret-91c2"]
    stored = "".join(
        path.read_text(errors="replace") for path in (servers.folder / "s3").rglob("*") if path.is_file()
    ) + json.dumps(held(served))
    client = served.client
    (run, *_) = client.search_runs([client.get_experiment_by_name(served.experiment).experiment_id])
    stored += json.dumps([run.data.tags, run.data.params])
    stored += json.dumps([dict(v.tags) for v in client.search_model_versions(f"name = '{served.name}'")])
    for secret in forbidden:
        assert secret not in printed and secret not in stored
