"""The identity of the model that draws: digest of its files and fingerprint of its answers, and whether they agree."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ratchet.checkpoints import context_length, load_model, load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import checkpoint_digest, tolerance
from ratchet.records import Served
from ratchet.sample.engine import Engine
from ratchet.sample.fingerprint import Fingerprint, distance, fingerprint, fixed_texts
from ratchet.sample.transformers_engine import score_tokens
from ratchet.storage import as_record, read_json, write_json

IDENTITY_FILE = "identity.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which checkpoint: the digest of its files, and what the model that answers for it says of the fixed texts.

    `distance` and `at_most` are those of the record `Served`.
    """

    digest: str
    fingerprint: Fingerprint
    distance: float | None = None
    at_most: float | None = None

    def served(self, backend: str) -> Served:
        """The identity as attempts carry it."""
        return Served(
            backend=backend,
            weights=self.digest,
            tokens="sha256:" + hashlib.sha256(json.dumps(self.fingerprint.token_ids).encode()).hexdigest(),
            logprobs=tuple(p for row in self.fingerprint.logprobs for p in row),
            precision=self.fingerprint.precision,
            distance=self.distance,
            at_most=self.at_most,
        )


def recorded_identity(folder: Path) -> Identity | None:
    """The identity that `ratchet sample` wrote into a folder, None where there is none."""
    return required_identity(folder) if (folder / IDENTITY_FILE).is_file() else None


def required_identity(folder: Path) -> Identity:
    """The identity that `ratchet sample` wrote into a folder; refused where there is none."""
    path = folder / IDENTITY_FILE
    return as_record(read_json(path), Identity, path, "an identity that `ratchet sample` wrote")


def write_identity(folder: Path, identity: Identity) -> None:
    """Write the identity into the folder."""
    write_json(folder / IDENTITY_FILE, asdict(identity))


def loaded_identity(checkpoint: Path) -> Identity:
    """The identity of the weights in a folder, loaded by transformers in this process."""
    texts = fixed_texts(load_tokenizer(checkpoint), context_length(checkpoint))
    model = load_model(checkpoint)
    engine = Engine(
        lambda questions: iter(()),
        lambda ids: score_tokens(model, ids),
        str(checkpoint),
        str(model.dtype).removeprefix("torch."),
    )
    return Identity(checkpoint_digest(checkpoint), fingerprint(texts, engine))


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


def require_same(found: Fingerprint, expected: Fingerprint, where: str) -> tuple[float, float]:
    """How far the two fingerprints are apart, and how far they may be; a model with another one is refused."""
    apart = distance(found, expected)
    most = tolerance(found.precision, expected.precision)
    if apart is None or not apart <= most:
        shown = "other tokens" if apart is None else f"log-probabilities {apart:.3g} a token away"
        raise InputError(
            f"not the checkpoint's weights (the fixed texts have {shown})",
            where=where,
            expected=f"at most {most:g} a token",
            next="serve the checkpoint that is named, or name the one that is served",
        )
    return apart, most
