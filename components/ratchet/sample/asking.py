"""What is asked: the problems of a run in tokens, refused before any model is loaded where one leaves no room."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from ratchet.checkpoints import context_length, load_tokenizer
from ratchet.errors import InputError
from ratchet.prompts import prompt_tokens, require_template
from ratchet.records import Problem
from ratchet.sample.engine import Question
from ratchet.sample.parts import Key
from ratchet.sample.settings import Sampling


def questions(problems: Sequence[Problem], checkpoint: Path, sampling: Sampling) -> list[Question]:
    """The problems in tokens, each with all its attempts."""
    tokenizer = load_tokenizer(checkpoint)
    require_template(tokenizer, sampling.prompt, checkpoint)
    attempts = tuple(range(sampling.attempts))
    asked = [Question(p.suite, p.id, tuple(prompt_tokens(p, tokenizer, sampling.prompt)), attempts) for p in problems]
    require_room(asked, context_length(checkpoint), sampling)
    return asked


def missing(asked: Sequence[Question], done: Collection[Key]) -> list[Question]:
    """The questions that have attempts left to draw, with those alone."""
    left = [replace(q, attempts=tuple(a for a in q.attempts if (q.suite, q.problem_id, a) not in done)) for q in asked]
    return [question for question in left if question.attempts]


def longest(asked: Sequence[Question], sampling: Sampling) -> int:
    """The most tokens that a prompt and its answer take together."""
    return max((len(question.token_ids) for question in asked), default=0) + sampling.max_new_tokens


def require_room(asked: Sequence[Question], room: int | None, sampling: Sampling) -> None:
    """Refuse a prompt that leaves no room for its answer in a context of `room` tokens."""
    needed = longest(asked, sampling)
    if room is not None and needed > room and asked:
        worst = max(asked, key=lambda question: len(question.token_ids))
        raise InputError(
            f"a prompt of {len(worst.token_ids)} tokens and {sampling.max_new_tokens} new ones",
            where=f"problem {worst.problem_id}",
            expected=f"at most {room} tokens, the context of the model",
            next="lower max_new_tokens or leave the problem out",
        )
