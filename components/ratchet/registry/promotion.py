"""What a promotion needs before MLflow is asked for anything: a verdict that holds, on these very files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ratchet.evaluate.profile import PROFILE_FILE, Profile
from ratchet.gate.policy import read_policy
from ratchet.gate.verdict import Verdict
from ratchet.gate.verify import verify
from ratchet.registry.backing import override_fault
from ratchet.registry.ledger import Line, champions, digest_of
from ratchet.registry.review import ReviewRule
from ratchet.registry.standing import Standing
from ratchet.storage import as_record, read_bytes

Result = Literal["champion", "refused", "waiting", "error"]
EXIT_CODES: dict[Result, int] = {"champion": 0, "refused": 1, "waiting": 2, "error": 3}
BY_VERDICT: dict[str, Result] = {"BLOCK": "refused", "INCONCLUSIVE": "waiting", "ERROR": "error"}


@dataclass(frozen=True, slots=True)
class Request:
    """A promotion that is asked for: the files that speak for it and the keys that sign and verify."""

    model: str
    verdict: Path
    candidate: Path
    checkpoint: Path
    policy: Path
    key: Ed25519PrivateKey
    keys: Sequence[Ed25519PublicKey]
    references: Mapping[str, Path] = field(default_factory=dict)
    history: Sequence[Path] = ()
    review: ReviewRule | None = None
    by: str = "ratchet promote"


@dataclass(frozen=True, slots=True)
class Case:
    """A verdict that was verified, with the contents of the files that the promotion will keep."""

    verdict: Verdict
    verdict_text: bytes
    profile_text: bytes
    policy_text: bytes
    review: ReviewRule | None = None

    @property
    def verdict_digest(self) -> str:
        """The digest of `verdict.json`."""
        return digest_of(self.verdict_text)

    @property
    def checkpoint(self) -> str:
        """The digest of the weights; `verify` has compared it."""
        assert self.verdict.checkpoint_digest is not None
        return self.verdict.checkpoint_digest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a promotion, a review or a rollback, and why; `next` is what to do about it."""

    result: Result
    version: str | None
    reasons: tuple[str, ...]
    next: str = ""

    @property
    def exit_code(self) -> int:
        """0 champion, 1 refused, 2 waiting, 3 refused because something does not fit."""
        return EXIT_CODES[self.result]


def checked_case(request: Request, now: datetime | None = None) -> Case | Outcome:
    """The verified verdict, or the outcome where a check fails or it is not PROMOTE."""
    moment = now or datetime.now(UTC)
    sides = {"candidate": request.candidate, **request.references}
    # read before they are verified: what is kept is what was verified, or the digests below differ
    texts = [read_bytes(path) for path in (request.verdict, request.candidate / PROFILE_FILE, request.policy)]
    checked = verify(
        request.verdict,
        sides,
        request.policy,
        request.keys,
        moment,
        history=request.history,
        checkpoint=request.checkpoint,
    )
    if checked.verdict is None:
        failed = tuple(f"{check.name}: {check.said}" for check in checked.checks if check.result == "failed")
        return Outcome("error", None, failed, "gate the checkpoint that is to be promoted")
    verdict = checked.verdict
    if verdict.checkpoint_digest is None:
        return Outcome("error", None, ("checkpoint: the verdict says none",), "evaluate with the checkpoint's digest")
    expired = override_fault(verdict, moment)
    if expired is not None:
        return Outcome("refused", None, (expired,), "gate it without the override, or under a new one")
    if verdict.verdict != "PROMOTE":
        return Outcome(BY_VERDICT[verdict.verdict], None, (f"the verdict is {verdict.verdict}", *verdict.reasons))
    wanted = read_policy(request.policy).review
    if wanted is not None and request.review is None:
        return Outcome("error", None, ("the policy wants a review",), "name the file of reviewers with --review")
    rule = request.review
    if wanted is not None and rule is not None:
        rule = replace(rule, four_eyes=rule.four_eyes or wanted.four_eyes)
    return Case(verdict, texts[0], texts[1], texts[2], rule)


def profile_of(content: bytes) -> Profile:
    """The profile that a `profile.json` holds."""
    return as_record(json.loads(content), Profile, Path(PROFILE_FILE), "a profile that `ratchet evaluate` wrote")


def unfit_reason(case: Case, standing: Standing) -> str | None:
    """Why the verdict does not let its checkpoint follow the champion of this moment, None where it does.

    The champion must be among what the candidate was compared with. An override stands in for that where it was given
    after the champion was made. Each verdict promotes once: what was rolled back needs a new one.
    """
    used = _used(case, standing)
    if used is not None:
        made = used.entry.created if used.entry else ""
        return f"this verdict made version {used.entry.version if used.entry else ''} champion on {made} already"
    if standing.champion is None or standing.champion.entry is None:
        return None
    if standing.checkpoint in {reference.checkpoint for reference in case.verdict.references.values()}:
        return None
    made_at = datetime.fromisoformat(standing.champion.entry.created)
    if case.verdict.overridden is not None and datetime.fromisoformat(case.verdict.created) >= made_at:
        return None
    return f"the verdict does not compare with the champion, version {standing.version} ({standing.checkpoint})"


def _used(case: Case, standing: Standing) -> Line | None:
    lines = champions(standing.trusted)
    return next((line for line in lines if line.entry and line.entry.verdict_digest == case.verdict_digest), None)
