"""The policy: which axes are judged, against what, how much harm is tolerated and how much evidence is asked for."""

import difflib
import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ratchet.config import FieldError, Strict, load_yaml

ReferenceName = Literal["base", "champion"]
Tier = Literal["critical", "supporting", "advisory"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
_PASS_AT_K = re.compile(r"(?:ood\.(?P<suite>.+)\.)?pass@(?P<k>[1-9][0-9]{0,5})")


class Suites(Strict, strict=True):
    """Which problems are judged."""

    main: Annotated[str, Field(min_length=1)]
    """The suite that `pass@K` is measured on."""
    ood: list[Annotated[str, Field(min_length=1)]] = []
    """Suites that nothing was trained for: `ood.SUITE.pass@K`."""

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


class Axis(Strict, strict=True):
    """How one number may change."""

    tier: Tier
    """`critical` can block, `supporting` can only turn PROMOTE into INCONCLUSIVE, `advisory` is shown."""
    max_drop: Annotated[float, Field(ge=0.0, lt=1.0)]
    """The fall that is tolerated, as a difference of shares."""
    must_improve: bool = False
    """Promote only where a gain is established as well; for critical axes."""

    @model_validator(mode="after")
    def _only_critical_axes_must_improve(self) -> Self:
        if self.must_improve and self.tier != "critical":
            raise FieldError(
                f"must_improve on an axis of tier {self.tier}",
                expected="it on critical axes alone: no other is needed to promote",
                location=("must_improve",),
            )
        return self


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

    @model_validator(mode="after")
    def _axes_can_be_judged(self) -> Self:
        for name in self.axes:
            self._require_axis(name)
        if not any(axis.tier == "critical" for axis in self.axes.values()):
            found = "no axis is critical" if self.axes else "axes is empty"
            raise FieldError(
                found, expected="at least one critical axis, or nothing could ever be blocked", location=("axes",)
            )
        return self

    def _require_axis(self, name: str) -> None:
        match = _PASS_AT_K.fullmatch(name)
        if match is None or match["suite"] not in (None, *self.suites.ood):
            near = difflib.get_close_matches(name, self._possible_axes(), n=1, cutoff=0.5)
            raise FieldError(
                f"unknown axis {name!r}",
                expected="pass@K, or ood.SUITE.pass@K with a SUITE of suites.ood",
                location=("axes", name),
                next=f"did you mean {near[0]!r}?" if near else "",
            )
        if int(match["k"]) > self.evidence.min_attempts:
            raise FieldError(
                f"axis {name!r} needs {match['k']} attempts a problem, min_attempts is {self.evidence.min_attempts}",
                expected="a K of at most min_attempts",
                location=("axes", name),
            )

    def _possible_axes(self) -> list[str]:
        ks = [2**i for i in range(self.evidence.min_attempts.bit_length())]
        return [prefix + f"pass@{k}" for prefix in ("", *(f"ood.{suite}." for suite in self.suites.ood)) for k in ks]


def read_policy(path: Path) -> Policy:
    """The policy in a YAML file."""
    return load_yaml(path, Policy)


def policy_digest(policy: Policy) -> str:
    """SHA-256 of the policy as canonical JSON: layout, comments and defaults written out make no difference."""
    canonical = json.dumps(policy.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def measured_by(policy: Policy, axis: str) -> tuple[str, int]:
    """The suite and the K of an axis that the policy knows."""
    match = _PASS_AT_K.fullmatch(axis)
    assert match is not None, f"the policy let the axis {axis!r} through"
    return match["suite"] or policy.suites.main, int(match["k"])
