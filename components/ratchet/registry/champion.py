"""The champion and those before it, fetched: what a scheduled retraining starts from and is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.evaluate.profile import ATTEMPTS_FILE, PROFILE_FILE, read_profile
from ratchet.gate.keys import VERIFY_VARIABLE, signing_key, verifying_keys
from ratchet.registry.files import fetch_files, repository
from ratchet.registry.ledger import LedgerEntry, Line, digest_of, succession
from ratchet.registry.registered import Registered, read_evidence, require_name
from ratchet.registry.standing import read_standing
from ratchet.registry.store import connected
from ratchet.registry.weights import MODEL_FOLDER, POINTER_FILE, located
from ratchet.steps import point, publish
from ratchet.storage import file_digest, read_json

CHECKPOINT, PROFILES = "checkpoint", "profiles"
UNLIMITED: Mapping[str, int | None] = {PROFILE_FILE: None, ATTEMPTS_FILE: None}


@dataclass(frozen=True, slots=True)
class Champion:
    """The weights of the champion, and the profiles of all champions up to it, oldest first."""

    version: str
    checkpoint: Path
    profiles: tuple[Path, ...]


def fetch_champion(tracking_uri: str, model: str, keys: Sequence[Ed25519PublicKey], out: Path) -> Champion | None:
    """The champion by the ledger, its files in the folder `out`; None where there is none yet.

    Weights that were logged by reference stay where they are, and their digest must be the one that was promoted. A
    profile must be the one that the verdict was on.
    """
    require_name(model)
    with connected(tracking_uri) as client:
        registered = Registered(client, tracking_uri, model)
        standing = read_standing(registered, keys)
        if standing.champion is None:
            return None
        entries = _up_to(standing.champion, succession(standing.trusted))
        profiles = [_profile(registered, one, out / PROFILES / f"{n:04d}") for n, one in enumerate(entries)]
        weights = _weights(registered, entries[-1], out / CHECKPOINT)
        return Champion(str(entries[-1].version), weights, tuple(profiles))


def hand_on_champion(
    tracking_uri: str, model: str, out: Path, checkpoint: str, base: str, champion: str, history: str
) -> str:
    """`champion` or `none`, after the champion's files in `out` were handed on at the paths of a step's artifacts.

    The base is the first champion there was; all artifacts are empty folders where there is none yet. Without public
    keys in the environment the signing key's own public half is trusted.
    """
    keys = verifying_keys(signing_key())
    if not keys:
        raise InputError("no public key", expected=VERIFY_VARIABLE, next="mount the secret of the verdicts' keys")
    for artifact in (checkpoint, base, champion, history):
        Path(artifact).mkdir(parents=True, exist_ok=True)
    found = fetch_champion(tracking_uri, model, keys, out)
    if found is None:
        return "none"
    point(found.checkpoint, Path(checkpoint))
    publish(found.profiles[0], Path(base))
    publish(found.profiles[-1], Path(champion))
    for folder in found.profiles:
        publish(folder, Path(history, folder.name))
    return "champion"


def _up_to(champion: Line, lines: Sequence[Line]) -> list[LedgerEntry]:
    """The entries of the champions up to this one, oldest first."""
    entries = [line.entry for line in lines if line.entry is not None and line.number <= champion.number]
    assert entries, "the champion is one of them"
    return entries


def _profile(model: Registered, entry: LedgerEntry, folder: Path) -> Path:
    """The profile of a version as it was logged, checked to be whole and of that checkpoint."""
    assert entry.source is not None, "an entry that made a champion"
    promoted = read_evidence(model, entry).profile
    return fetch_profile(model, str(entry.version), entry.source, digest_of(promoted or b""), folder)


def fetch_profile(
    model: Registered,
    version: str,
    source: str,
    digest: str,
    folder: Path,
    largest: Mapping[str, int | None] = UNLIMITED,
) -> Path:
    """The folder, with the profile and the attempts of a version as they were logged.

    They must be whole: the profile the one of that digest, the attempts those that it names. A file of more bytes than
    `largest` gives it is not downloaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in fetch_files(model, source, "", largest, folder).items():
        if path is None:
            raise InputError(
                f"version {version} of {model.name} has no {name}",
                where="MLflow",
                expected="the profile that `ratchet log` puts there",
                next="log the checkpoint again, under another run name",
            )
    found = file_digest(folder / PROFILE_FILE)
    if found != digest or read_profile(folder).attempts_digest != file_digest(folder / ATTEMPTS_FILE):
        raise InputError(
            "another profile than the one that was promoted",
            where=f"version {version} of {model.name}",
            expected="the profile that its verdict is on",
        )
    return folder


def _weights(model: Registered, entry: LedgerEntry, out: Path) -> Path:
    assert entry.source is not None, "an entry that made a champion"
    scratch = out.with_name(out.name + ".download")
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(repository(model, entry.source).download_artifacts(MODEL_FOLDER, str(scratch)))
    found = located(folder)  # which takes the digest of the weights and compares it with the one beside them
    if read_json(folder / POINTER_FILE)["digest"] != entry.checkpoint:
        raise InputError("other weights", where=found, expected=f"checkpoint {entry.checkpoint}, as it was promoted")
    if scratch in found.parents:
        publish(found, out)
        return out
    return found
