"""Draw attempts from a checkpoint: in parts that are on disk as soon as they are done, so that a killed run goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ratchet.checkpoints import load_model, load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import checkpoint_digest
from ratchet.progress import tracking
from ratchet.prompts import plain_prompt
from ratchet.records import Problem, Sample, Split
from ratchet.sample.decode import decode, uniforms
from ratchet.sample.settings import Sampling, attempt_key
from ratchet.steps import run_step
from ratchet.storage import file_digest, read_records, write_records

SAMPLES_FILE = "samples.parquet"
ROWS_A_BATCH = 512  # attempts decoded at once: what a small model on a CPU is fastest with, and one part on disk


def sample(
    problems: Path, checkpoint: Path, out: Path, sampling: Sampling, splits: Sequence[Split], limit: int | None = None
) -> Path:
    """The folder `out` with `samples.parquet`: exactly `sampling.attempts` attempts at each problem of the splits.

    `limit` takes the first that many problems. The same call after a kill completes the attempts that are missing.
    """
    chosen = [problem for problem in read_records(problems, Problem) if problem.split in splits][:limit]
    if not chosen:
        raise InputError("no problem to sample", where=problems, expected=f"problems of split {' or '.join(splits)}")
    header = {"checkpoint": checkpoint_digest(checkpoint), "sampling": sampling.describe()}
    made_from = {
        **header,
        "problems": file_digest(problems),
        "splits": list(splits),
        "limit": limit,
        "attempts": sampling.attempts,
    }

    def work(partial: Path) -> None:
        parts = partial / "parts"
        _sample_parts(chosen, checkpoint, parts, sampling)
        samples = [record for part in sorted(parts.glob("part-*.parquet")) for record in read_records(part, Sample)]
        write_records(partial / SAMPLES_FILE, sorted(samples, key=_order), Sample, header)
        for part in parts.iterdir():
            part.unlink()
        parts.rmdir()

    return run_step(out, made_from, work)


def _order(sample: Sample) -> tuple[str, str, int]:
    return sample.suite, sample.problem_id, sample.attempt


def _sample_parts(problems: Sequence[Problem], checkpoint: Path, parts: Path, sampling: Sampling) -> None:
    """Write the parts that are not there yet, each the attempts of a few problems whose prompts are of like length."""
    tokenizer = load_tokenizer(checkpoint)
    model = load_model(checkpoint)
    prompts = [tokenizer(plain_prompt(problem))["input_ids"] for problem in problems]
    _require_room(problems, prompts, model, sampling)
    by_length = sorted(range(len(problems)), key=lambda index: (len(prompts[index]), index))
    width = max(1, ROWS_A_BATCH // sampling.attempts)
    batches = [by_length[start : start + width] for start in range(0, len(by_length), width)]
    paths = [parts / f"part-{number:05d}.parquet" for number in range(len(batches))]
    done = sum(len(batch) for batch, path in zip(batches, paths, strict=True) if path.exists())
    attempts = sampling.attempts
    with tracking("sample", len(problems) * attempts, "attempts", already=done * attempts) as advance:
        for batch, path in zip(batches, paths, strict=True):
            if not path.exists():
                chosen = [problems[index] for index in batch]
                write_records(path, _attempts(chosen, [prompts[i] for i in batch], model, tokenizer, sampling), Sample)
                advance(len(batch) * attempts)


def _attempts(
    problems: Sequence[Problem], prompts: Sequence[Sequence[int]], model: Any, tokenizer: Any, sampling: Sampling
) -> list[Sample]:
    keys = [(problem, attempt) for problem in problems for attempt in range(sampling.attempts)]
    decoded = decode(
        model,
        prompts,
        uniforms([attempt_key(sampling.seed, p.suite, p.id, a) for p, a in keys], sampling.max_new_tokens),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        end_token=tokenizer.eos_token_id,
    )
    texts = tokenizer.batch_decode([attempt.token_ids for attempt in decoded], skip_special_tokens=True)
    return [
        Sample(
            problem_id=problem.id,
            suite=problem.suite,
            attempt=attempt,
            text=text,
            finish_reason=drawn.finish_reason,
            tokens=drawn.tokens,
            logprob=drawn.logprob,
        )
        for (problem, attempt), drawn, text in zip(keys, decoded, texts, strict=True)
    ]


def _require_room(
    problems: Sequence[Problem], prompts: Sequence[Sequence[int]], model: Any, sampling: Sampling
) -> None:
    """Refuse a prompt that leaves no room for its answer before any time is spent on the others."""
    room = getattr(model.config, "max_position_embeddings", None)
    longest = max(range(len(prompts)), key=lambda index: len(prompts[index]))
    needed = len(prompts[longest]) + sampling.max_new_tokens
    if room is not None and needed > room:
        raise InputError(
            f"a prompt of {len(prompts[longest])} tokens and {sampling.max_new_tokens} new ones",
            where=f"problem {problems[longest].id}",
            expected=f"at most {room} tokens, the context of the model",
            next="lower max_new_tokens or leave the problem out",
        )
