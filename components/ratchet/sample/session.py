"""One start of a sampler: what is missing is drawn, and it is known all the while which weights draw it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ratchet.checkpoints import context_length, load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import FileState, file_state
from ratchet.progress import tracking
from ratchet.sample.asking import longest, missing
from ratchet.sample.backends import BACKENDS
from ratchet.sample.engine import Endpoint, Engine, Job, Question, TokenIds
from ratchet.sample.fingerprint import MOST_TOKENS, Fingerprint, fingerprint, fixed_texts
from ratchet.sample.identity import Identity, recorded_identity, require_same, write_identity
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


def complete(asked: Sequence[Question], parts: Parts, job: Job, folder: Path, digest: str, state: FileState) -> None:
    """Draw the attempts that the parts don't hold, and write the model's identity into the folder.

    `state` is that of the checkpoint's files when their `digest` was taken: other files are not what was digested.
    """
    done = {key_of(sample) for sample in parts.read()}
    left = missing(asked, done)
    if not left and not parts.unsure() and recorded_identity(folder) is not None:
        return
    try:
        expected = _expected(job, folder, digest)
        with BACKENDS[job.sampling.backend](job) as engine:
            _require_unchanged(job.checkpoint, state)
            settle = partial(_settle, engine, expected, parts, folder)
            settle()
            with tracking("sample", sum(len(q.attempts) for q in asked), "attempts", already=len(done)) as advance:
                _draw(engine, left, parts, settle, advance)
    except InputError as error:
        if parts.read():
            raise Stopped(error) from error
        raise


def _draw(
    engine: Engine,
    left: Sequence[Question],
    parts: Parts,
    settle: Callable[[], None],
    advance: Callable[..., None],
) -> None:
    checked = time.monotonic()
    try:
        for finished in engine.draw(left):
            parts.add(finished)
            advance(len(finished), sum(sample.tokens for sample in finished))
            if engine.served and (engine.suspect() or time.monotonic() - checked > SECONDS_BETWEEN_CHECKS):
                settle()
                checked = time.monotonic()
    finally:
        parts.flush()
    if engine.served:
        settle()


@dataclass(frozen=True, slots=True)
class _Expected:
    """Which model is to answer: the digest of its files, and what it says of the fixed texts.

    `own` is what the checkpoint's own weights say; None where it is they that are loaded, from the files that were
    digested. `earlier` is what the model of an earlier start of this run said.
    """

    digest: str
    texts: tuple[TokenIds, ...]
    own: Fingerprint | None
    earlier: Fingerprint | None


def _expected(job: Job, folder: Path, digest: str) -> _Expected:
    """What the checkpoint's weights say is recorded beside them; else, for a server, it is computed from them."""
    texts = fixed_texts(load_tokenizer(job.checkpoint), context_length(job.checkpoint))
    recorded, earlier = recorded_identity(job.checkpoint), recorded_identity(folder)
    own = recorded.fingerprint if recorded is not None else None
    if own is None and job.sampling.backend == "openai":
        with transformers_engine(job) as loaded:
            own = fingerprint(texts, loaded)
    return _Expected(digest, texts, own, earlier.fingerprint if earlier is not None else None)


def _settle(engine: Engine, expected: _Expected, parts: Parts, folder: Path) -> None:
    """See which model answers, write that down, and settle what was drawn since this was last seen.

    The right model now and at the last check drew what is between. Another one leaves open since when it has answered,
    so all that was drawn since the last check is removed.
    """
    found = fingerprint(expected.texts, engine)
    against = expected.own or expected.earlier
    try:
        apart = None if against is None else require_same(found, against, engine.name)
    except InputError as error:
        error.found += f"; {parts.reject()} attempts since the last check removed"
        raise
    told = apart if apart is not None and expected.own is not None else (None, None)
    write_identity(folder, Identity(expected.digest, found, *told))
    parts.confirm()


def _require_unchanged(checkpoint: Path, state: FileState) -> None:
    if file_state(checkpoint) != state:
        raise InputError(
            "files that changed while they were read",
            where=checkpoint,
            expected="a checkpoint that nobody writes to",
            next="sample again when it is whole",
        )
