"""How attempts are graded: what changes a verdict, and what only changes how the work is done."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ratchet.errors import InputError
from ratchet.processors import processors

RULES = 3  # of all the graders: raised with every change that can change a verdict
Isolation = Literal["namespaces", "landlock", "process"]


@dataclass(frozen=True, slots=True)
class Grading:
    """The settings of a run.

    `tolerance` is the relative error that a numeric answer may have, `confidence` what is written as an attempt's
    confidence, `isolation` the least that programs may be run at. `workers` (None: one a core) and `max_error_rate`,
    the share of attempts at which failures of the machinery stop the run, change no verdict.
    """

    tolerance: float = 0.0
    confidence: Literal["agreement", "logprob"] | None = None
    isolation: Isolation | None = None
    workers: int | None = None
    max_error_rate: float = 0.01

    def __post_init__(self) -> None:
        _require("tolerance", self.tolerance, 0 <= self.tolerance < 1, "a number from 0 to less than 1")
        _require("max_error_rate", self.max_error_rate, 0 <= self.max_error_rate <= 1, "a number from 0 to 1")
        _require("workers", self.workers, self.workers is None or self.workers >= 1, "at least 1 worker")

    @property
    def processes(self) -> int:
        """How many workers there are to be."""
        return self.workers or processors()

    def describe(self) -> dict[str, Any]:
        """What a verdict depends on."""
        kept = {k: v for k, v in asdict(self).items() if k not in ("workers", "max_error_rate")}
        return {"rules": RULES, **kept}


def _require(name: str, value: float | None, fine: bool, expected: str) -> None:
    if not fine or (value is not None and math.isnan(value)):
        raise InputError(f"{name} = {value}", expected=expected)
