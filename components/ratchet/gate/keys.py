"""The keys that verdicts are signed and verified with: Ed25519, from a file or from the environment.

No message of this module repeats what a key file or a variable holds, nor a name that no file has: it may be the key.
"""

import base64
import binascii
import hashlib
import os
import re
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ratchet.errors import InputError

SIGNING_VARIABLE, VERIFY_VARIABLE = "RATCHET_SIGNING_KEY", "RATCHET_VERIFY_KEY"
KEY_BYTES = 32
LARGEST_FILE = 64 * 2**10  # bytes: a few hundred keys
PRIVATE = "an Ed25519 private key, PEM (PKCS8, without password) or 32 bytes in base64"
PUBLIC = "Ed25519 public keys, PEM or 32 bytes in base64 each"
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def signing_key(path: Path | None = None) -> Ed25519PrivateKey | None:
    """The private key in the file, else the one in `RATCHET_SIGNING_KEY`, None where neither is given.

    A file that others than its owner can read is refused, unless it is a Kubernetes secret's (`docs/verify.md`).
    """
    if path is None:
        text = _variable(SIGNING_VARIABLE)
        return None if text is None else _private(text, SIGNING_VARIABLE)
    text, status = _content(path, "private")
    others = stat.S_IMODE(status.st_mode) & 0o077
    if others and not _in_secret_mount(path, status):
        raise InputError(
            f"a private key that others than its owner can reach (mode {stat.S_IMODE(status.st_mode):04o})",
            where=path,
            expected="mode 0600",
            next=f"chmod 600 {shlex.quote(str(path))}",
        )
    return _private(text, path)


def public_keys(paths: Sequence[Path] = ()) -> tuple[Ed25519PublicKey, ...]:
    """The public keys in the files, else those in `RATCHET_VERIFY_KEY`; one text may hold several."""
    if paths:
        return tuple(key for path in paths for key in _publics(_content(path, "public")[0], path))
    text = _variable(VERIFY_VARIABLE)
    return () if text is None else _publics(text, VERIFY_VARIABLE)


def verifying_keys(key: Ed25519PrivateKey | None) -> tuple[Ed25519PublicKey, ...]:
    """The keys in `RATCHET_VERIFY_KEY`; without that variable the public half of `key`, where there is one."""
    return public_keys() or (() if key is None else (key.public_key(),))


def new_key(path: Path) -> Ed25519PublicKey:
    """The public half of a new key, PEM: the private one is in `path` (mode 0600), the public one in `path`.pub."""
    public = path.with_name(path.name + ".pub")
    for file in (path, public):
        if os.path.lexists(file):
            raise InputError("a file is there already", where=file, expected="a new file: keys are never overwritten")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_new(path, secret, 0o600)
    _write_new(public, public_pem(key.public_key()).encode(), 0o644)
    return key.public_key()


def public_pem(key: Ed25519PublicKey) -> str:
    """The public key as PEM (SubjectPublicKeyInfo)."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def _variable(name: str) -> str | None:
    """The text of an environment variable; an empty one is a secret that did not arrive, and is refused."""
    text = os.environ.get(name)
    if text is not None and not text.strip():
        raise InputError("empty", where=name, expected="a key", next="unset it to go on without a key")
    # env files can't hold line breaks, so PEM arrives there with \n spelt out
    return None if text is None else text.replace("\\n", "\n")


def _content(path: Path, kind: str) -> tuple[str, os.stat_result]:
    try:
        with path.open("rb") as stream:
            content, status = stream.read(LARGEST_FILE + 1), os.fstat(stream.fileno())
    except OSError as error:
        found = f"the {kind} key's file can't be read ({(error.strerror or 'error').lower()})"
        raise InputError(found, expected="the path of a file") from None
    if len(content) > LARGEST_FILE:
        raise InputError(f"over {LARGEST_FILE} bytes", where=path, expected=PRIVATE if kind == "private" else PUBLIC)
    return content.decode("ascii", errors="replace"), status


def _private(text: str, where: str | Path) -> Ed25519PrivateKey:
    raw = _raw(text)
    if raw is not None:
        return Ed25519PrivateKey.from_private_bytes(raw)
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except TypeError:  # what cryptography raises where a password is asked for
        raise InputError("a private key with a password", where=where, expected=PRIVATE) from None
    except (ValueError, UnsupportedAlgorithm):
        found = "a public key" if "-----BEGIN PUBLIC KEY-----" in text else "no private key that can be read"
        raise InputError(found, where=where, expected=PRIVATE, next="make one with `ratchet keys new`") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"another kind of key ({_kind(key)})", where=where, expected=PRIVATE)
    return key


def _publics(text: str, where: str | Path) -> tuple[Ed25519PublicKey, ...]:
    if "PRIVATE KEY-----" in text:
        found, next = "a private key", "take the public half, `ratchet keys public` prints it"
        raise InputError(found, where=where, expected=PUBLIC, next=next)
    blocks = [match[0] for match in _PEM.finditer(text)]
    parts = blocks + _PEM.sub(" ", text).split()
    if not parts:
        raise InputError("no key", where=where, expected=PUBLIC)
    return tuple(_public(part, where) for part in parts)


def _public(text: str, where: str | Path) -> Ed25519PublicKey:
    try:
        raw = _raw(text)
        key = (
            serialization.load_pem_public_key(text.encode()) if raw is None else Ed25519PublicKey.from_public_bytes(raw)
        )
    except (ValueError, UnsupportedAlgorithm):
        raise InputError("no public key that can be read", where=where, expected=PUBLIC) from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"another kind of key ({_kind(key)})", where=where, expected=PUBLIC)
    return key


def _raw(text: str) -> bytes | None:
    """The 32 bytes that the text is the base64 of, None where it is anything else."""
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == KEY_BYTES else None


def _kind(key: object) -> str:
    """`RSA` for an RSAPrivateKey: the class' name, which holds nothing of the key."""
    return re.sub(r"^_|(Private|Public)Key$", "", type(key).__name__)


def _in_secret_mount(path: Path, status: os.stat_result) -> bool:
    """Whether the kubelet laid the file there: below what `..data` points to, root's, and nobody else's to write.

    Its mode is 0644 by default and 0440 with an fsGroup; who reads it is decided by who is in the pod.
    """
    dated = (folder for folder in path.resolve().parents if folder.name.startswith(".."))
    laid = any((folder.parent / "..data").resolve() == folder for folder in dated)
    return laid and status.st_uid == 0 and not status.st_mode & 0o022


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        found = (error.strerror or "error").lower()
        raise InputError(found, where=path, expected="a place where a file can be written") from None
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
