"""What is missing, altered, too large, unknown or away is one line that says what to do."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from ratchet.registry.registered import evidence_folder
from ratchet.storage import arrow_file
from ratchet_dashboard import evidence
from ratchet_dashboard.app import make_app
from ratchet_dashboard.drawn import unpacked_bytes
from ratchet_dashboard.evidence import require_place
from ratchet_dashboard.faults import Unfit
from ratchet_dashboard.origin import Origin

REVIEW = "/models/solver/versions/3"


def files(loop: Any, number: str) -> Path:
    return Path(urlsplit(loop.client.get_model_version("solver", number).source).path)


@contextlib.contextmanager
def changed(path: Path, content: bytes | None) -> Iterator[None]:
    """The file with another content, or without any, and afterwards as it was."""
    was = path.read_bytes()
    try:
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        yield
    finally:
        path.write_bytes(was)


def evidence_file(loop: Any, number: str, name: str) -> Path:
    digest = loop.client.get_model_version("solver", number).tags["ratchet.verdict_digest"]
    return files(loop, number) / evidence_folder(digest) / name


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("verdict.json", None, "Verdict.json was deleted"),
        ("verdict.json", b'{"verdict": "PROMOTE"}', "Verdict.json was altered"),
        ("profile.json", None, "Profile.json was deleted"),
        ("profile.json", b"{}", "Profile.json is not the one that the verdict is on"),
        ("policy.yaml", None, "Policy.yaml was deleted"),
        ("policy.yaml", b"version: [", "Policy.yaml can't be read"),
    ],
)
def test_evidence_that_is_gone_or_changed_is_said_and_what_to_do(
    loop: Any, get: Any, name: str, content: bytes | None, said: str
) -> None:
    with changed(evidence_file(loop, "3", name), content):
        answer = get(REVIEW)
    assert answer.status_code == 200
    assert said in answer.text.replace("&#39;", "'") and "put the version forward again" in answer.text
    assert "ratchet review approve" in answer.text  # what is left of the page is there


def test_a_policy_that_was_replaced_by_another_one_is_not_shown_as_the_one_applied(loop: Any, get: Any) -> None:
    path = evidence_file(loop, "3", "policy.yaml")
    with changed(path, path.read_bytes().replace(b"max_drop: 0.05", b"max_drop: 0.50")):
        text = get(REVIEW).text
    assert "Policy.yaml was altered" in text and "fall of 0.500" not in text


def test_a_champion_whose_verdict_was_deleted_is_champion_no_more_on_the_page(loop: Any, get: Any) -> None:
    with changed(evidence_file(loop, "2", "verdict.json"), None):
        text = get("/models/solver").text
    assert "Version 2 backs nothing: verdict.json was deleted." in text
    assert "In MLflow @champion points to 2, by the ledger it is version 1." in text


def test_a_verdict_that_does_not_compare_with_todays_champion_says_to_gate_again(loop: Any, get: Any) -> None:
    assert "can't become champion as it is" not in get(REVIEW).text
    with changed(evidence_file(loop, "2", "verdict.json"), None):  # so that version 1 is champion, and m3 faced m2
        text = get(REVIEW).text
    assert "can't become champion as it is. The verdict does not compare with the champion, version 1" in text


def test_a_store_of_artifacts_that_is_away_leaves_the_page_and_says_so(loop: Any, get: Any) -> None:
    folder = files(loop, "2")
    away = folder.rename(folder.with_name("away"))
    try:
        text = get("/models/solver").text
    finally:
        away.rename(folder)
    assert "Who is champion can&#39;t be told: the evidence can&#39;t be read." in text
    assert "version 3" in text and "became champion" in text


def test_a_line_of_the_ledger_that_was_changed_or_came_too_late_is_shown_as_such(loop: Any, get: Any) -> None:
    ledger, tag = "solver.ledger", "ratchet.entry"
    was = loop.client.get_model_version(ledger, "2").tags[tag]
    loop.client.set_model_version_tag(ledger, "2", tag, was.replace("ratchet promote", "somebody"))
    # written after the start, as the first line was, which came before it
    late = loop.client.create_model_version(
        ledger, f"ratchet-ledger:/sha256:{'0' * 64}/after/start", tags={tag: "{}"}, await_creation_for=0
    )
    try:
        text = get("/models/solver").text
    finally:
        loop.client.set_model_version_tag(ledger, "2", tag, was)
        loop.client.delete_model_version(ledger, late.version)
    assert text.count("its ledger entry was changed after it was written") == 3  # both lines, and what backs nothing
    assert text.count("came too late: it does not count") == 1
    assert "In MLflow @champion points to 2, by the ledger it is version 1." in text
    assert "somebody" not in text


def test_an_override_that_has_expired_says_so_in_the_queue(loop: Any, get: Any) -> None:
    tags = {
        "ratchet.override": "BLOCK overridden by eve until 2020-01-01: hurry",
        "ratchet.override_expires": "2020-01-01",
    }
    for key, value in tags.items():
        loop.client.set_model_version_tag("solver", "3", key, value)
    try:
        assert "EXPIRED: BLOCK overridden by eve until 2020-01-01: hurry" in get("/models/solver").text
        assert "EXPIRED: BLOCK overridden by eve" in get(REVIEW).text
    finally:
        for key in tags:
            loop.client.delete_model_version_tag("solver", "3", key)


def test_attempts_that_were_altered_are_not_compared(loop: Any, get: Any) -> None:
    path = files(loop, "3") / "attempts.parquet"
    with changed(path, path.read_bytes() + b"\0"):
        answer = get(f"{REVIEW}/against/1")
    assert answer.status_code == 409
    assert "The files of version 3 can&#39;t be read: another profile than the one that was promoted." in answer.text
    assert get(f"{REVIEW}/against/1").status_code == 200  # a refusal is not kept


@pytest.mark.parametrize(
    ("limits", "name", "path"),
    [
        (evidence.LARGEST_PROFILE, "attempts.parquet", f"{REVIEW}/against/2"),
        (evidence.LARGEST, "verdict.json", f"{REVIEW}/profile"),
    ],
)
def test_a_file_over_its_bound_is_not_downloaded(
    get: Any, cache: Any, monkeypatch: pytest.MonkeyPatch, limits: Any, name: str, path: str
) -> None:
    monkeypatch.setitem(limits, name, 10)
    answer = get(path)
    assert answer.status_code == 409 and "bytes" in answer.text and "10 at most" in answer.text


def test_attempts_that_unpack_to_too_much_are_not_read(get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ratchet_dashboard import drawn

    monkeypatch.setattr(drawn, "LARGEST_UNPACKED", 100)
    answer = get(f"{REVIEW}/against/2")
    assert answer.status_code == 409 and "bytes of attempts" in answer.text


def test_a_text_that_stands_in_a_file_once_counts_as_often_as_it_stands_in_rows(tmp_path: Path) -> None:
    path, rows, text = tmp_path / "small.parquet", 40_000, "x" * 50_000
    indices = pa.array([0] * rows, pa.int32())
    table = pa.table({"text": pa.DictionaryArray.from_arrays(indices, pa.array([text])), "n": pa.array([1] * rows)})
    pq.write_table(table, path)
    assert path.stat().st_size < 100_000
    with arrow_file(path) as stream:
        assert 5 * 10**8 < unpacked_bytes(stream, 5 * 10**8) < 2 * 10**9  # it stops where there is enough
        assert unpacked_bytes(stream, 10**10) >= rows * len(text)
    plain = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"text": [f"row {i}" for i in range(1000)] + [None]}), plain)
    with arrow_file(plain) as stream:
        assert sum(len(f"row {i}") for i in range(1000)) <= unpacked_bytes(stream, 10**6) < 50_000


@pytest.mark.parametrize(
    "path",
    [
        "/models/nobody",
        "/models/solver.ledger",
        "/models/a'%20OR%20name%20LIKE%20'%25",
        "/models/..%2f..%2fetc",
        "/models/solver/versions/9",
        "/models/solver/versions/0x3",
        "/models/solver/versions/3/against/99",
        "/models/solver/",
        "/nothing",
    ],
)
def test_what_is_not_there_is_a_404_with_a_line_and_no_redirect(get: Any, path: str) -> None:
    answer = get(path, follow_redirects=False, headers={"host": "evil.example"})
    assert answer.status_code == 404 and "Not found" in answer.text
    assert "evil.example" not in answer.text + str(answer.headers) and "Traceback" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/models/solver", "/healthz", "/nothing"])
def test_whatever_is_no_reading_is_a_405(loop: Any, cache: Any, method: str, path: str) -> None:
    with TestClient(make_app(Origin(loop.tracking_uri), cache)) as client:
        answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_every_answer_has_the_headers_that_keep_it_harmless(loop: Any, get: Any, cache: Any) -> None:
    for path in ("/", REVIEW, f"{REVIEW}/profile", "/healthz", "/nothing", "/static/dashboard.css"):
        headers = get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self' 'unsafe-inline'")
        assert "script-src" not in headers["content-security-policy"]
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    with TestClient(make_app(Origin(loop.tracking_uri), cache)) as client:
        assert client.head("/models/solver").status_code == 200


@pytest.mark.parametrize(
    "source",
    ["http://169.254.169.254/latest", "https://evil.example/x", "ftp://evil.example/x", "dbfs:/x", "models:/solver/1"]
    + ["hdfs://evil.example/x", "abfss://x@evil.example/x", "gs://bucket/x", "s3://[x"],
)
def test_files_on_a_host_that_a_version_names_are_not_fetched(source: str) -> None:
    with pytest.raises(Unfit, match="lie where the dashboard does not read"):
        require_place(source)


def test_files_in_mlflows_own_store_and_in_buckets_are() -> None:
    for source in (
        "mlflow-artifacts:/1/models/m-1/artifacts",
        "s3://bucket/x",
        "/data/mlartifacts/1",
        "file:///data/x",
    ):
        require_place(source)


def test_a_version_that_was_never_put_forward_says_so(loop: Any, get: Any) -> None:
    loop.client.create_registered_model("other")
    loop.client.create_model_version("other", "/nowhere/at/all", await_creation_for=0)
    try:
        assert "other" not in get("/").text.split("</h1>")[1]
        text = get("/models/other/versions/1").text
        assert "It was not put forward by `ratchet promote`: it has no verdict." in text
        assert get("/models/other/versions/1/profile").status_code == 409
        loop.client.set_model_version_tag("other", "1", "ratchet.verdict_digest", "sha256:" + "0" * 64)
        assert "The files of version 1 can&#39;t be read: no such folder" in get("/models/other/versions/1").text
    finally:
        loop.client.delete_registered_model("other")


def test_an_mlflow_that_is_away_is_a_503_that_names_nothing(
    cache: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with TestClient(make_app(Origin(f"http://user:secret@127.0.0.1:{port}"), cache)) as client:
        answers = [client.get(path) for path in ("/", "/models/solver", REVIEW, f"{REVIEW}/against/2")]
        assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)
    for answer in answers:
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        assert "MLflow does not answer" in answer.text
        assert not any(word in answer.text for word in ("secret", "127.0.0.1", str(port)))
    assert "secret" not in capsys.readouterr().err
