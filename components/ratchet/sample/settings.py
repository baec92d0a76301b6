"""How attempts are drawn, and where each one's randomness comes from."""

import hashlib
from dataclasses import dataclass

from ratchet.errors import InputError

SEED_RULE = "philox(sha256(seed, suite, problem_id, attempt))"


@dataclass(frozen=True, slots=True)
class Sampling:
    """n attempts a problem at a temperature; `top_p` 1 keeps the whole distribution."""

    attempts: int
    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what can't be sampled, or what would draw the same answer n times."""
        wrong = [
            (self.attempts < 1, f"attempts = {self.attempts}", "at least 1"),
            (self.max_new_tokens < 1, f"max_new_tokens = {self.max_new_tokens}", "at least 1"),
            (not 0 <= self.temperature < float("inf"), f"temperature = {self.temperature}", "0 (greedy) or more"),
            (not 0 < self.top_p <= 1, f"top_p = {self.top_p}", "more than 0, at most 1"),
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
        return {
            "backend": "transformers",
            "prompt": "plain",
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_new_tokens": self.max_new_tokens,
            "seed": self.seed,
            "seed_rule": SEED_RULE,
        }


def attempt_key(seed: int, suite: str, problem_id: str, attempt: int) -> int:
    """The 128-bit key of one attempt's own random stream: the same wherever and beside whatever it is drawn."""
    name = f"{seed}\0{suite}\0{problem_id}\0{attempt}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:16], "big")
