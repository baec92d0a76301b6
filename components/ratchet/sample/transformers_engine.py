"""The back end that needs nothing but transformers: batches of attempts in this process, or forked from it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratchet.checkpoints import end_tokens, load_model, load_tokenizer
from ratchet.records import Sample
from ratchet.sample.decode import Decoded, decoding, uniforms
from ratchet.sample.engine import Engine, Job, Question, TokenIds, cut
from ratchet.sample.key_values import prefixes, require_keys_and_values, room
from ratchet.sample.settings import Sampling, attempt_key
from ratchet.sample.shared_prompts import share_prompts
from ratchet.sample.side_by_side import side_by_side

Row = tuple[Question, int]
FEWEST_ROWS = 128  # of a process: with fewer, the threads of one process are as fast


@contextmanager
def transformers_engine(job: Job) -> Iterator[Engine]:
    """The engine on the checkpoint's weights, in the precision that they are stored in."""
    tokenizer = load_tokenizer(job.checkpoint)
    model = load_model(job.checkpoint)
    require_keys_and_values(model, str(job.checkpoint))
    share_prompts(model)
    ends = end_tokens(job.checkpoint, tokenizer)

    def draw(questions: Sequence[Question]) -> Iterator[list[Sample]]:
        ordered = sorted(questions, key=lambda question: len(question.token_ids))
        sharers = _sharers(model, ordered, job.sampling)
        if sharers == 1:
            return drawn(ordered, 1)
        return side_by_side([partial(drawn, ordered[share::sharers], sharers) for share in range(sharers)])

    def drawn(questions: Sequence[Question], sharers: int) -> Iterator[list[Sample]]:
        for together in _of_like_length(questions, job.sampling.max_new_tokens):
            rows = [(question, attempt) for question in together for attempt in question.attempts]
            for finished in _decoding(together, rows, model, tokenizer, ends, job.sampling, sharers):
                yield _samples(rows, finished, tokenizer, job.sampling)

    precision = str(model.dtype).removeprefix("torch.")
    yield Engine(draw, lambda texts: score_tokens(model, texts), str(job.checkpoint), precision)


def score_tokens(model: Any, texts: Sequence[TokenIds]) -> list[list[float]]:
    """The log-probability of each token but the first of each text, one text at a time: they are few and short."""
    import torch

    scores = []
    with torch.inference_mode():
        for ids in texts:
            logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0, :-1].double(), -1)
            scores.append(logprobs.gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist())
    return scores


def _sharers(model: Any, questions: Sequence[Question], sampling: Sampling) -> int:
    """How many processes are to draw: one a thread where each has rows enough to be busy, else this one alone."""
    if sys.platform != "linux" or not questions:  # elsewhere what is loaded here may not survive a fork
        return 1
    attempts = sum(len(question.attempts) for question in questions)
    longest = max(len(question.token_ids) for question in questions)
    prefix = next(prefixes(model, [questions[0].token_ids[:1]]))
    rows = min(attempts, room(prefix, longest, sampling.max_new_tokens))
    count = threads()
    return count if rows >= FEWEST_ROWS * count else 1


def threads() -> int:
    """How many threads this process computes on: one a processor, unless OMP_NUM_THREADS says otherwise."""
    import torch

    return torch.get_num_threads()


def _of_like_length(ordered: Sequence[Question], new_tokens: int) -> Iterator[list[Question]]:
    """The questions, which are in order of length, those together that want rows of like length: within a power of two.

    All rows are as long as the longest needs, so one long prompt would leave room for few rows.
    """
    for _, together in groupby(ordered, lambda question: (len(question.token_ids) + new_tokens).bit_length()):
        yield list(together)


def _decoding(
    questions: Sequence[Question],
    rows: Sequence[Row],
    model: Any,
    tokenizer: Any,
    ends: frozenset[int],
    sampling: Sampling,
    sharers: int,
) -> Iterator[list[tuple[int, Decoded]]]:
    def noise(numbers: range) -> NDArray[np.float64]:
        asked = [rows[number] for number in numbers]
        keys = [attempt_key(sampling.seed, question.suite, question.problem_id, attempt) for question, attempt in asked]
        return uniforms(keys, sampling.max_new_tokens)

    return decoding(
        model,
        [question.token_ids for question in questions],
        [len(question.attempts) for question in questions],
        noise,
        new_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        end_tokens=ends,
        stops=stopping(tokenizer, sampling.stop),
        sharers=sharers,
    )


def stopping(tokenizer: Any, stop: Sequence[str]) -> Any:
    """Tells whether the last of these tokens completed a stop string; None where there is none to look for."""
    if not stop:
        return None
    # A token that shows adds at least one byte; a few more in front keep what a decoder does to a text's first token
    # away from the string.
    window = max(len(string.encode()) for string in stop) + 8

    def stopped(token_ids: Sequence[int]) -> bool:
        text = tokenizer.decode(token_ids[-window:], skip_special_tokens=True)
        return any(string in text for string in stop)

    return stopped


def _samples(
    rows: Sequence[Row], finished: Sequence[tuple[int, Decoded]], tokenizer: Any, sampling: Sampling
) -> list[Sample]:
    if not finished:
        return []
    texts = tokenizer.batch_decode([drawn.token_ids for _, drawn in finished], skip_special_tokens=True)
    return [
        rows[place][0].sample(
            rows[place][1], cut(text, sampling.stop), drawn.finish_reason, drawn.tokens, drawn.logprob
        )
        for (place, drawn), text in zip(finished, texts, strict=True)
    ]
