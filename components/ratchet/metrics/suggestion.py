"""Which method of self-improvement the coverage of correct answers suggests."""

from dataclasses import dataclass
from typing import Literal

THRESHOLD = 0.5  # the rule of P1; its own table breaks it once


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A method, and whether the interval of the coverage lies on one side of the rule's threshold. Advice, not law."""

    method: Literal["sft", "dpo or sft-dpo"]
    coverage: float
    sure: bool


def suggested_method(coverage: float, low: float, high: float) -> Suggestion:
    """DPO or SFT-DPO where more than half of the sampled answers are correct, else SFT."""
    above = coverage > THRESHOLD
    return Suggestion("dpo or sft-dpo" if above else "sft", coverage, low > THRESHOLD if above else high <= THRESHOLD)
