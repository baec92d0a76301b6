"""The back end for GPUs: vLLM's own engine in this process, fed so that it never waits."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ratchet.checkpoints import end_tokens, load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import require_checkpoint
from ratchet.records import Sample
from ratchet.sample.engine import Engine, Job, Question, TokenIds, cut
from ratchet.sample.settings import Sampling, attempt_seed

AHEAD = 4096  # attempts given to the engine at once: more than it ever runs together, few enough to hold in memory
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB
    # In this process: one of its own would outlive a kill -9 of this one and keep the GPU's memory.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}


@contextmanager
def vllm_engine(job: Job) -> Iterator[Engine]:
    """The engine with room for the longest prompt and its answer; its memory is given back at the end."""
    require_checkpoint(job.checkpoint)
    llm = loaded(job.checkpoint, job.longest)
    try:
        yield engine_of(llm, job)
    finally:
        llm.llm_engine.engine_core.shutdown()


def engine_of(llm: Any, job: Job) -> Engine:
    """The engine on an `LLM` that was loaded for the job."""
    tokenizer, engine = load_tokenizer(job.checkpoint), llm.llm_engine
    ends = end_tokens(job.checkpoint, tokenizer)
    return Engine(
        lambda questions: _draw(engine, questions, tokenizer, ends, job.sampling),
        lambda texts: _score(engine, texts),
        str(job.checkpoint),
        str(engine.model_config.dtype).removeprefix("torch."),
    )


def loaded(checkpoint: Path, longest: int) -> Any:
    """An `LLM` of vLLM on a checkpoint, with room for `longest` tokens."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from vllm import LLM
        from vllm.platforms import current_platform
    except ImportError:
        raise InputError(
            "vLLM is not installed",
            where="--backend vllm",
            expected="the environment of components/images/sample/requirements.txt (a GPU) or requirements-cpu.txt",
            next="install it (docs/sample.md), or use --backend transformers",
        ) from None
    on_cpu = current_platform.is_cpu()
    return LLM(
        model=str(checkpoint),
        trust_remote_code=False,
        load_format="safetensors",
        dtype="float32" if on_cpu else _own_dtype(checkpoint),
        max_model_len=longest,
        enable_prefix_caching=True,
        logprobs_mode="raw_logprobs",
        enforce_eager=on_cpu,
        # A prompt that is read in pieces makes the sampler rewind its generator, which one on the CPU refuses to do.
        **({"enable_chunked_prefill": False, "max_num_batched_tokens": max(4096, longest)} if on_cpu else {}),
        disable_log_stats=True,
        distributed_executor_backend="uni",
    )


def _own_dtype(checkpoint: Path) -> str:
    """The precision that the weights are stored in: vLLM's own choice would halve that of float32 weights."""
    from transformers import AutoConfig

    dtype = getattr(AutoConfig.from_pretrained(str(checkpoint), local_files_only=True), "dtype", None)
    return str(dtype).removeprefix("torch.") if dtype is not None else "auto"


def _draw(
    engine: Any, questions: Sequence[Question], tokenizer: Any, ends: frozenset[int], sampling: Sampling
) -> Iterator[list[Sample]]:
    coming = ((question, attempt) for question in questions for attempt in question.attempts)
    asked: dict[str, tuple[Question, int]] = {}
    number = 0
    while True:
        while len(asked) < AHEAD and (following := next(coming, None)) is not None:
            question, attempt = following
            seed = attempt_seed(sampling.seed, question.suite, question.problem_id, attempt)
            asked[f"attempt-{number}"] = following
            engine.add_request(
                f"attempt-{number}", {"prompt_token_ids": list(question.token_ids)}, _parameters(sampling, seed, ends)
            )
            number += 1
        if not asked:
            return
        finished = [(asked.pop(output.request_id), output.outputs[0]) for output in engine.step() if output.finished]
        yield _samples(finished, tokenizer, ends, sampling)


def _parameters(sampling: Sampling, seed: int, ends: frozenset[int]) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        n=1,
        seed=seed,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_new_tokens,
        stop=list(sampling.stop),
        stop_token_ids=sorted(ends),
        logprobs=0,
        detokenize=bool(sampling.stop),  # needed to find stop strings; the texts are decoded here, as everywhere
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _samples(
    finished: Sequence[tuple[tuple[Question, int], Any]], tokenizer: Any, ends: frozenset[int], sampling: Sampling
) -> list[Sample]:
    if not finished:
        return []
    token_ids = [list(output.token_ids) for _, output in finished]
    kept = [ids[:-1] if ids and ids[-1] in ends else ids for ids in token_ids]
    texts = tokenizer.batch_decode(kept, skip_special_tokens=True)
    return [
        question.sample(
            attempt,
            cut(text, sampling.stop),
            "length" if output.finish_reason == "length" else "stop",
            len(ids),
            float(output.cumulative_logprob),
        )
        for ((question, attempt), output), ids, text in zip(finished, token_ids, texts, strict=True)
    ]


def _score(engine: Any, texts: Sequence[TokenIds]) -> list[list[float]]:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    parameters = SamplingParams(
        temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY
    )
    for number, ids in enumerate(texts):
        engine.add_request(f"text-{number}", {"prompt_token_ids": list(ids)}, parameters)
    found: dict[str, list[float]] = {}
    while len(found) < len(texts):
        for output in engine.step():
            if output.finished:
                pairs = zip(output.prompt_token_ids[1:], output.prompt_logprobs[1:], strict=True)
                found[output.request_id] = [position[token].logprob for token, position in pairs]
    return [found[f"text-{number}"] for number in range(len(texts))]
