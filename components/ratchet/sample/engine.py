"""What draws: one shape for the three back ends, each a function that yields it for as long as its model is loaded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ratchet.records import FinishReason, Sample
from ratchet.sample.settings import Sampling

TokenIds = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A problem's prompt in tokens, and the numbers of the attempts that are still to be drawn."""

    suite: str
    problem_id: str
    token_ids: TokenIds
    attempts: tuple[int, ...]

    def sample(self, attempt: int, text: str, finish_reason: FinishReason, tokens: int, logprob: float) -> Sample:
        """The record of one of its attempts."""
        return Sample(self.problem_id, self.suite, attempt, text, finish_reason, tokens, logprob)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible server.

    Attributes:
        url: Its base address, with the version: `https://host/v1`.
        model: The model's name there; None for the only one that it serves.
        key: The key that it wants, never written anywhere.
        at_once: Requests under way at one time.
        patience_s: How long it may be out of reach before the run stops.
    """

    url: str
    model: str | None = None
    key: str | None = field(default=None, repr=False)
    at_once: int = 64
    patience_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Job:
    """What an engine is opened for; `longest` is the most tokens, prompt and answer, that it needs room for."""

    checkpoint: Path
    sampling: Sampling
    longest: int
    endpoint: Endpoint | None = None


Draw = Callable[[Sequence[Question]], Iterator[list[Sample]]]
Score = Callable[[Sequence[TokenIds]], list[list[float]]]


def never() -> bool:
    """False: an engine in this process can't be exchanged behind our back."""
    return False


@dataclass(frozen=True, slots=True)
class Engine:
    """A loaded model as three functions.

    Attributes:
        draw: Yields attempts as they finish, and empty lists while none does, so that the caller gets its turn.
        score: The log-probability of each token of a text but its first, given those before it.
        name: Where the model is, for messages.
        precision: Of the model's arithmetic, None where it is not known.
        served: Whether it is loaded elsewhere, so that it may be exchanged unseen.
        suspect: Whether the connection to it was lost since the last call.
    """

    draw: Draw
    score: Score
    name: str
    precision: str | None = None
    served: bool = False
    suspect: Callable[[], bool] = never


def cut(text: str, stop: Sequence[str]) -> str:
    """The text up to the first of the stop strings that it holds, whichever that is; all of it where it holds none."""
    places = [place for place in (text.find(string) for string in stop) if place >= 0]
    return text[: min(places)] if places else text
