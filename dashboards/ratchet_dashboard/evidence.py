"""What a version rests on, read back from its files: the verdict, its policy and the profile that it speaks of.

Whoever may write to MLflow chose the tags and the files. What is shown of them is what a digest or a signature names;
the rest is said to be missing or altered.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.evaluate.profile import ATTEMPTS_FILE, PROFILE_FILE, Profile
from ratchet.gate.policy import Policy, policy_digest, read_policy
from ratchet.gate.signing import signature_fault
from ratchet.gate.verdict import Verdict
from ratchet.registry.backing import profile_fault, verdict_in
from ratchet.registry.files import fetch_files
from ratchet.registry.ledger import LedgerEntry, digest_of
from ratchet.registry.promotion import Case, profile_of
from ratchet.registry.registered import Registered, Version, evidence_folder
from ratchet.registry.store import failures
from ratchet_dashboard.faults import Unfit

MIB = 2**20
VERDICT_FILE, POLICY_FILE = "verdict.json", "policy.yaml"
LARGEST: Mapping[str, int | None] = {VERDICT_FILE: 4 * MIB, PROFILE_FILE: 16 * MIB, POLICY_FILE: MIB}
LARGEST_PROFILE: Mapping[str, int | None] = {PROFILE_FILE: 16 * MIB, ATTEMPTS_FILE: 256 * MIB}
# of a version's files
PLACES = ("", "file", "mlflow-artifacts", "s3")
HOLDS, NOT_CHECKED = "holds", "not checked"
AGAIN = "put the version forward again with `ratchet promote`"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read: None for what can't be shown, and then `faults` say why.

    `signature` is `holds`, `not checked` without public keys, else why it does not hold. `case` is there where the
    files are whole, for asking whether the version may follow today's champion.
    """

    verdict: Verdict | None
    policy: Policy | None
    profile: Profile | None
    signature: str
    faults: tuple[str, ...]
    case: Case | None = None
    verdict_digest: str | None = None


def read_version_evidence(
    model: Registered, version: Version, keys: Sequence[Ed25519PublicKey], entry: LedgerEntry | None = None
) -> Evidence:
    """The evidence that the version was put forward with; what can't be read is a fault of it and no error.

    `entry` is the line of the ledger that made it champion: then that line says which verdict, on which checkpoint.
    Else its tags do, which anybody may write.
    """
    tagged = version.tags.get("ratchet.verdict_digest"), version.tags.get("ratchet.digest")
    digest, checkpoint = tagged if entry is None else (entry.verdict_digest, entry.checkpoint)
    retagged = () if tagged == (digest, checkpoint) else ("its tags name another verdict than the ledger does",)
    if digest is None:
        return _nothing("it was not put forward by `ratchet promote`: it has no verdict")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with reading_files(model, version):
                found = fetch_files(model, version.source, evidence_folder(digest), LARGEST, Path(scratch))
        except Unfit as error:
            return _nothing(f"{error.found}; {error.next or error.expected}")
        evidence = _read(digest, checkpoint, found, keys)
        return replace(evidence, faults=(*retagged, *evidence.faults))


@contextmanager
def reading_files(model: Registered, version: Version) -> Iterator[None]:
    """Around what fetches files of the version: `Unfit` where nothing is fetched from there, or it can't be."""
    said = f"the files of version {version.number} can't be read"
    try:
        require_place(version.source)
        yield
    except failures():
        raise Unfit(f"{said}: the store does not give them", next="look at its log, and again later") from None
    except InputError as error:
        raise Unfit(f"{said}: {error.found}", expected=error.expected, next=error.next) from None


def require_place(source: str) -> None:
    """Refuse what fetches from any host that a version names; of MLflow's own scheme `ratchet.registry.files` does."""
    try:
        scheme = urlsplit(source).scheme
    except ValueError:
        scheme = "unreadable"
    if scheme not in PLACES:
        raise Unfit("they lie where the dashboard does not read", expected="a store of MLflow's own, or a bucket")


def _nothing(fault: str) -> Evidence:
    return Evidence(None, None, None, NOT_CHECKED, (fault,))


def _read(
    digest: str, checkpoint: str | None, found: Mapping[str, Path | None], keys: Sequence[Ed25519PublicKey]
) -> Evidence:
    path = found[VERDICT_FILE]
    if path is None:
        return _nothing(f"verdict.json was deleted; {AGAIN}")
    text = path.read_bytes()
    if digest_of(text) != digest:
        return _nothing(f"verdict.json was altered: it is not the one that was put forward; {AGAIN}")
    document, verdict = verdict_in(text)
    if verdict is None:
        return _nothing(f"verdict.json can't be read as a verdict; {AGAIN}")
    contents = {name: each.read_bytes() if each else None for name, each in found.items()}
    profile, profile_said = _profile(verdict, contents[PROFILE_FILE])
    policy, policy_said = _policy(verdict, found[POLICY_FILE])
    other = (
        f"the verdict is on another checkpoint than {checkpoint}" if verdict.checkpoint_digest != checkpoint else None
    )
    faults = tuple(said for said in (other, profile_said, policy_said) if said)
    signature = signature_fault(document, keys) or HOLDS if keys else NOT_CHECKED
    whole = verdict.checkpoint_digest is not None and not faults and signature == HOLDS
    case = Case(verdict, text, contents[PROFILE_FILE] or b"", contents[POLICY_FILE] or b"") if whole else None
    return Evidence(verdict, policy, None if other else profile, signature, faults, case, digest)


def _profile(verdict: Verdict, content: bytes | None) -> tuple[Profile | None, str | None]:
    fault = profile_fault(verdict, content)
    if fault is not None or content is None:
        return None, f"{fault}; {AGAIN}"
    try:
        return profile_of(content), None
    except (InputError, ValueError) as error:
        return None, f"profile.json can't be read ({getattr(error, 'found', 'no JSON')}); {AGAIN}"


def _policy(verdict: Verdict, path: Path | None) -> tuple[Policy | None, str | None]:
    """The policy; None where it does not name every axis that the verdict has."""
    if path is None:
        return None, f"policy.yaml was deleted; {AGAIN}"
    try:
        policy = read_policy(path)
    except InputError as error:
        return None, f"policy.yaml can't be read ({error.found}); {AGAIN}"
    if policy_digest(policy) != verdict.policy_digest or any(r.axis not in policy.axes for r in verdict.axes):
        return None, f"policy.yaml was altered: it is not the one that the verdict names; {AGAIN}"
    return policy, None
