"""The dashboard as a process, and how often a page asks a real MLflow server."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ratchet.cli import invoke as ratchet
from ratchet_dashboard import drawn
from ratchet_dashboard.app import make_app
from ratchet_dashboard.cache import Busy
from ratchet_dashboard.origin import Origin
from ratchet_dashboard.queries import read_versions
from ratchet_dashboard.serve import require_root_path

REVIEW = "/models/solver/versions/3"
PATIENCE_S = 240.0  # a busy machine takes a minute to import MLflow


def asked(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return answer.status, answer.read().decode()


def test_it_starts_answers_and_ends_by_sigterm_with_nothing_left(loop: Any, tmp_path: Path) -> None:
    words = ["dashboard", "--port", "0", "--tracking-uri", loop.tracking_uri, "--public-key", str(loop.public_key)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ratchet", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ} | {"TMPDIR": str(tmp_path)},
    )
    try:
        assert process.stderr is not None
        url = process.stderr.readline().split()[-1]
        assert asked(f"{url}healthz") == (200, "ok\n")
        assert "after m2" in asked(f"{url.rstrip('/')}{REVIEW}/against/2")[1]
        assert any(tmp_path.rglob("page.html"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--public-key", "/nowhere.pub"], "the public key's file can't be read"),
        (["--reviewers", "/nowhere.txt"], "no such file or directory"),
        (["--root-path", "/models"], "root path '/models'; expected such as /ratchet"),
        (["--root-path", "//evil.example"], "root path '//evil.example'"),
    ],
)
def test_what_is_wrong_with_the_command_is_said_before_anybody_is_answered(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ratchet(["dashboard", "--tracking-uri", "sqlite:////nowhere/mlflow.db", *words]) == 64
    assert said in capsys.readouterr().err


def test_an_address_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert ratchet(["dashboard", "--tracking-uri", "sqlite:////nowhere/mlflow.db", "--port", port]) == 64
    assert f"127.0.0.1:{port}: address already in use" in capsys.readouterr().err


def test_a_root_path_is_taken_without_its_last_slash() -> None:
    assert [require_root_path(text) for text in ("", "/", "/ratchet/", "/a/b")] == ["", "", "/ratchet", "/a/b"]


def test_a_store_that_is_slow_keeps_no_page_waiting_whose_files_are_there(
    loop: Any, cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = Origin(loop.tracking_uri, (loop.public_key,), loop.reviewers)
    first, last = read_versions(origin, "solver", "1", "3")
    asked, there = threading.Event(), threading.Event()
    fetch = drawn.fetch_profile

    def fetch_slowly(*given: Any) -> Path:
        asked.set()
        there.wait(60)
        return fetch(*given)

    monkeypatch.setattr(drawn, "fetch_profile", fetch_slowly)
    monkeypatch.setattr(drawn, "AT_ONCE", 1)
    monkeypatch.setattr(drawn, "PATIENCE_S", 0.1)
    drawing = drawn.Drawing(origin, cache)
    with ThreadPoolExecutor() as pool:
        comparison = pool.submit(drawing.comparison, "solver", first, last)
        try:
            assert asked.wait(60)
            assert "What more attempts reach" in drawing.profile(*last)
            with pytest.raises(Busy, match="look again in a moment"):  # fetching has turns too
                drawing.comparison("solver", last, first)
        finally:
            there.set()
        assert "</html>" in comparison.result(60)


@pytest.fixture(scope="module")
def mlflow_port(loop: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real `mlflow server` on the registry's database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    log = tmp_path_factory.mktemp("server") / "log"
    words = ["server", "--port", str(port), "--workers", "1", "--backend-store-uri", loop.tracking_uri]
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words],
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )
    try:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.1)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@pytest.mark.slow
def test_a_page_asks_mlflow_as_often_for_a_hundred_versions_as_for_three(
    loop: Any, cache: Any, mlflow_port: int, registry_module: Any
) -> None:
    loop.client.create_registered_model("many")
    for number in range(100):
        loop.client.create_model_version("many", f"/nowhere/{number}", await_creation_for=0)
    with registry_module.proxying(mlflow_port) as proxy:
        client = TestClient(make_app(Origin(proxy.uri, (loop.public_key,), loop.reviewers), cache))

        def requests(path: str) -> int:
            before = len(proxy.seen)
            assert client.get(path).status_code == 200
            return len(proxy.seen) - before

        # the table of docs/dashboard.md; files lie on this machine and are no requests here
        assert requests("/") == 2
        assert requests("/models/solver") == requests("/models/many") == 5
        assert requests(REVIEW) == 7  # its run and one checkpoint of its lineage besides
        assert requests("/models/many/versions/7") == 5  # it is of no run
        assert requests(f"{REVIEW}/profile") == 2
        assert (requests(f"{REVIEW}/against/2"), requests(f"{REVIEW}/against/2")) == (2, 2)
        page = client.get("/models/many").text
        assert "1 to 50 of 100 versions" in page and "versions=2" in page
        assert "51 to 100 of 100 versions" in client.get("/models/many?versions=2").text


@pytest.mark.slow
def test_a_version_whose_files_lie_on_another_host_says_so_and_that_host_hears_nothing(
    loop: Any, cache: Any, mlflow_port: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.0)
        host = f"127.0.0.1:{other.getsockname()[1]}"
        loop.client.create_registered_model("elsewhere")
        try:
            source = f"mlflow-artifacts://{host}/x"
            version = loop.client.create_model_version("elsewhere", source, await_creation_for=0)
            tag = "ratchet.verdict_digest", f"sha256:{64 * '0'}"
            loop.client.set_model_version_tag("elsewhere", version.version, *tag)
            client = TestClient(make_app(Origin(f"http://127.0.0.1:{mlflow_port}", (loop.public_key,)), cache))
            assert f"its files lie at {host}; if that is MLflow too" in client.get("/models/elsewhere/versions/1").text
            with pytest.raises(BlockingIOError):
                other.accept()
        finally:
            loop.client.delete_registered_model("elsewhere")
