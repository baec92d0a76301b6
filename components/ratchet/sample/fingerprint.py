"""Which weights answer? The log-probabilities that a model gives to fixed texts, whoever serves it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ratchet.sample.engine import Engine, TokenIds

TEXTS = (
    "The capital of France is Paris, and the capital of Japan is Tokyo.",
    "Ann has 7 pens. Ben gives her 12 more. How many pens does Ann have now? 7 + 12 = 19. The answer is 19.",
    "def add(a, b):\n    return a + b\n\n\nprint(add(2, 3))  # 5\n",
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday.",
    "If 3x + 5 = 20, then 3x = 15 and x = 5.",
    "Water boils at 100 degrees and freezes at 0 degrees.",
    "Once upon a time there was a king who had three daughters; the youngest of them loved the sea.",
)
MOST_TOKENS = 64  # of one text: what the smallest context and the slowest model have room and time for
DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The texts in the model's tokens, and the log-probability of each token but a text's first.

    `precision` is that of the model's arithmetic (`float32`, `bfloat16`), None where a server does not say.
    """

    token_ids: tuple[TokenIds, ...]
    logprobs: tuple[tuple[float, ...], ...]
    precision: str | None = None


def fixed_texts(tokenizer: Any, context: int | None) -> tuple[TokenIds, ...]:
    """The fixed texts in the model's tokens, cut to what its context has room for."""
    most = min(MOST_TOKENS, (context or MOST_TOKENS + 1) - 1)
    cut = [tuple(tokenizer(text)["input_ids"][:most]) for text in TEXTS]
    return tuple(ids for ids in cut if len(ids) > 1)


def fingerprint(token_ids: Sequence[TokenIds], engine: Engine) -> Fingerprint:
    """The fingerprint of the engine's model, rounded to 4 decimals."""
    scores = tuple(tuple(round(float(p), DECIMALS) for p in row) for row in engine.score(token_ids))
    return Fingerprint(tuple(token_ids), scores, engine.precision)


def distance(one: Fingerprint, other: Fingerprint) -> float | None:
    """The mean absolute difference of the tokens' log-probabilities; None where they are not of the same tokens."""
    if one.token_ids != other.token_ids:
        return None
    pairs = [np.abs(np.subtract(a, b)) for a, b in zip(one.logprobs, other.logprobs, strict=True)]
    return float(np.concatenate(pairs).mean())
