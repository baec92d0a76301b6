"""Reviews: signed, of one version under one verdict, by those who may."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet.errors import InputError
from ratchet.gate.keys import public_pem
from ratchet.registry.ledger import chain
from ratchet.registry.registered import read_lines
from ratchet.registry.review import Review, ReviewRule, read_reviewers
from ratchet.registry.reviewing import candidate, review

ADA, BOB, EVE = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
RULE = ReviewRule((("ada", ADA.public_key()), ("bob", BOB.public_key())))
FOUR_EYES = ReviewRule(RULE.reviewers, four_eyes=True)


def say(
    room: Any, decision: Any, by: str, key: Ed25519PrivateKey, reason: str = "read it", version: str = "1"
) -> Review:
    return review(room.tracking_uri, room.name, version, decision, by, reason, key)


def test_a_promotion_waits_for_an_approval_and_then_names_it(room: Any) -> None:
    verdict = room.verdict("m1")
    waits = room.promote("m1", verdict=verdict, review=RULE)
    assert (waits.result, waits.exit_code, waits.version) == ("waiting", 2, "1")
    assert waits.next.startswith("ratchet review approve --model 'solver' --version 1 --by ... --reason ... --key ")
    assert room.aliases == {"challenger": "1"}
    say(room, "approve", "ada", ADA)
    assert room.promote("m1", verdict=verdict, review=RULE).result == "champion"
    assert room.aliases == {"champion": "1"}
    entry = chain(read_lines(room.registered))[-1].entry
    assert entry is not None and entry.review_digest is not None


def test_a_rejection_refuses_until_its_writer_thinks_otherwise(room: Any) -> None:
    verdict = room.verdict("m1")
    room.promote("m1", verdict=verdict, review=RULE)
    say(room, "approve", "ada", ADA)
    say(room, "reject", "bob", BOB, "worse on fractions")
    refused = room.promote("m1", verdict=verdict, review=RULE)
    assert (refused.exit_code, refused.reasons) == (1, ("rejected by bob: worse on fractions",))
    say(room, "approve", "bob", BOB)
    assert room.promote("m1", verdict=verdict, review=RULE).result == "champion"


@pytest.mark.parametrize(("by", "key"), [("eve", EVE), ("ada", EVE), ("ada", BOB)])
def test_only_a_reviewers_own_key_speaks_for_them(room: Any, by: str, key: Ed25519PrivateKey) -> None:
    verdict = room.verdict("m1")
    room.promote("m1", verdict=verdict, review=RULE)
    say(room, "approve", by, key)
    assert room.promote("m1", verdict=verdict, review=RULE).result == "waiting"


def test_a_review_is_of_one_verdict(room: Any) -> None:
    room.promote("m1", verdict=room.verdict("m1"), review=RULE)
    say(room, "approve", "ada", ADA)
    again = room.verdict("m1", advice=("another verdict",))
    assert room.promote("m1", verdict=again, review=RULE).result == "waiting"


def test_a_changed_or_copied_review_does_not_count(room: Any) -> None:
    verdict = room.verdict("m1")
    room.promote("m1", verdict=verdict, review=RULE)
    say(room, "reject", "ada", ADA)
    tags = room.client.get_model_version("solver", "1").tags
    (tag, text) = next((tag, text) for tag, text in tags.items() if tag.startswith("ratchet.review."))
    room.client.set_model_version_tag("solver", "1", tag, text.replace('"reject"', '"approve"'))
    assert room.promote("m1", verdict=verdict, review=RULE).result == "waiting"
    say(room, "approve", "ada", ADA)
    room.promote("m1", verdict=verdict, review=RULE)
    second = room.verdict("m2", "m1")
    room.promote("m2", verdict=second, review=RULE)
    tags = room.client.get_model_version("solver", "1").tags
    for tag, text in tags.items():
        if tag.startswith("ratchet.review."):
            room.client.set_model_version_tag("solver", "2", tag, text)
    assert room.promote("m2", verdict=second, review=RULE).result == "waiting"


def test_four_eyes_are_not_those_of_whoever_started_the_run(room: Any) -> None:
    verdict = room.verdict("m1")
    unknown = room.promote("m1", verdict=verdict, review=FOUR_EYES)
    assert unknown.reasons == ("four eyes are asked for and the run does not say who started it",)
    (run,) = room.client.search_runs([room.client.get_experiment_by_name("loop").experiment_id])
    room.client.set_tag(run.info.run_id, "ratchet.started_by", "ada")
    say(room, "approve", "ada", ADA)
    own = room.promote("m1", verdict=verdict, review=FOUR_EYES)
    assert own.reasons == ("it waits for a review; ada started the run and can't approve it",)
    say(room, "approve", "bob", BOB)
    assert room.promote("m1", verdict=verdict, review=FOUR_EYES).result == "champion"


def test_show_says_which_signatures_hold(room: Any, tmp_path: Path) -> None:
    room.promote("m1", review=RULE)
    say(room, "approve", "ada", ADA)
    say(room, "approve", "eve", EVE, "trust me")
    path = reviewers_file(tmp_path / "reviewers.txt")
    shown = candidate(room.tracking_uri, "solver", "1", path)
    assert (shown.verdict, shown.review, shown.aliases) == ("PROMOTE", "approved", ("challenger",))
    assert {(said.by, said.signature) for said in shown.reviews} == {("ada", "holds"), ("eve", "does not hold")}
    unchecked = candidate(room.tracking_uri, "solver", "1", None)
    assert (unchecked.review, {said.signature for said in unchecked.reviews}) == ("pending", {"not checked"})
    with pytest.raises(InputError, match="no version 9"):
        candidate(room.tracking_uri, "solver", "9", None)


def reviewers_file(path: Path) -> Path:
    lines = [f"{name} {base64.b64encode(key.public_bytes_raw()).decode()}" for name, key in RULE.reviewers]
    path.write_text("# who may review\n" + "\n".join(lines) + "\n")
    return path


def test_a_file_of_reviewers_is_read_line_by_line(tmp_path: Path) -> None:
    assert read_reviewers(reviewers_file(tmp_path / "r.txt")) == RULE.reviewers
    pem = public_pem(ADA.public_key()).splitlines()[1]
    (tmp_path / "r.txt").write_text(f"ada {pem}")
    assert read_reviewers(tmp_path / "r.txt") == RULE.reviewers[:1]
    for text, said in (("", "no reviewers"), ("ada\n", "r.txt:1: no reviewer"), ("ada b64 more", "r.txt:1")):
        (tmp_path / "r.txt").write_text(text)
        with pytest.raises(InputError) as error:
            read_reviewers(tmp_path / "r.txt")
        assert said in str(error.value)


def test_a_version_without_verdict_cannot_be_reviewed(room: Any) -> None:
    room.promote("m1")
    room.client.create_model_version("solver", (room.folder / "mlartifacts").as_uri())
    with pytest.raises(InputError, match="version 2 has no verdict"):
        say(room, "approve", "ada", ADA, version="2")
    with pytest.raises(InputError, match="no reason"):
        say(room, "approve", "ada", ADA, reason="")


def test_the_stored_review_is_json_that_names_who_when_and_why(room: Any) -> None:
    room.promote("m1", review=RULE)
    say(room, "reject", "ada", ADA, "worse")
    tags = room.client.get_model_version("solver", "1").tags
    (text,) = [text for tag, text in tags.items() if tag.startswith("ratchet.review.")]
    stored = json.loads(text)
    assert (stored["by"], stored["decision"], stored["reason"]) == ("ada", "reject", "worse")
    assert stored["created"].startswith("20") and stored["signature"].startswith("ed25519:")


def test_a_policy_that_wants_a_review_promotes_nothing_without_one(room: Any) -> None:
    room.policy.write_text(room.policy.read_text() + "review: {four_eyes: true}\n")
    outcome = room.promote("m1")
    assert (outcome.result, outcome.reasons) == ("error", ("the policy wants a review",))
    assert "--review" in outcome.next
    assert room.aliases == {}
    with_one = room.promote("m1", review=RULE)  # which asks for no four eyes itself
    assert with_one.reasons == ("four eyes are asked for and the run does not say who started it",)
