"""Records that a key vouches for, such as a promotion or a review, signed as verdicts are.

What is signed is the document `{"ratchet": KIND, "record": {...}}`, so that a record of one kind is never taken for
one of another kind, nor for a verdict, which has other fields.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.gate.keys import key_id
from ratchet.gate.signing import ALGORITHM, signature_fault, signed_bytes, signer_of


def signature(kind: str, record: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """The signature of the record, `ed25519:KEY ID:BASE64`; a field `signature` that it has is not signed."""
    raw = key.sign(signed_bytes(_document(kind, record)))
    return f"{ALGORITHM}:{key_id(key.public_key())}:{base64.b64encode(raw).decode()}"


def record_fault(kind: str, record: Mapping[str, Any], keys: Sequence[Ed25519PublicKey]) -> str | None:
    """Why none of the keys signed the record, None where one did."""
    document = _document(kind, record)
    if signature_fault(document, keys) is None:
        return None
    signer = signer_of(document)
    if signer is None:
        return f"the {kind} record is not signed"
    if signer not in {key_id(key) for key in keys}:
        return f"the {kind} record is signed by key {signer}, which is not trusted here"
    return f"the {kind} record is not what key {signer} signed"


def require_trusted(key: Ed25519PrivateKey, keys: Sequence[Ed25519PublicKey]) -> None:
    """Refuse a private key whose public half is not among those trusted: what it signed would back nothing."""
    own = key_id(key.public_key())
    if own not in {key_id(trusted) for trusted in keys}:
        raise InputError(
            f"the signing key {own} is not among the public keys given",
            expected="its public half among them",
            next="`ratchet keys public` prints it",
        )


def _document(kind: str, record: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in record.items() if name != "signature"}
    return {"ratchet": kind, "record": plain, "signature": record.get("signature")}
