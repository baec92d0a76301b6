"""Signed verdicts: Ed25519 over the canonical JSON of a verdict, so that anyone with the public key can check it."""

import base64
import binascii
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ratchet.gate.keys import key_id
from ratchet.gate.verdict import Verdict

ALGORITHM = "ed25519"
PREFIX = b"ratchet verdict 1\n"  # what else the key may sign can't be passed off as a verdict
SIGNATURE_BYTES = 64


def sign(verdict: Verdict, key: Ed25519PrivateKey) -> Verdict:
    """The verdict with its signature, `ed25519:KEY ID:BASE64`; one that it had is replaced."""
    signature = base64.b64encode(key.sign(signed_bytes(dataclasses.asdict(verdict)))).decode()
    return dataclasses.replace(verdict, signature=f"{ALGORITHM}:{key_id(key.public_key())}:{signature}")


def signed_bytes(document: Mapping[str, Any]) -> bytes:
    """What is signed: the prefix, then the JSON document of a verdict without `signature`.

    Keys are sorted by code point, there are no spaces, text is UTF-8, numbers are as Python writes them. The document
    is signed and not what a version of Ratchet understands of it: a field that was added, left out or written as
    another type is found. A ValueError where it has a number that is not finite or text that is no UTF-8.
    """
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    text = json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return PREFIX + text.encode("utf-8")


def signature_fault(document: Mapping[str, Any], keys: Sequence[Ed25519PublicKey]) -> str | None:
    """Why the signature of the document is not one by any of the keys, None where it is one."""
    parts = _parts(document.get("signature"))
    if parts is None:
        return f"the signature is not {ALGORITHM}, a key id and {SIGNATURE_BYTES} bytes in base64, parted by colons"
    signer, signature = parts
    known = [key for key in keys if key_id(key) == signer]
    if not known:
        given = ", ".join(dict.fromkeys(key_id(key) for key in keys))
        return f"the verdict says that key {signer} signed it, the keys given are {given or 'none'}"
    try:
        content = signed_bytes(document)
    except ValueError:  # half of a surrogate pair
        return f"the verdict says that key {signer} signed it; what stands there is no text, so no key did"
    if any(_holds(key, signature, content) for key in known):
        return None
    return f"the verdict says that key {signer} signed it; that key did not sign what stands there now"


def signer_of(document: Mapping[str, Any]) -> str | None:
    """The id of the key that the signature names, None where there is no signature that can be read."""
    parts = _parts(document.get("signature"))
    return None if parts is None else parts[0]


def _parts(signature: object) -> tuple[str, bytes] | None:
    """Key id and signature in the one spelling that `sign` writes; base64 has others for the same bytes."""
    if not isinstance(signature, str) or not signature.isascii():
        return None
    algorithm, _, rest = signature.partition(":")
    signer, _, text = rest.partition(":")
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    whole = algorithm == ALGORITHM and len(raw) == SIGNATURE_BYTES and base64.b64encode(raw).decode() == text
    return (signer, raw) if whole and len(signer) == 16 and set(signer) <= set("0123456789abcdef") else None


def _holds(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
