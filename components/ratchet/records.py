"""The records that steps hand to each other (contract, section 1).

Inside Ratchet they are frozen dataclasses; `ratchet.storage` reads and writes them as JSONL or Parquet and checks what
comes from outside.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["numeric", "math", "choice", "exact", "code", "gym"]
Split = Literal["train", "eval", "ood"]
Outcome = Literal["correct", "incorrect", "ungradable", "error"]
FinishReason = Literal["stop", "length"]
Isolation = Literal["none", "namespaces", "landlock", "process"]  # best first; none: no program was run


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem; `id` is unique within its `suite`."""

    id: str
    prompt: str
    answer: str
    suite: str = "default"
    kind: Kind = "numeric"
    split: Split = "train"
    group: str | None = None
    cluster: str | None = None
    concepts: tuple[str, ...] = ()
    solution: str | None = None
    tests: str | None = None
    entry_point: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One attempt of a model at a problem: what it wrote and why it stopped."""

    problem_id: str
    suite: str
    attempt: int
    text: str
    finish_reason: FinishReason
    tokens: int
    logprob: float


@dataclass(frozen=True, slots=True)
class Grade:
    """The outcome of one attempt: a failure of the machinery is `error` and never a wrong answer.

    `isolation` is the level at which a program was run, None where nothing was run.
    """

    problem_id: str
    suite: str
    attempt: int
    outcome: Outcome
    answer: str | None
    reason: str | None = None
    confidence: float | None = None
    isolation: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sample and its grade in one row: the interchange format, and what the gate pairs on."""

    problem_id: str
    outcome: Outcome
    suite: str = "default"
    attempt: int = 0
    text: str | None = None
    answer: str | None = None
    confidence: float | None = None
    group: str | None = None
    cluster: str | None = None
    concepts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """Whose weights drew a set of attempts, as far as the sampler saw it.

    `weights` is the digest of the checkpoint that was to answer. `logprobs` is the fingerprint: the log-probabilities
    that the model which did answer gives the tokens of fixed texts; `tokens` is the digest of those tokens, `precision`
    that of its arithmetic (None: a server does not say). `distance` is how far a token this is from what the
    checkpoint's own weights give, `at_most` what one model may differ by; both are None where the model was loaded from
    the checkpoint's files themselves and nothing else was there to compare with.
    """

    backend: str
    weights: str
    tokens: str
    logprobs: tuple[float, ...]
    precision: str | None = None
    distance: float | None = None
    at_most: float | None = None

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  pydantic's ConfigDict, without its import


@dataclass(frozen=True, slots=True)
class Example:
    """One text to learn from: what is asked and the completion wanted.

    The file's header says by which kind of prompt (`ratchet.prompts`) it is asked; `plain` where it says nothing.
    """

    problem_id: str
    suite: str
    prompt: str
    completion: str
