"""One start of a sampler: what is missing is drawn, and it is known all the while which weights draw it."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ratchet.checkpoints import context_length, load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import FileState, file_state
from ratchet.progress import tracking
from ratchet.sample.asking import longest, missing
from ratchet.sample.backends import BACKENDS
from ratchet.sample.engine import Endpoint, Engine, Job, Question, TokenIds
from ratchet.sample.fingerprint import MOST_TOKENS, Fingerprint, fingerprint, fixed_texts
from ratchet.sample.identity import Identity, recorded_identity, require_same, stated_digest, write_identity
from ratchet.sample.parts import Parts, key_of
from ratchet.sample.settings import Sampling
from ratchet.sample.transformers_engine import transformers_engine

SECONDS_BETWEEN_CHECKS = 60.0


class Stopped(Exception):
    """A run stopped for `reason`, and attempts that it drew are on disk."""

    def __init__(self, reason: InputError) -> None:
        self.reason = reason
        super().__init__(str(reason))


def job_for(asked: Sequence[Question], checkpoint: Path, sampling: Sampling, endpoint: Endpoint | None) -> Job:
    """The job of asking these questions, with room for the fixed texts as well."""
    room = min(context_length(checkpoint) or MOST_TOKENS + 1, MOST_TOKENS + 1)
    return Job(checkpoint, sampling, max(longest(asked, sampling), room), endpoint)


def complete(asked: Sequence[Question], parts: Parts, job: Job, folder: Path, state: FileState) -> None:
    """Draw the attempts that the parts don't hold, and write the model's identity into the folder.

    `state` is that of the checkpoint's files when its digest was taken: other files are not what was digested.
    """
    done = {key_of(sample) for sample in parts.read()}
    left = missing(asked, done)
    if not left and not parts.unsure() and recorded_identity(folder) is not None:
        return
    try:
        texts = fixed_texts(load_tokenizer(job.checkpoint), context_length(job.checkpoint))
        expected = _expected(job, folder, texts)
        with BACKENDS[job.sampling.backend](job) as engine:
            _require_unchanged(job.checkpoint, state)
            check = _check(engine, texts, expected, parts)
            write_identity(folder, Identity(stated_digest(job.checkpoint), check()))
            with tracking("sample", sum(len(q.attempts) for q in asked), "attempts", already=len(done)) as advance:
                _draw(engine, left, parts, check, advance)
    except InputError as error:
        if parts.read():
            raise Stopped(error) from error
        raise


def _draw(
    engine: Engine,
    left: Sequence[Question],
    parts: Parts,
    check: Callable[[], Fingerprint],
    advance: Callable[..., None],
) -> None:
    checked = time.monotonic()
    try:
        for finished in engine.draw(left):
            parts.add(finished)
            advance(len(finished), sum(sample.tokens for sample in finished))
            if engine.served and (engine.suspect() or time.monotonic() - checked > SECONDS_BETWEEN_CHECKS):
                check()
                checked = time.monotonic()
    finally:
        parts.flush()
    if engine.served:
        check()


def _check(
    engine: Engine, texts: Sequence[TokenIds], expected: Fingerprint | None, parts: Parts
) -> Callable[[], Fingerprint]:
    """A function that returns the fingerprint of the engine's model, after it has settled what was drawn since before.

    The right model now and at the last check drew what is between. Another one leaves open since when it has answered,
    so all that was drawn since the last check is removed.
    """

    def check() -> Fingerprint:
        found = fingerprint(texts, engine)
        try:
            if expected is not None:
                require_same(found, expected, engine.name)
        except InputError as error:
            error.found += f"; {parts.reject()} attempts since the last check removed"
            raise
        parts.confirm()
        return found

    return check


def _expected(job: Job, folder: Path, texts: Sequence[TokenIds]) -> Fingerprint | None:
    """The fingerprint recorded with the checkpoint; else, for a server, that of the weights in the folder.

    For a model in this process else that of an earlier start, or None: it is loaded from the files that are named.
    """
    recorded = recorded_identity(job.checkpoint)
    if recorded is None and job.sampling.backend == "openai":
        with transformers_engine(job) as own:
            return fingerprint(texts, own)
    known = recorded or recorded_identity(folder)
    return known.fingerprint if known is not None else None


def _require_unchanged(checkpoint: Path, state: FileState) -> None:
    if file_state(checkpoint) != state:
        raise InputError(
            "files that changed while they were read",
            where=checkpoint,
            expected="a checkpoint that nobody writes to",
            next="sample again when it is whole",
        )
