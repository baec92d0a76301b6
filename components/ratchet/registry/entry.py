"""What MLflow is told about a checkpoint, after it is checked that profile and verdict speak of these very weights."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ratchet.errors import InputError
from ratchet.evaluate.profile import ATTEMPTS_FILE, PAGE_FILE, PROFILE_FILE, Profile, read_profile
from ratchet.evaluate.tracked import tracked_metrics
from ratchet.gate.verdict import Verdict, read_verdict
from ratchet.identity import checkpoint_digest
from ratchet.steps import STAMP
from ratchet.storage import file_digest, read_bytes, read_json

RUN_TAG, STARTED_BY_TAG = "ratchet.run", "ratchet.started_by"


@dataclass(frozen=True, slots=True)
class Entry:
    """What MLflow is told about one checkpoint."""

    name: str
    round: int
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    artifacts: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The files that speak of a checkpoint, and the digest of the one it was trained from where it is given."""

    checkpoint: Path
    profile: Path
    verdict: Path | None = None
    report: Path | None = None
    parent: str | None = None


def make_entry(evidence: Evidence, run_name: str, round: int) -> Entry:
    """The entry for a checkpoint; refused where the profile or the verdict speaks of another one."""
    digest = checkpoint_digest(evidence.checkpoint)
    profile_path = evidence.profile / PROFILE_FILE
    profile = read_profile(evidence.profile)
    _require_digest(profile.checkpoint, digest, profile_path)
    verdict = _read_verdict(evidence.verdict, digest, file_digest(profile_path)) if evidence.verdict else None
    page = evidence.profile / PAGE_FILE
    pages = (page if page.is_file() else None, evidence.report)
    attempts = evidence.profile / ATTEMPTS_FILE  # what the next candidate is compared with, problem by problem
    artifacts = tuple(path for path in (profile_path, attempts, evidence.verdict, *pages) if path)
    for path in artifacts:
        read_bytes(path)  # a file that is missing is said before anything is logged
    tags = {
        RUN_TAG: run_name,
        "ratchet.round": str(round),
        "ratchet.digest": digest,
        "ratchet.checkpoint": str(evidence.checkpoint.absolute()),
        "ratchet.profile_digest": file_digest(profile_path),
        "ratchet.attempts_digest": profile.attempts_digest,
        "ratchet.parent": evidence.parent or _trained(evidence.checkpoint, "checkpoint"),
        "ratchet.method": _trained(evidence.checkpoint, "method"),
        "ratchet.examples_digest": _trained(evidence.checkpoint, "examples"),
        "ratchet.verdict": verdict.verdict if verdict else None,
        "ratchet.kind": verdict.kind if verdict else None,
        "ratchet.policy_digest": verdict.policy_digest if verdict else None,
    }
    return Entry(
        name=re.sub(r"[/:.%\"']", "-", profile.name) or f"round-{round}",
        round=round,
        tags={key: value for key, value in tags.items() if value is not None},
        params=_sampling(profile),
        metrics=tracked_metrics(profile, intervals=True),
        artifacts=artifacts,
    )


def _read_verdict(path: Path, digest: str, profile_digest: str) -> Verdict:
    verdict = read_verdict(path)
    _require_digest(verdict.checkpoint_digest, digest, path)
    decided_on = verdict.profile_digests.get("candidate")
    if decided_on != profile_digest:
        found = f"decided on the profile {decided_on or 'unknown'}"
        raise InputError(found, where=path, expected=f"{profile_digest}, the one to be logged")
    return verdict


def _require_digest(found: str | None, digest: str, where: Path) -> None:
    if found != digest:
        raise InputError(
            f"speaks of checkpoint {found or 'unknown'}",
            where=where,
            expected=f"checkpoint {digest}",
            next="evaluate and gate the checkpoint that is to be logged",
        )


def _trained(checkpoint: Path, field: str) -> str | None:
    """What the train step stamped: the `method`, the digest of the `examples` or of the `checkpoint` before it."""
    stamp = checkpoint / STAMP
    found = read_json(stamp).get(field) if stamp.is_file() else None
    return found if isinstance(found, str) else None


def _sampling(profile: Profile) -> dict[str, str]:
    values = (profile.sampling or {}).items()
    return {f"sampling.{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values}
