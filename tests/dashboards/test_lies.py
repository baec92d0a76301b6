"""Whoever may write to MLflow tells lies with tags, files and versions: the pages show none of them as what holds."""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from ratchet.gate.policy import Review as ReviewPolicy
from ratchet.registry.registered import evidence_folder
from ratchet_dashboard.app import make_app
from ratchet_dashboard.origin import Origin
from ratchet_dashboard.queries import read_review
from ratchet_dashboard.review_view import review_view

REVIEW = "/models/solver/versions/3"
TWIN = "names the same verdict, which is on one checkpoint: the files of one of them are others"


def tags(loop: Any, number: str) -> dict[str, str]:
    return dict(loop.client.get_model_version("solver", number).tags)


def files(loop: Any, number: str) -> Path:
    return Path(urlsplit(loop.client.get_model_version("solver", number).source).path)


@contextlib.contextmanager
def tagged(loop: Any, number: str, **other: str) -> Iterator[None]:
    """The version with other tags, and afterwards with its own."""
    was = tags(loop, number)
    try:
        for key, value in other.items():
            loop.client.set_model_version_tag("solver", number, f"ratchet.{key}", value)
        yield
    finally:
        for key in other:
            name = f"ratchet.{key}"
            if name in was:
                loop.client.set_model_version_tag("solver", number, name, was[name])
            else:
                loop.client.delete_model_version_tag("solver", number, name)


@contextlib.contextmanager
def twin(loop: Any, number: str, folder: Path) -> Iterator[str]:
    """Another version with the tags and the evidence of that one, and with weights that nobody judged."""
    shutil.copytree(files(loop, number), folder)
    (folder / "other.bin").write_bytes(b"other weights")
    own = tags(loop, number)
    made = loop.client.create_model_version("solver", f"file://{folder}", tags=own, await_creation_for=0)
    try:
        yield str(made.version)
    finally:
        loop.client.delete_model_version("solver", made.version)


def test_of_a_champion_the_ledger_says_which_verdict_and_no_tag_does(loop: Any, get: Any) -> None:
    first, second = tags(loop, "1"), tags(loop, "2")
    before = get(REVIEW).text
    copied = files(loop, "2") / evidence_folder(first["ratchet.verdict_digest"])
    shutil.copytree(files(loop, "1") / evidence_folder(first["ratchet.verdict_digest"]), copied)
    lies = {"verdict_digest": first["ratchet.verdict_digest"], "digest": first["ratchet.digest"]}
    try:
        with tagged(loop, "2", **lies):
            page = get("/models/solver/versions/2").text
            assert "Its tags name another verdict than the ledger does." in page
            assert second["ratchet.verdict_digest"] in page and first["ratchet.verdict_digest"] not in page
            assert get("/models/solver/versions/2/profile").text.count(second["ratchet.digest"][7:19]) > 0
            curves = "What more attempts reach"
            assert (
                get(REVIEW).text.split(curves)[1].split("</figure>")[0]
                == (before.split(curves)[1].split("</figure>")[0])
            )
            assert "m2 says" in get(f"{REVIEW}/against/2").text
    finally:
        shutil.rmtree(copied)


def test_a_verdict_that_two_versions_name_is_said_to_be_of_one(loop: Any, get: Any, tmp_path: Path) -> None:
    assert TWIN not in get(REVIEW).text
    with twin(loop, "3", tmp_path / "copied") as other:
        assert f"Version 3 {TWIN}" in get(f"/models/solver/versions/{other}").text
        assert f"Version {other} {TWIN}" in get(REVIEW).text
    with twin(loop, "2", tmp_path / "of the champion") as other:
        assert f"Version 2 {TWIN}" in get(f"/models/solver/versions/{other}").text
        assert TWIN not in get("/models/solver/versions/2").text  # the ledger names it


def test_what_it_was_gated_against_is_a_version_whose_profile_the_verdict_names(
    loop: Any, get: Any, tmp_path: Path
) -> None:
    link = "today&#39;s champion and the champion that it was gated against"
    assert link in get(REVIEW).text
    with twin(loop, "1", tmp_path / "copied") as other, tagged(loop, other, digest=tags(loop, "2")["ratchet.digest"]):
        text = get(REVIEW).text
    assert "the champion that it was gated against" not in text and f"versions/{other}" not in text


def test_where_the_champion_cannot_be_told_no_page_says_that_there_is_none(loop: Any, get: Any) -> None:
    folder = files(loop, "2")
    away = folder.rename(folder.with_name("away"))
    try:
        for path in ("/models/solver", REVIEW):
            text = get(path).text
            assert "There is no champion" not in text
            assert "Who is champion can&#39;t be told: the evidence can&#39;t be read." in text
    finally:
        away.rename(folder)


@pytest.mark.parametrize("policy", [b"version: 2020-99-99\n", b"version: " + b"9" * 5000], ids=["date", "digits"])
def test_a_policy_that_yaml_chokes_on_is_a_line(policy: bytes, loop: Any, get: Any) -> None:
    for number in ("2", "3"):
        digest = tags(loop, number)["ratchet.verdict_digest"]
        path = files(loop, number) / evidence_folder(digest) / "policy.yaml"
        was = path.read_bytes()
        path.write_bytes(policy)
        try:
            answer = get(REVIEW)
        finally:
            path.write_bytes(was)
        assert answer.status_code == 200
        assert ("Policy.yaml can&#39;t be read (not YAML" in answer.text) is (number == "3")


def test_an_override_that_a_tag_claims_is_said_to_be_a_tags(loop: Any, get: Any) -> None:
    with tagged(loop, "2", override="BLOCK overridden by eve until 2090-01-01: fake"):
        assert "override, by an unsigned tag:</strong> BLOCK overridden by eve" in get("/models/solver").text
        assert "MLflow's tag: BLOCK overridden by eve" in get("/models/solver/versions/2").text


@pytest.mark.parametrize("number", ["1" * 5000, "03", "0", "-1", "٣"])
def test_a_number_that_no_version_has_is_not_found(number: str, get: Any) -> None:
    assert get(f"/models/solver/versions/{number}").status_code == 404


def test_without_a_key_every_page_says_that_nothing_was_checked(loop: Any, cache: Any) -> None:
    with TestClient(make_app(Origin(loop.tracking_uri), cache)) as client:
        for path in (REVIEW, f"{REVIEW}/profile", f"{REVIEW}/against/2"):
            assert "not checked" in client.get(path).text


def test_a_cache_that_something_emptied_is_filled_again(get: Any, cache: Any) -> None:
    assert get(f"{REVIEW}/profile").status_code == 200
    shutil.rmtree(cache.folder)
    assert get(f"{REVIEW}/profile").status_code == 200


def test_a_policy_that_asks_for_four_eyes_says_whose_do_not_count(loop: Any) -> None:
    found = read_review(Origin(loop.tracking_uri, (loop.public_key,), loop.reviewers), "solver", "3")
    assert found.evidence.policy is not None and review_view(found)["four_eyes"] == ""
    strict = found.evidence.policy.model_copy(update={"review": ReviewPolicy(four_eyes=True)})
    told = review_view(dataclasses.replace(found, evidence=dataclasses.replace(found.evidence, policy=strict)))
    assert "that of grace, who started the run, does not count" in told["four_eyes"]
