"""The names of axes: which measure of which suite each is, and which way is harm."""

from collections.abc import Sequence
from dataclasses import dataclass

from ratchet.evaluate.diversity import TEXT_MEASURES
from ratchet.evaluate.measures import measure

LOWER_IS_BETTER = ("calibration.ece", "calibration.brier", "disparity")
SPECIAL = ("retained", "disparity", "calibration.ece", "concepts.fringe")  # no average over all problems


@dataclass(frozen=True, slots=True)
class Measured:
    """What an axis is: a measure of a suite."""

    suite: str
    measure: str
    lower_is_better: bool
    attempts_needed: int

    @property
    def average(self) -> bool:
        """Whether it is an average over problems, so that a relative change is defined."""
        return self.measure not in SPECIAL


def measured(axis: str, main: str, ood: Sequence[str]) -> Measured | None:
    """What the axis of that name is; None where there is none."""
    suite, name = _split(axis, main, ood)
    found = measure(name)
    if (found is None and name not in SPECIAL) or name.startswith("diversity.embedding"):
        return None  # the gate has no embedding model
    needed = 2 if name == "retained" else 1 if found is None else found.attempts_needed
    return Measured(suite, name, name in LOWER_IS_BETTER, needed)


def _split(axis: str, main: str, ood: Sequence[str]) -> tuple[str, str]:
    """The suite and the measure that a name consists of; a suite's own name may hold dots."""
    for suite in sorted(ood, key=len, reverse=True):
        if axis.startswith(f"ood.{suite}."):
            return suite, axis.removeprefix(f"ood.{suite}.")
    for suite in (main, *ood):
        if axis == f"disparity.{suite}":
            return suite, "disparity"
    return main, axis


def possible_axes(ood: Sequence[str]) -> list[str]:
    """Names to look for a near one in."""
    ks = [2**i for i in range(8)]
    plain = [
        *(f"{kind}{k}" for k in ks for kind in ("pass@", "majority@")),
        *(name for name in TEXT_MEASURES if "embedding" not in name),
        *SPECIAL,
        *LOWER_IS_BETTER,
        "coverage.correct",
        "balance",
    ]
    return [
        *plain,
        *(f"disparity.{suite}" for suite in ood),
        *(f"ood.{suite}.{name}" for suite in ood for name in plain),
    ]
