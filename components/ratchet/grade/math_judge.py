r"""math-verify as a judge: it runs in `ratchet.grade.judge_server` alone, since sympy may never return."""

from functools import lru_cache
from typing import Any


def warm() -> None:
    """Imports what the first judgement needs."""
    judge("1", "\\boxed{1}")


def judge(gold: str, text: str) -> tuple[str, str | None, str | None]:
    r"""The outcome, the answer found and the reason; both sides are in `\boxed{}` or are a text to search."""
    from math_verify import parse, verify

    expected = _gold(gold)
    if not expected:
        bare = gold.removeprefix("\\boxed{").removesuffix("}")
        return "ungradable", None, f"math-verify can't read the gold answer {bare[:40]!r}"
    found = parse(text, parsing_timeout=None)
    if not found:
        return "incorrect", None, "no expression in the text"
    answer = next((part for part in reversed(found) if isinstance(part, str)), None)
    right = verify(list(expected), found, timeout_seconds=None)
    return ("correct" if right else "incorrect"), answer, None


@lru_cache(maxsize=4096)
def _gold(gold: str) -> tuple[Any, ...]:
    """What math-verify reads in the gold answer; empty where that is no expression."""
    from math_verify import parse

    found = parse(gold, parsing_timeout=None)
    return tuple(found) if any(not isinstance(part, str) for part in found) else ()
