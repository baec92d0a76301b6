"""Tokens per second of `ratchet sample` beside vLLM's own `LLM.generate` and transformers' `model.generate`.

Run `python benchmarks/sampling.py --problems P --checkpoint M` with an interpreter that has vLLM (.venv-vllm). One
process a line, one after the other, so that none has the memory or the threads of another; what is timed begins when
the model is loaded. All draw the same number of attempts at the same prompts in the same precision, up to the same
number of tokens:

- vllm: bare `LLM.generate` with n attempts a prompt and a seed, its engine in a process of its own (vLLM's default) and
  in this one, beside `ratchet sample --backend vllm`, which also writes every attempt to disk; `--pairs` times each, by
  turns.
- transformers: `model.generate` one prompt at a time with all its attempts, and one attempt at a time, beside
  `ratchet sample`. As these are slow, they draw `--attempts-alone` attempts at `--problems-alone` problems.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

Rate = dict[str, float]


def timed(draw: Callable[[], tuple[int, int]]) -> Rate:
    """Tokens and seconds of what `draw` draws, and its attempts."""
    begun, cpu = time.perf_counter(), time.process_time()
    attempts, tokens = draw()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    rate, per_cpu = tokens / seconds, tokens / cpu
    return {"attempts": attempts, "tokens": tokens, "seconds": seconds, "a_second": rate, "a_cpu_second": per_cpu}


def ratchet_rate(given: argparse.Namespace, backend: str) -> Rate:
    """`ratchet sample` from the loaded model to the attempts on disk."""
    from ratchet.sample.backends import BACKENDS
    from ratchet.sample.parts import Parts
    from ratchet.sample.session import job_for

    asked, sampling = _asked(given, backend)
    with (
        tempfile.TemporaryDirectory() as folder,
        BACKENDS[backend](  # type: ignore[index]
            job_for(asked, given.checkpoint, sampling, None)
        ) as engine,
    ):
        parts = Parts(Path(folder), sure=True)

        def draw() -> tuple[int, int]:
            tokens = attempts = 0
            for finished in engine.draw(asked):
                parts.add(finished)
                attempts, tokens = attempts + len(finished), tokens + sum(sample.tokens for sample in finished)
            parts.flush()
            return attempts, tokens

        _warm_up(engine, asked)
        return timed(draw)


def _warm_up(engine: Any, asked: Any) -> None:
    for _ in engine.draw([replace(asked[-1], problem_id="warm", attempts=(0, 1))]):
        pass


def vllm_rate(given: argparse.Namespace, own_process: bool) -> Rate:
    """Bare `LLM.generate` with the same settings; its engine in a process of its own is vLLM's default."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = str(int(own_process))
    from vllm import SamplingParams

    from ratchet.checkpoints import end_tokens, load_tokenizer
    from ratchet.sample.session import job_for
    from ratchet.sample.vllm_engine import loaded

    asked, sampling = _asked(given, "vllm")
    llm = loaded(given.checkpoint, job_for(asked, given.checkpoint, sampling, None).longest)
    ends = sorted(end_tokens(given.checkpoint, load_tokenizer(given.checkpoint)))
    options = {"temperature": 1.0, "max_tokens": given.max_new_tokens, "stop_token_ids": ends}
    llm.generate([{"prompt_token_ids": list(asked[-1].token_ids)}], SamplingParams(n=2, **options), use_tqdm=False)
    prompts = [{"prompt_token_ids": list(question.token_ids)} for question in asked]
    parameters = SamplingParams(n=given.attempts, seed=0, logprobs=0, **options)

    def draw() -> tuple[int, int]:
        outputs = [
            output for request in llm.generate(prompts, parameters, use_tqdm=False) for output in request.outputs
        ]
        return len(outputs), sum(len(output.token_ids) for output in outputs)

    return timed(draw)


def generate_rate(given: argparse.Namespace, at_once: int) -> Rate:
    """What `model.generate` of transformers does, one prompt at a time, `at_once` attempts a call."""
    import torch

    from ratchet.checkpoints import end_tokens, load_model, load_tokenizer

    asked, _ = _asked(given, "transformers")
    model, tokenizer = load_model(given.checkpoint), load_tokenizer(given.checkpoint)
    ends = sorted(end_tokens(given.checkpoint, tokenizer))
    torch.manual_seed(0)

    def draw() -> tuple[int, int]:
        tokens = attempts = 0
        for question in asked[: given.problems_alone]:
            ids = torch.tensor([question.token_ids])
            for _ in range(given.attempts_alone // at_once):
                rows = model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=True,
                    top_k=0,
                    max_new_tokens=given.max_new_tokens,
                    num_return_sequences=at_once,
                    eos_token_id=ends,
                    pad_token_id=ends[0],
                )[:, ids.shape[1] :]
                ended = torch.isin(rows, torch.tensor(ends)).int().cumsum(1)
                tokens += int((ended == 0).sum() + ended.bool().any(1).sum())
                attempts += at_once
        return attempts, tokens

    return timed(draw)


def _asked(given: argparse.Namespace, backend: str) -> tuple[Any, Any]:
    from ratchet.records import Problem
    from ratchet.sample import Sampling
    from ratchet.sample.asking import questions
    from ratchet.storage import read_records

    sampling = Sampling(given.attempts, max_new_tokens=given.max_new_tokens, backend=backend)  # type: ignore[arg-type]
    problems = read_records(given.problems, Problem)[: given.count]
    return questions(problems, given.checkpoint, sampling), sampling


LINES: dict[str, Callable[[argparse.Namespace], Rate]] = {
    "LLM.generate": lambda given: vllm_rate(given, True),
    "LLM.generate, in one process": lambda given: vllm_rate(given, False),
    "ratchet sample --backend vllm": lambda given: ratchet_rate(given, "vllm"),
    "ratchet sample --backend transformers": lambda given: ratchet_rate(given, "transformers"),
    "model.generate, one prompt at a time": lambda given: generate_rate(given, given.attempts_alone),
    "model.generate, one attempt at a time": lambda given: generate_rate(given, 1),
}


def in_its_own_process(name: str) -> Rate:
    """The line, measured by this script in a new process."""
    command = [sys.executable, "-P", *sys.argv, "--line", name]  # -P: this folder has a profile.py
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    # vLLM writes its log to stdout as well, some of it last
    return dict(json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{"))))


def main() -> None:
    """Measure every line, then print the table and the ratios."""
    given = _given()
    if given.line:
        print(json.dumps(LINES[given.line](given)))
        return
    rates: dict[str, list[Rate]] = {name: [] for name in LINES}
    bare, one_process, ours, own, prompts, alone = LINES
    for name in [bare, one_process, ours] * given.pairs + [own, prompts, alone]:
        rates[name].append(in_its_own_process(name))
        print(_row(name, rates[name][-1]), flush=True)
    for one, other in ((ours, bare), (ours, one_process), (own, prompts), (own, alone), (own, ours)):
        print(f"{one} / {other}: {_ratio(rates, one, other, 'a_second'):.3f}", end="")
        print(f" by the clock, {_ratio(rates, one, other, 'a_cpu_second'):.3f} by the CPU" if other != bare else "")


def _row(name: str, rate: Rate) -> str:
    drawn = f"{rate['attempts']:6.0f} attempts {rate['tokens']:9,.0f} tokens {rate['seconds']:7.1f} s"
    return f"{name:40} {drawn} {rate['a_second']:9,.0f}/s {rate['a_cpu_second']:9,.0f} a second of this process's CPU"


def _ratio(rates: dict[str, list[Rate]], one: str, other: str, unit: str) -> float:
    """The ratio of the medians; on a busy machine that by the CPU says more than that by the clock."""
    return median(rate[unit] for rate in rates[one]) / median(rate[unit] for rate in rates[other])


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--count", type=int, default=64, help="problems")
    parser.add_argument("--attempts", type=int, default=32)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--problems-alone", type=int, default=16)
    parser.add_argument("--attempts-alone", type=int, default=32)
    parser.add_argument("--line", choices=LINES, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
