"""Every page says what the registry holds, and nothing that others wrote becomes markup."""

from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.testclient import TestClient

from ratchet_dashboard import listing
from ratchet_dashboard.app import make_app
from ratchet_dashboard.origin import Origin

SCRIPT = "<script>alert('x')</script>"
REVIEW = "/models/solver/versions/3"
PAGES = ["/", "/models/solver", REVIEW, f"{REVIEW}/profile", f"{REVIEW}/against/2"]


class Page(HTMLParser):
    """The elements of a page, its links, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """An element begins."""
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href" and tag == "a"]

    def handle_data(self, data: str) -> None:
        """Text, but for the styles."""
        if self.tags[-1:] != ["style"]:
            self.text += f" {data}"


def page(answer: Any) -> Page:
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_has_one_first_heading_and_nothing_that_runs(get: Any, path: str) -> None:
    found = page(get(path))
    assert found.tags.count("h1") == 1
    assert not {"script", "iframe", "object", "embed", "form", "img"} & set(found.tags)
    assert "Traceback" not in found.text


def test_links_lead_from_the_models_to_the_answers_side_by_side(get: Any) -> None:
    seen, ahead = set(), ["/"]
    while ahead:
        path = ahead.pop()
        if path not in seen:
            seen.add(path)
            ahead += [link.partition("#")[0] for link in page(get(path)).links]
    assert set(PAGES) <= seen


def test_the_list_names_champion_challenger_and_the_last_incident(get: Any) -> None:
    text = page(get("/")).text
    # m2 is version 2; ada's approval is there, and the last `promote` had found none yet
    assert "solver version 2 version 3 1 20" in text
    assert "@champion was moved to version 1, which is champion no more" in text
    assert "solver.ledger" not in text


def test_the_list_counts_all_versions_that_wait_in_requests_of_some_at_a_time(
    loop: Any, get: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 1)
    loop.client.set_model_version_tag("solver", "1", "ratchet.review", "pending")
    try:
        assert "solver version 2 version 3 2 20" in page(get("/")).text
        assert "than are looked through here" not in get("/").text
        monkeypatch.setattr(listing, "MOST", 1)
        assert "MLflow has more registered models, or more versions that wait" in get("/").text
    finally:
        loop.client.delete_model_version_tag("solver", "1", "ratchet.review")


def test_a_model_shows_first_what_waits_then_its_versions_then_who_was_champion(get: Any) -> None:
    text = page(get("/models/solver")).text
    waiting, versions, ledger = (text.index(each) for each in ("Waiting", "All versions", "Who was champion"))
    queue = text[waiting:versions]
    assert "version 3 @challenger PROMOTE approved by a reviewer; the same promotion, called again" in queue
    assert "round 3 of run" in queue and "version 2" not in queue
    assert text[versions:ledger].count("PROMOTE not asked for") == 2
    # the incident is the third line: @champion stood at 1 and belongs to 2
    lines = text[ledger:]
    assert "incident: @champion stood at version 1" in lines and "none: the reconciler has no key" in lines
    assert lines.count("became champion") == 2
    assert lines.count("holds") == 3  # two signatures, and the reason of the first: its evidence holds
    assert "Champion: version 2 by the ledger; its signatures and files hold." in text


def test_the_review_page_has_verdict_evidence_words_and_commands(get: Any) -> None:
    text = page(get(REVIEW)).text
    assert "PROMOTE This checkpoint may be promoted: it is within every margin." in text
    assert "Signature of the verdict: holds" in text
    # m3 solves 90 of 100 problems with every attempt; m2 solves all, with 3 of 4 attempts
    assert "pass@1 critical champion 0.900 0.750 +0.150" in text
    assert "pass@4 advisory champion 0.900 1.000 -0.100" in text
    assert "started by grace" in text and "sums: 100 problems, 400 attempts" in text
    curves = text[text.index("What more attempts reach") : text.index("What was said")]
    assert "pass@k on sums" in curves and "version 3" in curves and "version 2" in curves
    command = "ratchet review approve --model solver --version 3 --by NAME --reason 'WHY' --key NAME.pem"
    assert command in text and command.replace("approve", "reject") in text
    holds, forged = text.index(f"read 40 of them {SCRIPT} holds"), text.index("said in her name does not hold")
    assert holds and forged


def test_the_champions_page_says_how_to_take_it_back(get: Any) -> None:
    text = page(get("/models/solver/versions/2")).text
    assert "ratchet rollback --model solver --reason 'WHY'" in text
    assert "ratchet review approve" not in text


def test_profile_and_comparison_are_the_librarys_own_pages_with_the_way_back(get: Any) -> None:
    profile, comparison = page(get(f"{REVIEW}/profile")), page(get(f"{REVIEW}/against/2"))
    assert "Asked once, the model is right 90 % of the time" in profile.text
    assert "m3 after m2" in comparison.text and f"m3 says 0: {SCRIPT}" in comparison.text
    # every tenth problem of 100 is lost
    assert "sums 100 10 0" in comparison.text
    assert {"/models/solver", REVIEW} <= set(profile.links) & set(comparison.links)


def test_what_tags_say_is_text_and_nothing_else(loop: Any, get: Any) -> None:
    hostile = {"ratchet.run": SCRIPT, "ratchet.override": f"{SCRIPT}\u202e", "ratchet.round": '"><img src=x>'}
    before = dict(loop.client.get_model_version("solver", "3").tags)
    for key, value in hostile.items():
        loop.client.set_model_version_tag("solver", "3", key, value)
    try:
        for path in PAGES[:3]:
            answer = get(path)
            assert "<script" not in answer.text.lower() and "<img" not in answer.text and "\u202e" not in answer.text
            if path != "/":
                assert SCRIPT in page(answer).text
    finally:
        for key in hostile:
            if key in before:
                loop.client.set_model_version_tag("solver", "3", key, before[key])
            else:
                loop.client.delete_model_version_tag("solver", "3", key)


def test_without_public_key_and_reviewers_nothing_is_said_to_hold(loop: Any, cache: Any) -> None:
    with TestClient(make_app(Origin(loop.tracking_uri), cache)) as client:
        answers = [client.get("/models/solver"), client.get(REVIEW)]
    model, review = (page(answer).text for answer in answers)
    assert not any("mark good" in answer.text for answer in answers)
    assert "by the ledger, which nobody checked" in model and "not checked" in model
    assert review.count("not checked") == 3  # the verdict and two words


def test_a_key_that_nobody_trusts_makes_no_champion_and_opens_no_file(loop: Any, cache: Any, tmp_path: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ratchet.gate.keys import public_pem

    other = tmp_path / "other.pub"
    other.write_text(public_pem(Ed25519PrivateKey.generate().public_key()))
    with TestClient(make_app(Origin(loop.tracking_uri, (other,)), cache)) as client:
        model, review = page(client.get("/models/solver")).text, page(client.get(REVIEW)).text
        refused = [client.get(f"{REVIEW}/{rest}") for rest in ("profile", "against/2")]
    assert "There is no champion." in model and model.count("does not hold") == 2
    assert "In MLflow @champion points to 2, by the ledger it is version none." in model
    assert "Do not trust this verdict" in review
    assert [answer.status_code for answer in refused] == [409, 409]
    assert "not signed by a trusted key, so the files that it names are not opened" in refused[0].text
    assert cache.held_bytes == 0


@pytest.mark.parametrize("stripped", [True, False])
def test_under_a_root_path_links_have_it_whether_the_proxy_strips_it_or_not(
    loop: Any, cache: Any, stripped: bool
) -> None:
    with TestClient(make_app(Origin(loop.tracking_uri), cache, "/ratchet")) as client:
        for path in PAGES[:3]:
            answer = client.get(path if stripped else f"/ratchet{path}")
            assert all(link.startswith(("/ratchet/", "#")) for link in page(answer).links)
            assert 'href="/ratchet/static/dashboard.css"' in answer.text
        assert client.get("/ratchet/static/dashboard.css").status_code == 200
        assert client.get("/ratchet", follow_redirects=False).status_code == 200  # as people type it
