"""The scorers of reasoning-gym as a judge: they run in `ratchet.grade.judge_server` alone, since some may never return.

Only families whose scorers evaluate no text get here (`ratchet.grade.families`).
"""

import json
from functools import lru_cache
from typing import Any

from ratchet.grade.gym import read_entry


def warm() -> None:
    """Imports what the first judgement needs."""
    import reasoning_gym  # noqa: F401


def judge(gold: str, text: str) -> tuple[str, str | None, str | None]:
    """The outcome, the answer and the reason: correct is a score of 1, and nothing less.

    The scorer gets an entry of its own, since some change what they are given. What it can't read is a wrong answer.
    """
    entry = read_entry(gold)
    try:
        score = _scorer(entry.family, json.dumps(entry.config)).score_answer(
            text, {"answer": entry.answer, "metadata": entry.metadata}
        )
    except Exception as error:
        return "incorrect", text, f"the scorer could not read the answer ({type(error).__name__})"
    if isinstance(score, int | float) and score == 1.0:
        return "correct", text, None
    return "incorrect", text, f"the scorer gave {score if isinstance(score, int | float) else 0:.3g} of 1"


@lru_cache(maxsize=64)
def _scorer(family: str, config: str) -> Any:
    from reasoning_gym.factory import create_dataset

    return create_dataset(family, **{"seed": 0, "size": 1, **json.loads(config)})
