"""The policy: which axes are judged, against what, how much harm is tolerated and how much evidence is asked for."""

import datetime
import difflib
import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from ratchet.config import FieldError, Strict, load_yaml
from ratchet.gate.naming import Measured, measured, possible_axes

ReferenceName = Literal["base", "champion", "best"]
Level = Literal["namespaces", "landlock", "process"]
Tier = Literal["critical", "supporting", "advisory"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1)]
Margin = Annotated[float, Field(ge=0.0, lt=1.0)]


class Suites(Strict, strict=True):
    """Which problems are judged."""

    main: Name
    """The suite that axes without a suite of their own are measured on."""
    ood: list[Name] = []
    """Suites that nothing was trained for: `ood.SUITE.pass@K`, `disparity.SUITE`."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for index, suite in enumerate(self.ood):
            if suite == self.main or suite in self.ood[:index]:
                raise FieldError(f"suite {suite!r} again", expected="each suite once", location=("ood", index))
        return self

    @property
    def names(self) -> list[str]:
        """All suites, the main one first."""
        return [self.main, *self.ood]


class EvidenceRule(Strict, strict=True):
    """The least evidence that is judged at all, in every suite of every side; with less the verdict is ERROR."""

    min_problems: Annotated[int, Field(ge=1)]
    min_attempts: Annotated[int, Field(ge=1)]
    """Attempts a problem, whatever came of them."""
    max_error_rate: Share = 0.01
    max_ungradable_rate: Share = 0.02
    same_items: bool = True
    """Both sides were sampled with the same parameters (the seed apart), as far as both are known."""
    known_sampling: bool = False
    """Refuse a side whose sampling parameters are unknown."""
    known_weights: bool = False
    """Refuse a side of which it is unknown whose weights drew its attempts."""
    min_isolation: Level | None = None
    """Refuse a side some of whose programs were run at a weaker level of isolation, or at an unknown one."""

    @field_validator("min_isolation", mode="before")
    @classmethod
    def _known_level(cls, value: object) -> object:
        if value is None or value in get_args(Level):
            return value
        near = difflib.get_close_matches(str(value), get_args(Level), n=1, cutoff=0.5)
        raise FieldError(
            f"evidence.min_isolation = {value!r}",
            expected="null or one of " + ", ".join(get_args(Level)),
            location=(),
            next=f"did you mean {near[0]!r}?" if near else "",
        )


class Axis(Strict, strict=True):
    """How one number may change: exactly one margin."""

    tier: Tier
    """`critical` can block, `supporting` can only turn PROMOTE into INCONCLUSIVE, `advisory` is shown."""
    max_drop: Margin | None = None
    """The fall that is tolerated, as a difference."""
    max_relative_drop: Margin | None = None
    """The fall that is tolerated, as a share of the reference's value; for averages over problems."""
    max_rise: Margin | None = None
    """The rise that is tolerated where less is better: calibration and disparity."""
    must_improve: bool = False
    """Promote only where a gain is established as well; for critical axes."""
    reliable: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """For `retained`: the share of attempts from which on a problem counts as solved reliably; .75 where not given."""

    @model_validator(mode="after")
    def _one_margin(self) -> Self:
        given = [name for name in ("max_drop", "max_relative_drop", "max_rise") if getattr(self, name) is not None]
        if len(given) != 1:
            raise FieldError(
                f"{' and '.join(given)}" if given else "no margin",
                expected="exactly one of max_drop, max_relative_drop, max_rise",
                location=(given[-1],) if given else (),
            )
        if self.must_improve and self.tier != "critical":
            raise FieldError(
                f"must_improve on an axis of tier {self.tier}",
                expected="it on critical axes alone: no other is needed to promote",
                location=("must_improve",),
            )
        return self

    @property
    def margin(self) -> float:
        """The margin, whichever it is."""
        return next(m for m in (self.max_drop, self.max_relative_drop, self.max_rise) if m is not None)


class Concepts(Strict, strict=True):
    """What the axis `concepts.fringe` is measured on."""

    fringe: Annotated[list[Name], Field(min_length=1)]
    """The rare concepts with many prerequisites, frozen on the training data and M_1: problems that touch one count."""


class Lineage(Strict, strict=True):
    """How the error of one run of gates over a whole lineage is kept at alpha, instead of alpha for each gate."""

    spend: Literal["equal", "open"]
    """`equal`: alpha / rounds for each gate. `open`: 6 alpha / (pi t)^2 for gate t, for a run without a planned end."""
    rounds: Annotated[int, Field(ge=1)] | None = None
    """How many gates the lineage has at most, for `equal`."""

    @model_validator(mode="after")
    def _rounds_where_they_are_needed(self) -> Self:
        if (self.rounds is None) == (self.spend == "equal"):
            found = "no rounds" if self.rounds is None else f"rounds = {self.rounds} with spend: open"
            raise FieldError(found, expected="rounds with spend: equal, and only there", location=("spend",))
        return self


class Override(Strict, strict=True):
    """Promote whatever the statistics say, until a day: logged in the verdict and shown on its page."""

    reason: Name
    by: Name
    expires: datetime.date
    """The last day on which it holds (UTC). Afterwards the policy is refused until the override is removed."""


class Review(Strict, strict=True):
    """A promotion waits for a person: `ratchet promote` then needs the reviewers, and the approval of one of them."""

    four_eyes: bool = False
    """Not by whoever started the run."""


class Policy(Strict, strict=True):
    """What `policy.yaml` holds."""

    version: Literal[1]
    alpha: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    """The chance to promote what is beyond a margin, and the chance to block what is within all of them."""
    suites: Suites
    evidence: EvidenceRule
    axes: dict[str, Axis]
    against: Annotated[list[ReferenceName], Field(min_length=1)]
    multiplicity: Literal["holm"] = "holm"
    lineage: Lineage | None = None
    concepts: Concepts | None = None
    override: Override | None = None
    review: Review | None = None

    @model_validator(mode="after")
    def _axes_can_be_judged(self) -> Self:
        for name, axis in self.axes.items():
            self._require_axis(name, axis)
        if not any(axis.tier == "critical" for axis in self.axes.values()):
            found = "no axis is critical" if self.axes else "axes is empty"
            raise FieldError(
                found, expected="at least one critical axis, or nothing could ever be blocked", location=("axes",)
            )
        return self

    def _require_axis(self, name: str, axis: Axis) -> None:
        found = measured(name, self.suites.main, self.suites.ood)
        if found is None:
            near = difflib.get_close_matches(name, possible_axes(self.suites.ood), n=1, cutoff=0.5)
            raise FieldError(
                f"unknown axis {name!r}",
                expected="a measure of the main suite, or ood.SUITE.MEASURE with a SUITE of suites.ood (docs/gate.md)",
                location=("axes", name),
                next=f"did you mean {near[0]!r}?" if near else "",
            )
        self._require_margin(name, axis, found)
        self._require_attempts(name, found)
        if found.measure == "concepts.fringe" and self.concepts is None:
            raise FieldError(
                f"axis {name!r} without concepts.fringe", expected="the fringe's concepts", location=("axes", name)
            )

    def _require_margin(self, name: str, axis: Axis, found: Measured) -> None:
        if found.lower_is_better != (axis.max_rise is not None):
            wanted = "max_rise: less is better there" if found.lower_is_better else "max_drop or max_relative_drop"
            raise FieldError(f"axis {name!r} with another margin", expected=wanted, location=("axes", name))
        if axis.max_relative_drop is not None and not found.average:
            raise FieldError(f"axis {name!r} with max_relative_drop", expected="max_drop", location=("axes", name))
        if axis.reliable is not None and found.measure != "retained":
            raise FieldError(f"axis {name!r} with reliable", expected="it on retained alone", location=("axes", name))

    def _require_attempts(self, name: str, found: Measured) -> None:
        usable = self.evidence.min_attempts // (2 if "best" in self.against else 1)
        if found.attempts_needed > usable:
            half = (
                ": one half of the attempts chooses the best, the other is compared" if "best" in self.against else ""
            )
            raise FieldError(
                f"axis {name!r} needs {found.attempts_needed} attempts a problem, min_attempts = "
                f"{self.evidence.min_attempts} leaves {usable}{half}",
                expected="a smaller K or a larger min_attempts",
                location=("axes", name),
            )

    @property
    def needs_halves(self) -> bool:
        """Whether something is chosen on one half of the attempts and compared on the other."""
        return "best" in self.against or any(self.measured(name).measure == "retained" for name in self.axes)

    @property
    def needs_texts(self) -> bool:
        """Whether some axis is computed from what the attempts say."""
        return any(self.measured(name).measure.startswith("diversity.") for name in self.axes)

    @property
    def needs_confidence(self) -> bool:
        """Whether some axis is computed from the attempts' confidences."""
        return any(self.measured(name).measure.startswith("calibration.") for name in self.axes)

    def measured(self, axis: str) -> Measured:
        """What an axis of this policy is measured by."""
        found = measured(axis, self.suites.main, self.suites.ood)
        assert found is not None, f"the policy let the axis {axis!r} through"
        return found


def read_policy(path: Path) -> Policy:
    """The policy in a YAML file."""
    return load_yaml(path, Policy)


def policy_digest(policy: Policy) -> str:
    """SHA-256 of the policy as canonical JSON: layout, comments and defaults written out make no difference.

    `min_isolation`, `known_weights` and `review` are younger than the format: left out where they ask for nothing, so
    that older digests stay what they are.
    """
    plain = policy.model_dump(mode="json")
    for younger in ("min_isolation", "known_weights"):
        if not plain["evidence"][younger]:
            del plain["evidence"][younger]
    if plain["review"] is None:
        del plain["review"]
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
