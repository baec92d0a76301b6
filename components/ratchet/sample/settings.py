"""How attempts are drawn, and where each one's randomness comes from."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from ratchet.errors import InputError
from ratchet.prompts import Prompt

Backend = Literal["transformers", "vllm", "openai"]
STREAM_RULE = "philox(sha256(seed, suite, problem_id, attempt))"
NUMBER_RULE = "sha256(seed, suite, problem_id), one number an attempt"
SEED_RULES: dict[Backend, str] = {"transformers": STREAM_RULE, "vllm": NUMBER_RULE, "openai": NUMBER_RULE}
SPREAD = 2_654_435_769  # odd, so that its multiples below 2^32 are all different modulo 2^32


@dataclass(frozen=True, slots=True)
class Sampling:
    """n attempts a problem at a temperature; `top_p` 1 keeps the whole distribution.

    An answer ends at the model's end token, before the first of the `stop` strings, or after `max_new_tokens`.
    """

    attempts: int
    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int = 0
    prompt: Prompt = "plain"
    stop: tuple[str, ...] = ()
    backend: Backend = "transformers"

    def __post_init__(self) -> None:
        """Refuse what can't be sampled, or what would draw the same answer n times."""
        wrong = [
            (self.attempts < 1, f"attempts = {self.attempts}", "at least 1"),
            (self.max_new_tokens < 1, f"max_new_tokens = {self.max_new_tokens}", "at least 1"),
            (not 0 <= self.temperature < float("inf"), f"temperature = {self.temperature}", "0 (greedy) or more"),
            (not 0 < self.top_p <= 1, f"top_p = {self.top_p}", "more than 0, at most 1"),
            ("" in self.stop, "an empty stop string", "stop strings of at least one character"),
            (
                self.temperature == 0 and self.attempts > 1,
                f"temperature = 0 with {self.attempts} attempts",
                "one attempt, since every greedy attempt is the same",
            ),
        ]
        for is_wrong, found, expected in wrong:
            if is_wrong:
                raise InputError(found, where="sampling", expected=expected)

    def describe(self) -> dict[str, object]:
        """What two sets of attempts must share to be compared, and the seed, which they need not share."""
        described: dict[str, object] = {
            "backend": self.backend,
            "prompt": self.prompt,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_new_tokens": self.max_new_tokens,
            "seed": self.seed,
            "seed_rule": SEED_RULES[self.backend],
        }
        return {**described, "stop": list(self.stop)} if self.stop else described


def attempt_key(seed: int, suite: str, problem_id: str, attempt: int) -> int:
    """The 128-bit key of one attempt's own random stream: the same wherever and beside whatever it is drawn."""
    return _digest(seed, suite, problem_id, attempt)


def attempt_seed(seed: int, suite: str, problem_id: str, attempt: int) -> int:
    """The seed of one attempt for an engine that takes a 63-bit number.

    The lower 32 bits of two attempts at one problem always differ: torch's generator on the CPU (MT19937) reads no
    others, so hashes would give two of 1,000 attempts the same answer once in some 8,600 problems. The upper 31 differ
    between problems.
    """
    problem = _digest(seed, suite, problem_id)
    lower = (problem + attempt * SPREAD) % 2**32
    return (problem >> 32) % 2**31 * 2**32 + lower


def _digest(*names: object) -> int:
    joined = "\0".join(str(name) for name in names).encode()
    return int.from_bytes(hashlib.sha256(joined).digest()[:16], "big")
