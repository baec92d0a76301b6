"""Does this verdict speak of these files? Signature, digests, policy and age, without the network."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.evaluate.profile import ATTEMPTS_FILE, PROFILE_FILE, read_profile
from ratchet.gate.keys import VERIFY_VARIABLE
from ratchet.gate.policy import policy_digest, read_policy
from ratchet.gate.signing import signature_fault, signed_bytes, signer_of
from ratchet.gate.verdict import EXIT_CODES, VERDICT_VERSION, Verdict
from ratchet.gate.weights import same_weights
from ratchet.identity import checkpoint_digest
from ratchet.jsonl import first_line, without_repeats
from ratchet.storage import as_record, file_digest, read_bytes

Result = Literal["ok", "failed", "not checked"]
CANDIDATE = "candidate"
CLOCK_SKEW = timedelta(minutes=5)  # by how much the gate's clock may be ahead of the one here
_WRITTEN = "a verdict that `ratchet gate` wrote"


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its result; `said` is what the verdict says and what was found."""

    name: str
    result: Result
    said: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Every check on a verdict; `verdict` is None where a check failed: nothing in such a file can be relied on."""

    verdict: Verdict | None
    signed_by: str | None
    """Id of the key whose signature was verified."""
    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """The verdict's, and 3 where a check failed."""
        return EXIT_CODES["ERROR"] if self.verdict is None else self.verdict.exit_code


def verify(
    path: Path,
    sides: Mapping[str, Path],
    policy: Path | None,
    keys: Sequence[Ed25519PublicKey],
    now: datetime,
    *,
    history: Sequence[Path] = (),
    checkpoint: Path | None = None,
    unsigned: bool = False,
    max_age: timedelta | None = None,
    fingerprint: bool = False,
) -> Verification:
    """The checks on the verdict in `path` against the profile folders `sides`, of which `candidate` is needed.

    What isn't given (a reference, the policy, the checkpoint) is not checked, and said so. With `unsigned` a verdict
    without signature passes; one that is there and that a key was given for must hold all the same. With `fingerprint`
    the checkpoint is loaded, and the fingerprint of its weights held against that of the model that drew the
    candidate's attempts. An InputError for what can't be read, and where there is neither a key nor `unsigned`.
    """
    if fingerprint and checkpoint is None:
        raise InputError("no checkpoint", expected="the folder whose weights the fingerprint is computed from")
    if CANDIDATE not in sides:
        raise InputError("no candidate", expected="the profile folder that the verdict is on")
    if not keys and not unsigned:
        expected = f"--public-key, or {VERIFY_VARIABLE}"
        raise InputError("no public key", expected=expected, next="--unsigned checks everything but the signature")
    document = _document(path)
    checks = [_version(document), _signature(document, keys, unsigned)]
    verdict, schema = _schema(document, path)
    checks.insert(0, schema)
    if verdict is not None:
        checks += [_created(verdict, now, max_age), *_sides(verdict, sides, history)]
        checks += [_policy(verdict, policy), _checkpoint(verdict, sides[CANDIDATE], checkpoint)]
    if fingerprint and checkpoint is not None:
        same, said = same_weights(read_profile(sides[CANDIDATE]), checkpoint)
        checks.append(Check("fingerprint", "ok" if same else "failed", said))
    holds = all(check.result != "failed" for check in checks)
    signed = any(check.name == "signature" and check.result == "ok" for check in checks)
    return Verification(verdict if holds else None, signer_of(document) if signed else None, tuple(checks))


def _document(path: Path) -> dict[str, Any]:
    """The JSON object in the file; a key that comes twice is refused, since readers differ in which one they take."""
    try:
        text = read_bytes(path).decode("utf-8")
        value = json.loads(text, object_pairs_hook=without_repeats)
        if isinstance(value, dict):
            signed_bytes(value)
            return value
        problem = f"a JSON {type(value).__name__}"
    except (ValueError, RecursionError) as error:
        problem = f"not JSON ({first_line(error)})"
    raise InputError(problem, where=path, expected=_WRITTEN)


def _schema(document: dict[str, Any], path: Path) -> tuple[Verdict | None, Check]:
    try:
        verdict = as_record(document, Verdict, path, _WRITTEN)
    except InputError as error:  # here a result like any other, beside those of the version and the signature
        return None, Check("schema", "failed", error.found)
    return verdict, Check("schema", "ok", "every field is one of a verdict's")


def _version(document: dict[str, Any]) -> Check:
    stated = document.get("version")
    known = type(stated) is int and stated == VERDICT_VERSION
    said = f"the verdict says {json.dumps(stated)}, this Ratchet reads {VERDICT_VERSION}"
    return Check("version", "ok" if known else "failed", str(stated) if known else said)


def _signature(document: dict[str, Any], keys: Sequence[Ed25519PublicKey], unsigned: bool) -> Check:
    if document.get("signature") is None:
        return Check("signature", "not checked" if unsigned else "failed", "the verdict has none")
    if not keys:
        return Check("signature", "not checked", "there is one, and no public key to verify it with")
    fault = signature_fault(document, keys)
    return Check("signature", "failed" if fault else "ok", fault or f"by key {signer_of(document)}")


def _created(verdict: Verdict, now: datetime, max_age: timedelta | None) -> Check:
    try:
        created = datetime.fromisoformat(verdict.created)
    except ValueError:
        created = None
    if created is None or created.tzinfo is None:
        return Check("created", "failed", f"the verdict says {verdict.created!r}, which is no time with a time zone")
    if created > now + CLOCK_SKEW:
        found = f"the verdict says {verdict.created}, here it is {now.isoformat(timespec='seconds')}"
        return Check("created", "failed", f"{found}: that is yet to come")
    if max_age is not None and now - created > max_age:
        days = (now - created) / timedelta(days=1)
        oldest = f"{max_age / timedelta(days=1):g}"
        return Check("created", "failed", f"the verdict says {verdict.created}, {days:.1f} days ago; at most {oldest}")
    return Check("created", "ok", verdict.created)


def _sides(verdict: Verdict, sides: Mapping[str, Path], history: Sequence[Path]) -> Iterator[Check]:
    """Every profile that was given, then those that the verdict names and nobody gave.

    Two references that are one checkpoint are one entry of the verdict, `base = champion`; the profiles of a history
    are told by their digests.
    """
    stated = verdict.profile_digests
    entries = {part: entry for entry in stated for part in entry.split(" = ")} | {entry: entry for entry in stated}
    earlier = {digest: entry for entry, digest in stated.items() if entry != CANDIDATE}
    given = [(name, folder, entries.get(name)) for name, folder in sides.items()]
    for number, folder in enumerate(history, start=1):
        given.append((f"history {number}", folder, earlier.get(file_digest(folder / PROFILE_FILE))))
    for name, folder, entry in given:
        yield from _side(name, folder, verdict, entry)
    for entry in sorted(set(stated) - {entry for _, _, entry in given}):
        yield Check(f"profile of {entry}", "not checked", "not given")


def _side(name: str, folder: Path, verdict: Verdict, entry: str | None) -> Iterator[Check]:
    path, label = folder / PROFILE_FILE, f"profile of {name}"
    found = file_digest(path)
    if entry is None:
        yield Check(label, "failed", f"the verdict names no such profile; {path} has {found}")
        return
    stated = verdict.profile_digests[entry]
    if found == stated:
        yield Check(label, "ok", found)
        yield _attempts(name, folder)
    elif _is_twin(name, entry, verdict, path):
        first = entry.partition(" = ")[0]
        said = f"the verdict rests on {first}'s profile of the same checkpoint, and not on this one"
        yield Check(label, "not checked", said)
    else:
        yield Check(label, "failed", f"the verdict says {stated}, {path} has {found}")


def _is_twin(name: str, entry: str, verdict: Verdict, path: Path) -> bool:
    """Whether this is the second profile of a checkpoint, whose first the gate judged for both."""
    reference = verdict.references.get(entry)
    known = None if reference is None else reference.checkpoint
    return known is not None and name in entry.split(" = ")[1:] and _field(path, "checkpoint") == known


def _attempts(name: str, folder: Path) -> Check:
    stated, found = _field(folder / PROFILE_FILE, "attempts_digest"), file_digest(folder / ATTEMPTS_FILE)
    said = found if stated == found else f"{PROFILE_FILE} says {stated}, {folder / ATTEMPTS_FILE} has {found}"
    return Check(f"attempts of {name}", "ok" if stated == found else "failed", said)


def _policy(verdict: Verdict, policy: Path | None) -> Check:
    if policy is None:
        return Check("policy", "not checked", "not given")
    stated, found = verdict.policy_digest, policy_digest(read_policy(policy))
    said = found if stated == found else f"the verdict says {stated}, {policy} has {found}"
    return Check("policy", "ok" if stated == found else "failed", said)


def _checkpoint(verdict: Verdict, candidate: Path, checkpoint: Path | None) -> Check:
    """The checkpoint's digest in the verdict against the candidate's profile, and the weights where they are given."""
    stated, profiled = verdict.checkpoint_digest, _field(candidate / PROFILE_FILE, "checkpoint")
    if stated != profiled:
        found = f"the verdict says {stated}, {candidate / PROFILE_FILE} says {profiled}"
        return Check("checkpoint", "failed", found)
    if checkpoint is None:
        return Check("checkpoint", "not checked", "not given")
    found = checkpoint_digest(checkpoint)
    said = found if stated == found else f"the verdict says {stated or 'none'}, {checkpoint} has {found}"
    return Check("checkpoint", "ok" if stated == found else "failed", said)


def _field(path: Path, name: str) -> Any:
    """A field of a profile, None where it has none; what is no JSON states nothing, and has another digest anyway."""
    try:
        stated = json.loads(read_bytes(path))
    except (ValueError, RecursionError):
        return None
    return stated.get(name) if isinstance(stated, dict) else None
