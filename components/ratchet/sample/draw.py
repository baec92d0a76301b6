"""Draw attempts from a checkpoint: on disk within a second of their end, so that a killed run goes on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ratchet.errors import InputError
from ratchet.identity import file_state
from ratchet.records import Problem, Sample, Split
from ratchet.sample.asking import questions
from ratchet.sample.copies import refuse_copies
from ratchet.sample.engine import Endpoint, Question
from ratchet.sample.identity import required_identity, stated_digest
from ratchet.sample.parts import PARTS, Mirror, Parts, key_of
from ratchet.sample.session import Stopped, complete, job_for
from ratchet.sample.settings import Sampling
from ratchet.shards import WHOLE, Shard, sharded
from ratchet.steps import run_step
from ratchet.storage import Header, file_digest, read_records, write_records

SAMPLES_FILE = "samples.parquet"


def sample(
    problems: Path,
    checkpoint: Path,
    out: Path,
    sampling: Sampling,
    splits: Sequence[Split],
    limit: int | None = None,
    shard: Shard = WHOLE,
    endpoint: Endpoint | None = None,
    mirror: Mirror | None = None,
) -> Path:
    """The folder `out` with `samples.parquet`: exactly `sampling.attempts` attempts at each problem of the splits.

    `limit` takes the first that many problems, and `shard` its share of those. The same call after a kill completes
    the attempts that are missing. `mirror` is told of every change on the way. The header of the samples, and
    `identity.json` beside them, say which weights drew them.
    """
    state = file_state(checkpoint)
    digest = stated_digest(checkpoint)
    header: Header = {"checkpoint": digest, "sampling": sampling.describe()}

    def work(partial: Path) -> None:
        asked = questions(_chosen(problems, splits, limit, shard), checkpoint, sampling)
        if mirror is not None:
            mirror.begun(partial)
        parts = Parts(partial / PARTS, sampling.backend != "openai", mirror)
        complete(asked, parts, job_for(asked, checkpoint, sampling, endpoint), partial, digest, state)
        served = asdict(required_identity(partial).served(sampling.backend))
        drawn = _checked(parts.read(), asked, sampling, out)
        write_records(partial / SAMPLES_FILE, drawn, Sample, {**header, "served": served})
        parts.remove()

    source = {"problems": file_digest(problems), "splits": list(splits), "limit": limit, "attempts": sampling.attempts}
    cut = {} if shard == WHOLE else {"shard": str(shard)}
    try:
        return run_step(out, {**header, **source, **cut}, work)
    except Stopped as stop:  # carried past run_step, which clears away what a refused first start began
        raise stop.reason from None


def _checked(samples: list[Sample], asked: Sequence[Question], sampling: Sampling, out: Path) -> list[Sample]:
    """The samples, after it was seen that they are each attempt once and that none is a copy of another."""
    wanted = sorted((q.suite, q.problem_id, attempt) for q in asked for attempt in q.attempts)
    if [key_of(sample) for sample in samples] != wanted:
        raise InputError(
            f"{len(samples)} attempts on disk",
            where=out,
            expected=f"the {len(wanted)} that were asked for, each once",
            next="remove the partial result and see that no two starts write to one place",
        )
    refuse_copies(samples, sampling.temperature, sampling.top_p, str(out))
    return samples


def truncation(problems: Path, drawn: Path) -> dict[Split, tuple[int, int]]:
    """How many attempts of each split ran into the token limit, and of how many, in a folder that `sample` wrote."""
    split_of = {(problem.suite, problem.id): problem.split for problem in read_records(problems, Problem)}
    of, cut = Counter[Split](), Counter[Split]()
    for found in read_records(drawn / SAMPLES_FILE, Sample):
        split = split_of[found.suite, found.problem_id]
        of[split] += 1
        cut[split] += found.finish_reason == "length"
    return {split: (cut[split], of[split]) for split in of}


def _chosen(problems: Path, splits: Sequence[Split], limit: int | None, shard: Shard) -> list[Problem]:
    """The problems of the splits and of the shard, which may have none where it is one of several."""
    chosen = [problem for problem in read_records(problems, Problem) if problem.split in splits][:limit]
    if not chosen:
        raise InputError("no problem to sample", where=problems, expected=f"problems of split {' or '.join(splits)}")
    return sharded(chosen, shard.index, shard.count)
