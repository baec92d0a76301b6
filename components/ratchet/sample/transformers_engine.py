"""The back end that needs nothing but transformers: batches of attempts in this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ratchet.checkpoints import end_tokens, load_model, load_tokenizer
from ratchet.records import Sample
from ratchet.sample.decode import Decoded, decoding, uniforms
from ratchet.sample.engine import Engine, Job, Question, TokenIds, cut
from ratchet.sample.settings import Sampling, attempt_key

ROWS_A_BATCH = 512  # attempts decoded at once: what a small model on a CPU is fastest with

Row = tuple[Question, int]


@contextmanager
def transformers_engine(job: Job) -> Iterator[Engine]:
    """The engine on the checkpoint's weights, in the precision that they are stored in."""
    tokenizer = load_tokenizer(job.checkpoint)
    model = load_model(job.checkpoint)
    ends = end_tokens(job.checkpoint, tokenizer)

    def draw(questions: Sequence[Question]) -> Iterator[list[Sample]]:
        for rows in _batches(questions):
            for finished in _decoding(rows, model, tokenizer, ends, job.sampling):
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


def _batches(questions: Sequence[Question]) -> Iterator[list[Row]]:
    """The attempts in batches of prompts of like length; all those at one prompt that a batch has room for together."""
    batch: list[Row] = []
    for question in sorted(questions, key=lambda question: len(question.token_ids)):
        for start in range(0, len(question.attempts), ROWS_A_BATCH):
            rows = [(question, attempt) for attempt in question.attempts[start : start + ROWS_A_BATCH]]
            if batch and len(batch) + len(rows) > ROWS_A_BATCH:
                yield batch
                batch = []
            batch = batch + rows
    if batch:
        yield batch


def _decoding(
    rows: Sequence[Row], model: Any, tokenizer: Any, ends: frozenset[int], sampling: Sampling
) -> Iterator[list[tuple[int, Decoded]]]:
    counts: dict[Question, int] = {}
    for question, _ in rows:
        counts[question] = counts.get(question, 0) + 1
    keys = [attempt_key(sampling.seed, question.suite, question.problem_id, attempt) for question, attempt in rows]
    return decoding(
        model,
        [question.token_ids for question in counts],
        list(counts.values()),
        uniforms(keys, sampling.max_new_tokens),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        end_tokens=ends,
        stops=stopping(tokenizer, sampling.stop),
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
