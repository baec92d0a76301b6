"""The verdict: what was decided about a checkpoint, why, and on which evidence; `verdict.json`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict

from ratchet.gate.policy import Tier
from ratchet.storage import as_record, read_json, write_json

Decision = Literal["PROMOTE", "BLOCK", "INCONCLUSIVE", "ERROR"]
HarmKind = Literal["regression", "reversal", "collapse", "none"]
MarginKind = Literal["drop", "relative drop", "rise"]
AxisOutcome = Literal["ok", "harm", "undecided", "first"]
VERDICT_VERSION: Literal[1] = 1
EXIT_CODES: dict[Decision, int] = {"PROMOTE": 0, "BLOCK": 1, "INCONCLUSIVE": 2, "ERROR": 3}
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class AxisResult:
    """One axis against one reference; for a first checkpoint there is none, and what compares is None.

    `difference` is what the margin is held against: a share's change or, where the margin is a relative drop, the
    change as a share of the reference. `low` and `high` are one-sided bounds on the true one, each wrong with a chance
    of at most alpha. `p_within` is the p-value of "harm beyond the margin", `p_harm` of "no harm beyond it",
    `p_harm_holm` the same after Holm over all critical pairs (critical axes only), `p_gain` of "no gain" (where the
    axis must improve). `outcome` is `ok` where harm beyond the margin is excluded (and a gain established, where it
    must be), `harm` where it is established; `problems_needed` estimates how many problems would make an undecided axis
    `ok`. An axis that can't be measured is undecided for a `reason`. `by_chance` (for `retained`) is the range of
    differences that chance alone makes.
    """

    axis: str
    tier: Tier
    reference: str | None
    candidate_estimate: float | None
    reference_estimate: float | None
    difference: float | None
    low: float | None
    high: float | None
    margin: float
    margin_kind: MarginKind
    p_within: float | None
    p_harm: float | None
    p_harm_holm: float | None
    p_gain: float | None
    outcome: AxisOutcome
    problems: int
    problems_needed: int | None = None
    reason: str | None = None
    by_chance: tuple[float, float] | None = None

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class Reference:
    """What the candidate was compared with; the checkpoint's digest is None where it is unknown."""

    checkpoint: str | None
    profile_digest: str

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class JointReversal:
    """Both halves of a reversal at once: pass@1 of the main suite rose while an axis fell beyond its margin.

    `p` is the larger of the two p-values (the axis' own after Holm, where it is critical), and so the p-value of "not
    both": an intersection-union test.
    """

    axis: str
    reference: str
    margin_kind: MarginKind
    rise: float
    rise_low: float
    harm: float
    harm_bound: float
    p: float

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class Overridden:
    """A person's decision that stands in the place of the gate's, which was `verdict`."""

    verdict: Decision
    reason: str
    by: str
    expires: str

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verdict.json` holds; `alpha` is what this gate may err with, after what its lineage spends elsewhere."""

    verdict: Decision
    kind: HarmKind
    reasons: tuple[str, ...]
    axes: tuple[AxisResult, ...]
    references: dict[str, Reference]
    policy_digest: str
    profile_digests: dict[str, str]
    checkpoint_digest: str | None
    created: str
    advice: tuple[str, ...] = ()
    lineage: tuple[str, ...] = ()
    alpha: float | None = None
    reversal: JointReversal | None = None
    overridden: Overridden | None = None
    signature: str | None = None
    version: Literal[1] = VERDICT_VERSION

    __pydantic_config__ = _STRICT

    @property
    def exit_code(self) -> int:
        """0 PROMOTE, 1 BLOCK, 2 INCONCLUSIVE, 3 ERROR."""
        return EXIT_CODES[self.verdict]


def write_verdict(path: Path, verdict: Verdict) -> None:
    """Write `verdict.json`."""
    write_json(path, dataclasses.asdict(verdict))


def read_verdict(path: Path) -> Verdict:
    """The verdict in a file; unknown keys and numbers that are not finite are refused."""
    return as_record(read_json(path), Verdict, path, "a verdict that `ratchet gate` wrote")
