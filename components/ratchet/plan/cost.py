"""What evidence costs: attempts, tokens and GPU hours."""

from dataclasses import dataclass

from ratchet.errors import InputError


@dataclass(frozen=True, slots=True)
class Prices:
    """Tokens of an attempt on average, and tokens that one GPU writes in a second; None where they are not known."""

    tokens_per_attempt: float | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What evaluating one checkpoint takes; each reference that is sampled anew takes as much."""

    attempts: int
    tokens: float | None
    gpu_hours: float | None


def cost(problems: int, attempts: int, suites: int, prices: Prices) -> Cost:
    """The cost of so many attempts at so many problems of each suite: tokens / (tokens a second) / 3600 GPU hours."""
    number = problems * attempts * suites
    tokens = None if prices.tokens_per_attempt is None else number * prices.tokens_per_attempt
    speed = prices.tokens_per_second
    hours = None if tokens is None or speed is None else tokens / speed / 3600.0
    return Cost(number, tokens, hours)


def require_sensible(prices: Prices) -> None:
    """An InputError where hours are asked for and tokens are not known."""
    if prices.tokens_per_second is not None and prices.tokens_per_attempt is None:
        raise InputError(
            "--tokens-per-second alone", expected="--tokens-per-attempt beside it: hours are tokens / speed"
        )
