"""`ratchet verify`: a real verdict on real profiles, then one thing changed at a time."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.gate.room import Room, flip, gated

from ratchet.cli import invoke
from ratchet.errors import InputError
from ratchet.gate.keys import key_id, public_keys, signing_key
from ratchet.gate.signing import sign
from ratchet.gate.verdict import read_verdict, write_verdict
from ratchet.gate.verify import verify
from ratchet.identity import checkpoint_digest

Maker = Callable[..., Path]


def test_a_signed_verdict_on_these_files_holds(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert invoke(room.arguments()) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    (public,) = public_keys([room / "signing.pem.pub"])
    assert first == f"{room / 'verdict.json'}: PROMOTE, signed by key {key_id(public)}"
    results = [line.partition("  ")[0] for line in rest]
    assert results == ["ok"] * 9 + ["not checked"]  # the weights were not given
    assert rest[-1] == "not checked  checkpoint: not given"


@pytest.mark.parametrize(("right", "code"), [([9] * 100, 0), ([2] * 100, 1), ([0] * 6 + [9] * 94, 2), ([8] * 99, 3)])
def test_the_exit_code_is_the_verdicts(right: Sequence[int], code: int, room: Room, profile: Maker) -> None:
    profile("new", right)
    assert gated(room) == code
    assert invoke(room.arguments()) == code
    assert room.failed() == [] if code != 3 else room.checked("candidate").verdict is not None


def test_json_says_the_same(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert invoke(room.arguments("--format", "json")) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["verified"], said["verdict"], len(said["signed_by"])) == (True, "PROMOTE", 16)
    assert said["checks"][0]["name"] == "schema" and {c["result"] for c in said["checks"]} == {"ok", "not checked"}
    (room / "verdict.json").write_text((room / "verdict.json").read_text().replace("PROMOTE", "BLOCK"))
    assert invoke(room.arguments("--format", "json")) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["verified"], said["verdict"], said["signed_by"]) == (False, None, None)


def test_one_byte_of_a_file_is_found(room: Room) -> None:
    for side in ("candidate", "base"):
        path = room / {"candidate": "new"}.get(side, side) / "profile.json"
        whole = path.read_bytes()
        flip(path, b'"correct": ', b'"correct":\t')
        assert room.failed() == [f"profile of {side}"]
        for broken in (whole[:-2] + b"x\n", b"[" * 100_000, b"[1]", b"\xff"):
            path.write_bytes(broken)
            assert room.failed()[:1] == [f"profile of {side}"]
        path.write_bytes(whole)
        attempts = path.parent / "attempts.parquet"
        kept = attempts.read_bytes()
        attempts.write_bytes(kept[:100] + bytes([kept[100] ^ 1]) + kept[101:])
        assert room.failed() == [f"attempts of {side}"]
        attempts.write_bytes(kept)
    assert room.failed() == []
    flip(room / "policy.yaml", b"max_drop: 0.05", b"max_drop: 0.06")
    assert room.failed() == ["policy"]


def test_layout_of_policy_and_verdict_make_no_difference(room: Room) -> None:
    (room / "policy.yaml").write_text("# a remark\n" + (room / "policy.yaml").read_text())
    document = dict(reversed(room.document().items()))
    (room / "verdict.json").write_text(json.dumps(document))
    assert room.failed() == []


@pytest.mark.parametrize(
    "content",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: f"[{text}]",
        lambda text: text.replace('"kind"', '"verdict": "PROMOTE", "kind"'),
        lambda text: text.replace('"problems": 100', '"problems": NaN', 1),
        lambda text: text.replace('"problems": 100', '"problems": 1e999', 1),
        lambda text: text.replace('"candidate"', '"\\ud800"'),
        lambda text: text.replace('"advice": []', '"advice": ' + "[" * 100_000 + "]" * 100_000),
    ],
    ids=["cut", "empty", "list", "key twice", "NaN", "infinite", "surrogate", "deep"],
)
def test_what_is_no_json_document_is_64(
    content: Callable[[str], str], room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (room / "verdict.json").read_text()
    assert content(text) != text
    (room / "verdict.json").write_text(content(text))
    capsys.readouterr()
    assert invoke(room.arguments()) == 64
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith(f"ratchet: {room / 'verdict.json'}") and said.err.count("\n") == 1


def test_what_is_not_given_is_said_to_be_unchecked(room: Room) -> None:
    unchecked = {c.name for c in room.checked("candidate", policy=None).checks if c.result == "not checked"}
    assert unchecked == {"profile of base", "policy", "checkpoint"}
    with pytest.raises(InputError, match="no candidate"):
        room.checked("base")


def test_a_reference_that_the_verdict_does_not_name_is_refused(room: Room, profile: Maker) -> None:
    profile("stranger", [8] * 100)
    assert invoke(room.arguments("--champion", str(room / "stranger"))) == 3
    assert room.failed(history=[room / "stranger"]) == ["profile of history 1"]
    assert room.failed(history=[room / "base"]) == []
    assert room.failed(history=[room / "new"]) == ["profile of history 1"]  # the candidate is no reference of its own


def test_the_second_profile_of_a_reference_is_told_from_the_one_that_was_judged(
    room: Room, profile: Maker, policy: Maker
) -> None:
    policy("against: [base]", "against: [base, champion]")
    profile("again", [7] * 100, checkpoint="sha256:base")
    assert gated(room, "--champion", str(room / "again")) == 0
    sides = {"candidate": room / "new", "base": room / "base", "champion": room / "again"}
    keys = public_keys([room / "signing.pem.pub"])
    checks = verify(room / "verdict.json", sides, None, keys, datetime.now(UTC)).checks
    said = {check.name: (check.result, check.said) for check in checks}
    assert said["profile of base"][0] == "ok" and said["profile of champion"] == (
        "not checked",
        "the verdict rests on base's profile of the same checkpoint, and not on this one",
    )
    swapped = verify(room / "verdict.json", {**sides, "base": room / "again"}, None, keys, datetime.now(UTC))
    assert [check.name for check in swapped.checks if check.result == "failed"] == ["profile of base"]
    profile("again", [7] * 100, checkpoint="sha256:third")
    other = verify(room / "verdict.json", sides, None, keys, datetime.now(UTC))
    assert [check.name for check in other.checks if check.result == "failed"] == ["profile of champion"]


def test_the_weights_are_checked_where_they_are_given(room: Room, profile: Maker) -> None:
    weights = room / "m1"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"weights")
    (weights / "config.json").write_text("{}")
    assert room.failed(checkpoint=weights) == ["checkpoint"]
    profile("new", [9] * 100, checkpoint=checkpoint_digest(weights))
    assert gated(room) == 0 and room.failed(checkpoint=weights) == []
    (weights / "model.safetensors").write_bytes(b"weighty")
    assert room.failed(checkpoint=weights) == ["checkpoint"]
    profile("new", [9] * 100, checkpoint=None)
    assert gated(room) == 0 and room.failed(checkpoint=weights) == ["checkpoint"]


def test_a_verdict_on_other_weights_than_its_profile_states_is_refused(room: Room) -> None:
    # only a signer could make one: the gate takes both from the profile
    key = signing_key(room / "signing.pem")
    assert key is not None
    forged = dataclasses.replace(read_verdict(room / "verdict.json"), checkpoint_digest="sha256:other")
    write_verdict(room / "verdict.json", sign(forged, key))
    assert room.failed() == ["checkpoint"]


def dated(room: Room, created: str) -> None:
    key = signing_key(room / "signing.pem")
    assert key is not None
    verdict = dataclasses.replace(read_verdict(room / "verdict.json"), created=created)
    write_verdict(room / "verdict.json", sign(verdict, key))


def test_the_time_of_the_verdict_is_past_and_not_too_long(room: Room) -> None:
    dated(room, "2026-03-01T12:00:00+00:00")
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert room.failed(now=noon) == [] == room.failed(now=noon - timedelta(minutes=4))  # clocks differ a little
    assert room.failed(now=noon - timedelta(minutes=6)) == ["created"]
    week = timedelta(days=7)
    assert room.failed(now=noon + week, max_age=week) == []
    assert room.failed(now=noon + week + timedelta(seconds=1), max_age=week) == ["created"]
    checks = room.checked("candidate", now=noon + timedelta(days=9), max_age=week).checks
    said = "the verdict says 2026-03-01T12:00:00+00:00, 9.0 days ago; at most 7"
    assert said in [check.said for check in checks]


@pytest.mark.parametrize("created", ["", "yesterday", "2026-03-01", "2026-03-01T12:00:00"])
def test_a_time_without_a_zone_is_none(created: str, room: Room) -> None:
    dated(room, created)
    assert room.failed() == ["created"]


def test_max_age_is_in_days(room: Room) -> None:
    dated(room, (datetime.now(UTC) - timedelta(hours=36)).isoformat())
    assert invoke(room.arguments("--max-age", "2")) == 0
    assert invoke(room.arguments("--max-age", "1.25")) == 3
    assert invoke(room.arguments("--max-age", "0")) == 64


def test_each_failure_is_a_line_of_its_own_and_the_verdict_is_not_repeated(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    old = json.loads((room / "verdict.json").read_text())["profile_digests"]["candidate"]
    flip(room / "new" / "profile.json", b'"correct": ', b'"correct":\t')
    flip(room / "policy.yaml", b"max_drop: 0.05", b"max_drop: 0.06")
    room.write({**room.document(), "lineage": ["a\nok           signature: by key 0\x1b[2J"]})
    capsys.readouterr()
    assert invoke(room.arguments()) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{room / 'verdict.json'}: NOT VERIFIED, 3 of {len(lines) - 1} checks failed"
    assert [line.split(":")[0].split(maxsplit=1) for line in lines[1:4]] == [
        ["failed", "signature"],
        ["failed", "profile of candidate"],
        ["failed", "policy"],
    ]
    assert f"the verdict says {old}, {room / 'new' / 'profile.json'} has sha256:" in lines[2]
    assert all("PROMOTE" not in line and "\x1b" not in line for line in lines)


def test_a_missing_profile_is_64(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(room / "new")
    assert invoke(room.arguments()) == 64
    assert "new/profile.json: no such file" in capsys.readouterr().err
