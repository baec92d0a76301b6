"""The identity of the model that draws: digest of its files and fingerprint of its answers, and whether they agree."""

from dataclasses import asdict, dataclass
from pathlib import Path

from ratchet.errors import InputError
from ratchet.identity import checkpoint_digest
from ratchet.sample.fingerprint import Fingerprint, distance
from ratchet.storage import as_record, read_json, write_json

IDENTITY_FILE = "identity.json"
# Mean difference of a token's log-probability that is still the same model (docs/sample.md has the measurements):
SAME_PRECISION = 0.002  # both in float32
OTHER_PRECISION = 0.06  # in bfloat16, or in a precision that a server does not say


@dataclass(frozen=True, slots=True)
class Identity:
    """Which checkpoint: the digest of its files, and what a model loaded from them says of the fixed texts."""

    digest: str
    fingerprint: Fingerprint


def recorded_identity(folder: Path) -> Identity | None:
    """The identity that `ratchet sample` wrote into a folder, None where there is none."""
    path = folder / IDENTITY_FILE
    return (
        as_record(read_json(path), Identity, path, "an identity that `ratchet sample` wrote")
        if path.is_file()
        else None
    )


def write_identity(folder: Path, identity: Identity) -> None:
    """Write the identity into the folder."""
    write_json(folder / IDENTITY_FILE, asdict(identity))


def stated_digest(checkpoint: Path) -> str:
    """The digest of a checkpoint folder, or the recorded one where the folder has no weights but an identity.

    Both together must agree.
    """
    recorded = recorded_identity(checkpoint)
    if recorded is not None and not any(checkpoint.glob("*.safetensors")):
        return recorded.digest
    digest = checkpoint_digest(checkpoint)
    if recorded is not None and recorded.digest != digest:
        raise InputError(
            f"a recorded digest {recorded.digest}",
            where=checkpoint / IDENTITY_FILE,
            expected=f"that of the files beside it, {digest}",
            next="remove the file, or put back the weights that it was made from",
        )
    return digest


def require_same(found: Fingerprint, expected: Fingerprint, where: str) -> None:
    """Refuse a model whose fingerprint is not the expected one."""
    apart = distance(found, expected)
    most = SAME_PRECISION if found.precision == expected.precision == "float32" else OTHER_PRECISION
    if apart is None or not apart <= most:
        shown = "other tokens" if apart is None else f"log-probabilities {apart:.3g} a token away"
        raise InputError(
            f"not the checkpoint's weights (the fixed texts have {shown})",
            where=where,
            expected=f"at most {most:g} a token",
            next="serve the checkpoint that is named, or name the one that is served",
        )
