"""How likely a model found its own answer, as a confidence."""

import math
from collections.abc import Sequence
from dataclasses import replace

from ratchet.records import Grade, Sample


def with_likelihood(grades: Sequence[Grade], drawn: Sequence[Sample]) -> list[Grade]:
    """The grades, each with exp(log-probability / tokens) of its sample: the geometric mean of the tokens' probability.

    The log-probability is that of the whole answer under the model's own distribution, so a long answer is not less
    sure for its length. None where nothing was drawn or the machinery failed.
    """
    return [
        replace(grade, confidence=_likelihood(sample) if grade.outcome != "error" else None)
        for grade, sample in zip(grades, drawn, strict=True)
    ]


def _likelihood(sample: Sample) -> float | None:
    return min(1.0, math.exp(sample.logprob / sample.tokens)) if sample.tokens > 0 else None
