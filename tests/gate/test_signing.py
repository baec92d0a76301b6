"""What is signed, by whom, and which keys are taken; nothing here needs evidence."""

import base64
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.cli import invoke
from ratchet.errors import InputError
from ratchet.gate.keys import key_id, new_key, public_keys, public_pem, signing_key, verifying_keys
from ratchet.gate.signing import sign, signature_fault, signed_bytes
from ratchet.gate.verdict import Reference, Verdict

SEED = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(SEED)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
VERDICT = Verdict(
    verdict="BLOCK",
    kind="reversal",
    reasons=('größer: 0.200 "x" \\ \n',),
    axes=(),
    references={"base": Reference("sha256:a", "sha256:b")},
    policy_digest="sha256:p",
    profile_digests={"candidate": "sha256:c", "base": "sha256:b"},
    checkpoint_digest=None,
    created="2026-01-01T12:00:00+00:00",
)
# signed with openssl (pkeyutl -sign -rawin) under the seed 00 01 ... 1f
VECTOR = (
    "ed25519:56475aa75463474c:QUBh6Hv9q1WPmM1mKVhKI+3Uz5kQkUd7nwSsG1XWuGCVJ7JRntO19wO04nkU4fQtE1LPjA39FkP6u3kLImdqAQ=="
)
Private = Ed25519PrivateKey | ed448.Ed448PrivateKey | rsa.RSAPrivateKey | x25519.X25519PrivateKey


def document(verdict: Verdict) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(verdict)))


def pem(key: Private, password: bytes | None = None) -> str:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock).decode()


def key_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_the_signed_bytes_are_these() -> None:
    # written by hand: prefix and line break, keys sorted, no spaces, UTF-8, no `signature`, 1e-9 as Python writes it
    small = {"version": 1, "signature": "x", "b": [1.0, 1e-9, None, True], "a": {"z": 'größer "\\\n\u007f', "y": -0.05}}
    by_hand = b'{"a":{"y":-0.05,"z":"gr\xc3\xb6\xc3\x9fer \\"\\\\\\n\x7f"},"b":[1.0,1e-09,null,true],"version":1}'
    assert signed_bytes(small) == b"ratchet verdict 1\n" + by_hand


def test_the_signature_is_ed25519_over_the_canonical_form() -> None:
    canonical = (
        b'{"advice":[],"axes":[],"checkpoint_digest":null,"created":"2026-01-01T12:00:00+00:00","kind":"reversal",'
        b'"lineage":[],"policy_digest":"sha256:p","profile_digests":{"base":"sha256:b","candidate":"sha256:c"},'
        b'"reasons":["gr\xc3\xb6\xc3\x9fer: 0.200 \\"x\\" \\\\ \\n"],'
        b'"references":{"base":{"checkpoint":"sha256:a","profile_digest":"sha256:b"}},"verdict":"BLOCK","version":1}'
    )
    identity = hashlib.sha256(KEY.public_key().public_bytes_raw()).hexdigest()[:16]
    signature = f"ed25519:{identity}:{b64(KEY.sign(b'ratchet verdict 1' + bytes([10]) + canonical))}"
    assert signature == VECTOR
    by_hand = json.loads(canonical)
    assert signature_fault({**by_hand, "signature": signature}, [KEY.public_key()]) is None
    # `sign` writes the same form, over these fields and those that a Verdict has got since
    assert by_hand.items() <= document(VERDICT).items()
    whole = signed_bytes(document(VERDICT))
    assert sign(VERDICT, KEY).signature == f"ed25519:{identity}:{b64(KEY.sign(whole))}"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the command openssl")
def test_openssl_verifies_what_was_signed(tmp_path: Path) -> None:
    signature = str(sign(VERDICT, KEY).signature).rpartition(":")[2]
    (tmp_path / "signature").write_bytes(base64.b64decode(signature))
    (tmp_path / "public.pem").write_text(public_pem(KEY.public_key()))
    verify = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public.pem", "-sigfile", "signature"]
    whole = signed_bytes(document(VERDICT))
    for content, code in ((whole, 0), (whole + b" ", 1)):
        (tmp_path / "signed").write_bytes(content)
        assert subprocess.run([*verify, "-in", "signed"], cwd=tmp_path, capture_output=True).returncode == code


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_layout_and_order_make_no_difference_and_content_does(content: dict[str, Any]) -> None:
    unsigned = {name: value for name, value in content.items() if name != "signature"}
    laid_out = json.dumps(dict(reversed(unsigned.items())), indent=3)
    assert signed_bytes(json.loads(laid_out)) == signed_bytes(content)
    # what is signed says all: the document comes back from it
    assert json.loads(signed_bytes(content).removeprefix(b"ratchet verdict 1\n")) == unsigned


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_say_is_not_signed(bad: object) -> None:
    with pytest.raises(ValueError):
        signed_bytes({"a": bad})


def test_a_signature_is_its_keys_alone() -> None:
    signed = document(sign(VERDICT, KEY))
    keys = (OTHER.public_key(), KEY.public_key())
    assert signature_fault(signed, keys) is None
    assert signature_fault(signed, keys[:1]) == (
        f"the verdict says that key {key_id(KEY.public_key())} signed it, "
        f"the keys given are {key_id(OTHER.public_key())}"
    )
    renamed = {**signed, "signature": signed["signature"].replace(key_id(keys[1]), key_id(keys[0]))}
    assert "did not sign what stands there now" in str(signature_fault(renamed, keys))


def test_a_signature_over_the_same_json_for_another_purpose_is_refused() -> None:
    signed = document(sign(VERDICT, KEY))
    bare = signed_bytes(signed).removeprefix(b"ratchet verdict 1\n")
    signed["signature"] = f"ed25519:{key_id(KEY.public_key())}:{b64(KEY.sign(bare))}"
    assert "did not sign" in str(signature_fault(signed, [KEY.public_key()]))


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda s: s[:-4],  # 61 bytes
        lambda s: s + "AAAA",
        lambda s: s[:-2],  # no padding
        lambda s: s.replace(":", ";"),
        lambda s: s.replace("ed25519", "none"),
        lambda s: s.replace("ed25519:", ""),
        lambda s: s[:24] + "!" * 88,
        lambda s: s[:-1] + "\n",
        lambda s: s[:30] + " " + s[30:],
        lambda s: s.upper(),
        lambda s: s[:-3] + chr(ord(s[-3]) + 1) + "==",  # the same 64 bytes, other idle bits
        lambda s: s[:-3] + "é==",
        lambda s: "",
        lambda s: [s],
        lambda s: {"ed25519": s},
        lambda s: 7,
        lambda s: True,
    ],
)
def test_any_other_form_is_no_signature(spoilt: Callable[[str], object]) -> None:
    signed = document(sign(VERDICT, KEY))
    signed["signature"] = spoilt(signed["signature"])
    fault = str(signature_fault(signed, [KEY.public_key()]))
    assert fault == "the signature is not ed25519, a key id and 64 bytes in base64, parted by colons"


@pytest.mark.parametrize("text", [pem(KEY), b64(SEED), b64(SEED) + "\n", " " + pem(KEY)])
def test_a_private_key_is_pem_or_base64(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_file(tmp_path / "key", text)
    monkeypatch.delenv("RATCHET_SIGNING_KEY", raising=False)
    assert signing_key() is None
    assert _seed(signing_key(path)) == SEED
    for variable in (text, text.replace("\n", "\\n")):
        monkeypatch.setenv("RATCHET_SIGNING_KEY", variable)
        assert _seed(signing_key()) == SEED
    monkeypatch.setenv("RATCHET_SIGNING_KEY", b64(bytes(32)))
    assert _seed(signing_key(path)) == SEED  # the file goes before the environment


def _seed(key: Ed25519PrivateKey | None) -> bytes | None:
    return None if key is None else key.private_bytes_raw()


SMALL_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
REFUSED = {
    "rsa": (pem(SMALL_RSA), "another kind of key (RSA)"),
    "ed448": (pem(ed448.Ed448PrivateKey.generate()), "another kind of key (Ed448)"),
    "x25519": (pem(x25519.X25519PrivateKey.generate()), "another kind of key (X25519)"),
    "password": (pem(KEY, b"secret"), "a private key with a password"),
    "public": (public_pem(KEY.public_key()), "a public key; expected an Ed25519 private key"),
    "cut": (pem(KEY)[:60], "no private key that can be read"),
    "short": (b64(SEED[:31]), "no private key that can be read"),
    "long": (b64(SEED + b"x"), "no private key that can be read"),
    "hex": (SEED.hex(), "no private key that can be read"),
    "binary": ("\x80\x00", "no private key that can be read"),
    "nothing": ("", "no private key that can be read"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_no_private_key_and_is_not_repeated(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = key_file(tmp_path / "key", text)
    with pytest.raises(InputError) as error:
        signing_key(path)
    assert str(error.value).startswith(f"{path}: {said}")
    assert not _leaks(str(error.value), text)
    assert error.value.__cause__ is None and error.value.__suppress_context__ or error.value.__context__ is None
    if "\0" in text:
        return
    monkeypatch.setenv("RATCHET_SIGNING_KEY", text)
    with pytest.raises(InputError) as error:
        signing_key()
    assert str(error.value).startswith("RATCHET_SIGNING_KEY: " + (said if text else "empty"))
    assert not _leaks(str(error.value), text)


def _leaks(shown: str, secret: str) -> bool:
    """Whether eight characters in a row of a secret's body are shown."""
    body = "".join(line for line in secret.splitlines() if "-----" not in line)
    return any(body[i : i + 8] in shown for i in range(len(body) - 7))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o602, 0o610])
def test_a_key_that_others_can_reach_is_refused_with_the_fix(mode: int, tmp_path: Path) -> None:
    path = key_file(tmp_path / "my key", pem(KEY), mode)
    with pytest.raises(InputError) as error:
        signing_key(path)
    assert f"(mode {mode:04o}); expected mode 0600; chmod 600 '{path}'" in str(error.value)


def secret_mount(folder: Path, mode: int) -> Path:
    """A key as the kubelet lays it: `key -> ..data/key`, `..data -> ..2026_01_01_12_00_00.1`."""
    key_file(folder / "..2026_01_01_12_00_00.1" / "key", pem(KEY), mode)
    (folder / "..data").symlink_to("..2026_01_01_12_00_00.1")
    (folder / "key").symlink_to("..data/key")
    return folder / "key"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the files of a secret are root's")
@pytest.mark.parametrize("mode", [0o644, 0o440, 0o400])
def test_a_kubernetes_secret_is_taken_as_it_is_mounted(mode: int, tmp_path: Path) -> None:
    assert _seed(signing_key(secret_mount(tmp_path, mode))) == SEED


def test_a_secret_mount_that_others_can_write_to_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mode 0666"):
        signing_key(secret_mount(tmp_path, 0o666))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only it can give a file away")
def test_a_secret_mount_is_roots(tmp_path: Path) -> None:
    path = secret_mount(tmp_path, 0o644)
    os.chown(path, 1000, 1000)
    with pytest.raises(InputError, match="mode 0644"):
        signing_key(path)


def test_a_link_to_a_file_elsewhere_is_no_secret_mount(tmp_path: Path) -> None:
    (tmp_path / "..data").symlink_to(".")
    (tmp_path / "key").symlink_to(key_file(tmp_path / "real", pem(KEY), 0o644))
    with pytest.raises(InputError, match="mode 0644"):
        signing_key(tmp_path / "key")


@pytest.mark.parametrize("text", [pem(KEY), b64(SEED)])
def test_a_key_given_in_place_of_its_file_is_not_repeated(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["keys", "public", "--key", text]) == 64
    said = capsys.readouterr()
    assert said.err.startswith("ratchet: the private key's file can't be read (") and not _leaks(said.err, text)


def test_public_keys_come_from_files_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = KEY.public_key(), OTHER.public_key()
    monkeypatch.delenv("RATCHET_VERIFY_KEY", raising=False)
    assert public_keys() == ()
    monkeypatch.setenv("RATCHET_VERIFY_KEY", public_pem(mine).replace("\n", "\\n"))
    assert public_keys() == (mine,)
    both = key_file(tmp_path / "both", public_pem(other) + public_pem(mine), 0o644)
    raw = key_file(tmp_path / "raw", f"{b64(other.public_bytes_raw())}\n{b64(mine.public_bytes_raw())}\n", 0o644)
    assert public_keys([both]) == public_keys([raw]) == (other, mine)
    assert public_keys([raw, both]) == (other, mine, other, mine)


def test_without_public_keys_the_signing_keys_own_half_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RATCHET_VERIFY_KEY", raising=False)
    assert verifying_keys(KEY) == (KEY.public_key(),)
    assert verifying_keys(None) == ()
    monkeypatch.setenv("RATCHET_VERIFY_KEY", public_pem(OTHER.public_key()))
    assert verifying_keys(KEY) == (OTHER.public_key(),)  # named keys alone: its own half is not added to them


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (pem(KEY), "a private key"),
        (SMALL_RSA.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(), "(RSA)"),
        (public_pem(KEY.public_key()) + "and a remark", "no public key that can be read"),
        (public_pem(KEY.public_key())[:-30], "no public key that can be read"),
        (b64(SEED[:31]), "no public key that can be read"),
        ("\n", "no key"),
    ],
    ids=["private", "rsa", "remark", "cut", "short", "nothing"],
)  # fmt: skip
def test_anything_else_is_no_public_key(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        public_keys([key_file(tmp_path / "key", text)])
    assert said in str(error.value) and "expected Ed25519 public keys" in str(error.value)
    assert not _leaks(str(error.value), text)


@pytest.mark.parametrize("variable", ["RATCHET_SIGNING_KEY", "RATCHET_VERIFY_KEY"])
def test_a_secret_that_arrived_empty_is_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, " \n")
    with pytest.raises(InputError, match="empty") as error:
        (signing_key if variable == "RATCHET_SIGNING_KEY" else public_keys)()
    assert str(error.value) == f"{variable}: empty; expected a key; unset it to go on without a key"


def test_a_new_pair_belongs_together_and_is_its_owners(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys" / "signing.pem"
    before = os.umask(0)
    try:
        assert invoke(["keys", "new", "--out", str(path)]) == 0
    finally:
        os.umask(before)
    printed = capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o600
    private, (public,) = signing_key(path), public_keys([Path(f"{path}.pub")])
    assert private is not None and private.public_key() == public and printed == key_id(public) + "\n"
    assert invoke(["keys", "public", "--key", str(path)]) == 0
    assert capsys.readouterr().out == Path(f"{path}.pub").read_text() == public_pem(public)


@pytest.mark.parametrize("there", ["signing.pem", "signing.pem.pub"])
def test_no_key_is_overwritten(there: str, tmp_path: Path) -> None:
    (tmp_path / there).symlink_to("nowhere")
    with pytest.raises(InputError, match="a file is there already"):
        new_key(tmp_path / "signing.pem")
    assert [path.name for path in tmp_path.iterdir()] == [there]


def test_without_a_key_there_is_no_public_half(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RATCHET_SIGNING_KEY", raising=False)
    assert invoke(["keys", "public"]) == 64
    assert capsys.readouterr().err == "ratchet: no private key; expected --key, or RATCHET_SIGNING_KEY\n"
