"""`ratchet verify` and the signature: any field changed, other keys, no key, and where the private key must not be."""

import base64
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.gate.room import Room, flip, gated

from ratchet.cli import invoke
from ratchet.errors import InputError
from ratchet.gate.keys import public_keys, public_pem, signing_key
from ratchet.gate.signing import signature_fault
from ratchet.gate.step import gate_step
from ratchet.gate.verdict import Verdict

Maker = Callable[..., Path]
FIELDS = [field.name for field in dataclasses.fields(Verdict)]


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


def test_half_of_a_surrogate_pair_is_nothing_that_was_signed_and_no_crash(room: Room) -> None:
    document = {**room.document(), "reasons": ["\ud800"]}
    said = signature_fault(document, public_keys([room / "signing.pem.pub"]))
    assert said is not None and said.endswith("what stands there is no text, so no key did")
