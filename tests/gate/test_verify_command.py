"""`ratchet verify`: a real verdict on real profiles, then one thing changed at a time."""

import base64
import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet.cli import invoke
from ratchet.errors import InputError
from ratchet.gate.keys import key_id, public_keys, public_pem, signing_key
from ratchet.gate.signing import sign
from ratchet.gate.step import gate_step
from ratchet.gate.verdict import Verdict, read_verdict, write_verdict
from ratchet.gate.verify import Verification, verify
from ratchet.identity import checkpoint_digest

Maker = Callable[..., Path]
FIELDS = [field.name for field in dataclasses.fields(Verdict)]


@dataclass(frozen=True)
class Room:
    """A folder with a signed PROMOTE verdict, the profiles that it is on, its policy and its keys."""

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def arguments(self, *more: str, key: str = "signing.pem.pub") -> list[str]:
        """The words of a whole `ratchet verify`."""
        sides = ["--candidate", str(self / "new"), "--base", str(self / "base"), "--policy", str(self / "policy.yaml")]
        return ["verify", str(self / "verdict.json"), *sides, "--public-key", str(self / key), *more]

    def checked(self, *names: str, **options: Any) -> Verification:
        """The verification of `verdict.json` with the sides named, and with everything else unless given."""
        given = {"policy": self / "policy.yaml", "keys": public_keys([self / "signing.pem.pub"])}
        given |= {"now": datetime.now(UTC)} | options
        sides = {name: self / folder for name, folder in {"candidate": "new", "base": "base"}.items() if name in names}
        return verify(self / "verdict.json", sides, **given)

    def failed(self, **options: Any) -> list[str]:
        """Names of the checks that fail; where one does, no verdict is given and the exit code is 3."""
        verification = self.checked("candidate", "base", **options)
        failed = [check.name for check in verification.checks if check.result == "failed"]
        assert (verification.verdict is None, verification.exit_code == 3) == (bool(failed), bool(failed))
        return failed

    def document(self) -> dict[str, Any]:
        """What `verdict.json` holds."""
        return json.loads((self / "verdict.json").read_text())

    def write(self, document: Any) -> None:
        """Put another document into `verdict.json`."""
        (self / "verdict.json").write_text(json.dumps(document, indent=2))


def gated(room: Room, *more: str, candidate: str = "new", key: str = "signing.pem") -> int:
    given = ["--candidate", str(room / candidate), "--base", str(room / "base"), "--policy", str(room / "policy.yaml")]
    return invoke(["gate", *given, "--out", str(room / "verdict.json"), "--key", str(room / key), *more])


@pytest.fixture
def room(profile: Maker, policy: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    for variable in ("RATCHET_SIGNING_KEY", "RATCHET_VERIFY_KEY"):
        monkeypatch.delenv(variable, raising=False)
    profile("new", [9] * 100)
    profile("base", [8] * 100)
    policy()
    room = Room(tmp_path)
    for name in ("signing.pem", "other.pem"):
        assert invoke(["keys", "new", "--out", str(room / name)]) == 0
    assert gated(room) == 0
    return room


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


def flip(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) >= 1 and len(old) == len(new)
    path.write_bytes(content.replace(old, new, 1))


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


def changed(value: Any) -> Any:
    """Another value that JSON can hold, of the same kind where there is one."""
    if isinstance(value, dict):
        return {**value, "more": next(iter(value.values()), 0)}
    if isinstance(value, list):
        return [*value, *(value[-1:] or ["more"])]
    return {str: lambda: value + " ", bool: lambda: not value, int: lambda: value + 1}.get(type(value), lambda: "x")()


@pytest.mark.parametrize("field", FIELDS)
def test_a_verdict_with_any_field_changed_or_left_out_is_refused(field: str, room: Room) -> None:
    document = room.document()
    room.write({**document, field: changed(document[field])})
    assert "signature" in room.failed()
    room.write({name: value for name, value in document.items() if name != field})
    assert "signature" in room.failed()
    room.write({**document, field: None} if document[field] is not None else {**document, field: False})
    assert "signature" in room.failed()
    room.write(document)
    assert room.failed() == []


def test_what_stands_deep_in_the_verdict_is_signed_too(room: Room) -> None:
    document = room.document()
    for name, value in document["axes"][0].items():
        room.write({**document, "axes": [{**document["axes"][0], name: changed(value)}, *document["axes"][1:]]})
        assert "signature" in room.failed(), name
    room.write({**document, "axes": document["axes"][::-1]})
    assert room.failed() == ["signature"]
    # the same number in another type is another document
    room.write({**document, "axes": [{**document["axes"][0], "problems": 100.0}, *document["axes"][1:]]})
    assert room.failed() == ["signature"]


def test_a_field_that_is_new_is_refused(room: Room) -> None:
    room.write({**room.document(), "blessed": True})
    assert room.failed() == ["schema", "signature"]


def test_another_version_is_said_to_be_one(room: Room) -> None:
    for other in (2, "1", True, 1.0):
        room.write({**room.document(), "version": other})
        assert {"version", "signature"} <= set(room.failed())
        said = {check.name: check.said for check in room.checked("candidate").checks}
        assert said["version"] == f"the verdict says {json.dumps(other)}, this Ratchet reads 1"


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


def test_another_key_is_refused_and_both_keys_serve_a_rotation(room: Room, tmp_path: Path) -> None:
    assert invoke(room.arguments(key="other.pem.pub")) == 3
    both = ["--public-key", str(room / "other.pem.pub")]
    assert invoke(room.arguments(*both)) == 0  # signed with the old key
    assert gated(room, key="other.pem") == 0
    assert invoke(room.arguments(*both)) == 0  # signed with the new one
    assert room.failed() == ["signature"]  # the old key alone
    assert room.failed(keys=public_keys([room / "signing.pem.pub", room / "other.pem.pub"])) == []


def test_the_public_key_may_come_from_the_environment(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    call = room.arguments()[:-2]
    assert invoke(call) == 64
    monkeypatch.setenv("RATCHET_VERIFY_KEY", (room / "signing.pem.pub").read_text())
    assert invoke(call) == 0
    assert invoke(room.arguments(key="other.pem.pub")) == 3  # the option goes before the environment


def test_the_signature_of_another_verdict_is_refused(room: Room, profile: Maker) -> None:
    promoted = room.document()["signature"]
    profile("worse", [2] * 100)
    assert gated(room, candidate="worse") == 1
    room.write({**room.document(), "signature": promoted})
    shutil.rmtree(room / "new")
    (room / "worse").rename(room / "new")
    assert room.failed() == ["signature"]


def test_a_verdict_without_signature_is_refused_unless_that_is_asked_for(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    room.write({**room.document(), "signature": None})
    assert room.failed() == ["signature"]
    assert room.failed(unsigned=True) == [] == room.failed(unsigned=True, keys=())
    capsys.readouterr()
    assert invoke(room.arguments("--unsigned")) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("PROMOTE, NO SIGNATURE WAS VERIFIED")
    assert room.checked("candidate", unsigned=True).signed_by is None
    flip(room / "new" / "profile.json", b'"correct": ', b'"correct":\t')
    assert room.failed(unsigned=True) == ["profile of candidate"]


def test_a_signature_that_is_there_must_hold_where_a_key_is_given(room: Room) -> None:
    for spoilt in ("", "x", 7, []):
        room.write({**room.document(), "signature": spoilt})
        assert "signature" in room.failed(unsigned=True)
    room.write({**room.document(), "signature": f"ed25519:{'0' * 16}:{base64.b64encode(bytes(64)).decode()}"})
    assert room.failed(unsigned=True) == ["signature"]
    assert room.failed(unsigned=True, keys=()) == []


def test_without_a_key_nothing_is_verified(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="no public key"):
        room.checked("candidate", keys=())
    assert invoke(room.arguments()[:-2]) == 64
    assert "expected --public-key, or RATCHET_VERIFY_KEY; --unsigned checks" in capsys.readouterr().err


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


def test_a_key_that_cannot_be_used_leaves_no_verdict(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    (room / "verdict.json").unlink()
    (room / "signing.pem").chmod(0o644)
    assert gated(room) == 64
    assert "chmod 600" in capsys.readouterr().err and not (room / "verdict.json").exists()


def test_a_pipelines_gate_signs_with_the_key_in_the_environment(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, base = (room / "policy.yaml").read_text(), {"base": str(room / "base")}
    assert gate_step(str(room / "new"), base, policy, False, room / "unsigned").signature is None
    monkeypatch.setenv("RATCHET_SIGNING_KEY", (room / "signing.pem").read_text())
    gate_step(str(room / "new"), base, policy, False, room / "signed")
    shutil.copy(room / "signed" / "verdict.json", room / "verdict.json")
    assert room.failed() == []


def test_no_output_and_no_file_holds_the_key(
    room: Room, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    private = signing_key(room / "signing.pem")
    assert private is not None
    raw, secret = private.private_bytes_raw(), (room / "signing.pem").read_text()
    printed = capsys.readouterr()
    spoken = printed.out + printed.err
    for form in ("text", "json", "markdown"):
        gated(room, "--format", form, "--report", str(room / "page.html"))
        monkeypatch.setenv("RATCHET_SIGNING_KEY", base64.b64encode(raw).decode())
        gate_step(
            str(room / "new"), {"base": str(room / "base")}, (room / "policy.yaml").read_text(), False, room / form
        )
        monkeypatch.setenv("RATCHET_SIGNING_KEY", secret[:-40])  # spoilt: an error
        assert invoke(["keys", "public"]) == 64
    invoke(room.arguments())
    invoke(room.arguments(key="signing.pem"))  # the private key in place of the public one: an error
    invoke(["keys", "public", "--key", secret])
    printed = capsys.readouterr()
    spoken += printed.out + printed.err
    files = [path for path in room.folder.rglob("*") if path.is_file() and path.suffix != ".pem"]
    assert len(files) > 10
    told = spoken.encode() + b"".join(path.read_bytes() for path in files) + repr(private).encode()
    body = secret.splitlines()[1]
    for form in (raw, base64.b64encode(raw), raw.hex().encode(), body.encode(), body[24:40].encode()):
        assert form not in told
    assert public_pem(private.public_key()).encode() in told  # the search finds what is there


def test_a_private_key_is_never_written_into_a_representation() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    assert base64.b64encode(bytes(range(32))).decode()[:12] not in repr(key) + str(key)
