"""The back end for a server that is there already: one request an attempt, many under way at a time."""

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ratchet.checkpoints import end_tokens, load_tokenizer
from ratchet.errors import InputError
from ratchet.records import Sample
from ratchet.sample.copies import refuse_copies
from ratchet.sample.endpoint import Client
from ratchet.sample.engine import Engine, Job, Question, TokenIds, cut
from ratchet.sample.fingerprint import fixed_texts
from ratchet.sample.settings import Sampling, attempt_seed

TURN_S = 0.5  # the caller gets its turn at least this often
PROBES = 8


@dataclass(frozen=True, slots=True)
class _Server:
    """What every request needs: the connection, the model's name, what only vLLM understands, and the tokenizer.

    `salt` is new in every start: no answer and no prefix that the server kept from before is used.
    """

    client: Client
    model: str
    salt: str
    is_vllm: bool
    tokenizer: Any
    ends: frozenset[int]

    def complete(self, **body: Any) -> Any:
        body = {"model": self.model, "n": 1, "user": self.salt, **body}
        if self.is_vllm:  # whatever the checkpoint's generation_config says, the model's own distribution is drawn from
            untouched = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "stop_token_ids": sorted(self.ends)}
            body |= {"cache_salt": self.salt, **untouched}
        answer = self.client.ask("/completions", body)
        choices = answer.get("choices") if isinstance(answer, dict) else None
        logprobs = (choices[0].get("logprobs") or {}).get("token_logprobs") if choices else None
        if not choices or len(choices) != 1 or not logprobs:
            raise InputError(
                f"{len(choices or [])} choices, {'without' if not logprobs else 'with'} log-probabilities",
                where=self.client.endpoint.url,
                expected="one choice with the log-probability of each token (`logprobs`)",
            )
        return choices[0]


@contextmanager
def openai_engine(job: Job) -> Iterator[Engine]:
    """The engine behind the job's endpoint; the checkpoint gives the tokenizer, so that prompts are sent as tokens."""
    if job.endpoint is None:
        raise InputError("no endpoint", where="--backend openai", expected="its address with --base-url")
    client = Client(job.endpoint)
    try:
        model, about = _served(client)
        _require_room(client, about.get("max_model_len"), job.longest)
        tokenizer = load_tokenizer(job.checkpoint)
        ends = end_tokens(job.checkpoint, tokenizer)
        server = _Server(client, model, uuid.uuid4().hex, about.get("owned_by") == "vllm", tokenizer, ends)
        _refuse_cached_answers(server, job)
        yield Engine(
            lambda questions: _draw(server, questions, job.sampling),
            lambda texts: [_score(server, ids) for ids in texts],
            name=job.endpoint.url,
            served=True,
            suspect=client.suspect,
        )
    finally:
        client.close()


def _served(client: Client) -> tuple[str, dict[str, Any]]:
    """The name of the model that is asked, and what the server says about it."""
    answer = client.ask("/models")
    listed = answer.get("data") if isinstance(answer, dict) else None
    models = {str(model.get("id")): model for model in listed or []}
    wanted = client.endpoint.model or (next(iter(models)) if len(models) == 1 else None)
    if wanted not in models:
        raise InputError(
            f"no model {wanted!r}" if wanted else f"{len(models)} models",
            where=client.endpoint.url,
            expected="one of " + ", ".join(sorted(models)),
            next="name it with --model",
        )
    return wanted, models[wanted]


def _require_room(client: Client, room: Any, longest: int) -> None:
    if isinstance(room, int) and longest > room:
        raise InputError(
            f"a context of {room} tokens",
            where=client.endpoint.url,
            expected=f"{longest}, the longest prompt and its answer",
            next="serve the model with a longer context (vLLM: --max-model-len) or lower max_new_tokens",
        )


def _refuse_cached_answers(server: _Server, job: Job) -> None:
    """Refuse a server that answers one question always the same, whatever the seed, at temperature 1."""
    if job.sampling.attempts == 1:
        return
    text = fixed_texts(server.tokenizer, job.longest)[0]
    probe = Question("ratchet", "the probe", text[: max(1, len(text) // 2)], tuple(range(PROBES)))
    tokens = min(job.sampling.max_new_tokens, max(1, job.longest - len(probe.token_ids)))
    settings = replace(job.sampling, attempts=PROBES, temperature=1.0, top_p=1.0, max_new_tokens=tokens, stop=())
    drawn = [sample for finished in _draw(server, [probe], settings) for sample in finished]
    refuse_copies(drawn, 1.0, 1.0, server.client.endpoint.url)


def _draw(server: _Server, questions: Sequence[Question], sampling: Sampling) -> Iterator[list[Sample]]:
    coming = ((question, attempt) for question in questions for attempt in question.attempts)
    at_once = server.client.endpoint.at_once
    under_way: set[Future[Sample]] = set()
    pool = ThreadPoolExecutor(at_once)
    try:
        while True:
            while len(under_way) < 2 * at_once and (following := next(coming, None)) is not None:
                under_way.add(pool.submit(_attempt, server, *following, sampling))
            if not under_way:
                return
            finished, under_way = wait(under_way, timeout=TURN_S, return_when=FIRST_COMPLETED)
            yield [future.result() for future in finished]
    except BaseException:
        server.client.close()  # no thread goes on asking for what nobody waits for
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _attempt(server: _Server, question: Question, attempt: int, sampling: Sampling) -> Sample:
    choice = server.complete(
        prompt=list(question.token_ids),
        seed=attempt_seed(sampling.seed, question.suite, question.problem_id, attempt),
        max_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        logprobs=0,
        **({"stop": list(sampling.stop)} if sampling.stop else {}),
        **({"return_token_ids": True} if server.is_vllm else {}),
    )
    reason, logprobs = choice.get("finish_reason"), choice["logprobs"]["token_logprobs"]
    if reason not in ("stop", "length"):
        raise InputError(
            f"an answer that ended with {reason!r}",
            where=server.client.endpoint.url,
            expected="'stop' or 'length'",
            next="turn off the filters of the server",
        )
    text = cut(_text(server, choice), sampling.stop)
    return question.sample(attempt, text, reason, len(logprobs), float(sum(logprobs)))


def _text(server: _Server, choice: dict[str, Any]) -> str:
    """The answer's text, from its tokens where the server gives them: as the other back ends decode it."""
    ids = choice.get("token_ids")
    if not ids:
        return str(choice["text"])
    kept = ids[:-1] if ids[-1] in server.ends else ids
    return str(server.tokenizer.decode(kept, skip_special_tokens=True))


def _score(server: _Server, ids: TokenIds) -> list[float]:
    choice = server.complete(
        prompt=list(ids), seed=uuid.uuid4().int % 2**31, max_tokens=1, temperature=0.0, echo=True, logprobs=0
    )
    logprobs = choice["logprobs"]["token_logprobs"][1 : len(ids)]
    if len(logprobs) != len(ids) - 1 or None in logprobs:
        raise InputError(
            f"the log-probabilities of {len(logprobs)} of {len(ids) - 1} prompt tokens",
            where=server.client.endpoint.url,
            expected="those of all (`echo` with `logprobs` on /v1/completions), to see whose weights answer",
        )
    return [float(logprob) for logprob in logprobs]
