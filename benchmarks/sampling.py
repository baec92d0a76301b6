"""Tokens per second of `ratchet sample` beside vLLM's own `LLM.generate` and transformers' `model.generate`.

Run `python -P benchmarks/sampling.py --problems P --checkpoint M` with an interpreter that has vLLM (.venv-vllm). All
draw the same number of attempts at the same prompts in the same precision, up to the same number of tokens, and what is
timed begins when the model is loaded. What is compared runs in one process by turns, `--turns` times each, so that a
busy minute of the machine falls on both; a ratio is that of one turn.

- vllm: bare `LLM.generate` with n attempts a prompt and a seed, beside `ratchet sample --backend vllm` on the same
  engine, which also writes every attempt to disk. The kept prefixes are dropped before each turn. And `LLM.generate` as
  it comes, its engine in a process of its own.
- transformers: `ratchet sample`, beside `model.generate` one prompt at a time with all its attempts, and one attempt at
  a time. As these are slow, they draw `--attempts` attempts at `--problems-alone` problems, and the last of them
  `--attempts-alone` attempts in one turn.
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
Rates = dict[str, list[Rate]]

OURS_VLLM, OURS = "ratchet sample --backend vllm", "ratchet sample --backend transformers"
BARE, ONE_PROCESS = "LLM.generate", "LLM.generate, in one process"
PROMPTS, ALONE = "model.generate, one prompt at a time", "model.generate, one attempt at a time"
RATIOS = ((OURS_VLLM, ONE_PROCESS), (OURS_VLLM, BARE), (OURS, PROMPTS), (OURS, ALONE), (OURS, OURS_VLLM))


def timed(draw: Callable[[], tuple[int, int]]) -> Rate:
    """Tokens and seconds of what `draw` draws, and its attempts."""
    begun, cpu = time.perf_counter(), sum(os.times()[:4])  # with the processes that it starts and that end
    attempts, tokens = draw()
    seconds, cpu = time.perf_counter() - begun, sum(os.times()[:4]) - cpu
    rate, per_cpu = tokens / seconds, tokens / cpu
    return {"attempts": attempts, "tokens": tokens, "seconds": seconds, "a_second": rate, "a_cpu_second": per_cpu}


def ratchet_rate(engine: Any, asked: Any) -> Rate:
    """`ratchet sample` from the loaded model to the attempts on disk."""
    from ratchet.sample.parts import Parts

    def draw() -> tuple[int, int]:
        tokens = attempts = 0
        for finished in engine.draw(asked):
            parts.add(finished)
            attempts, tokens = attempts + len(finished), tokens + sum(sample.tokens for sample in finished)
        parts.flush()
        return attempts, tokens

    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(Path(folder), sure=True)
        return timed(draw)


def generate_rate(llm: Any, given: argparse.Namespace, asked: Any) -> Rate:
    """Bare `LLM.generate` with the same settings."""
    from vllm import SamplingParams

    from ratchet.checkpoints import end_tokens, load_tokenizer

    prompts = [{"prompt_token_ids": list(question.token_ids)} for question in asked]
    ends = sorted(end_tokens(given.checkpoint, load_tokenizer(given.checkpoint)))
    parameters = SamplingParams(
        n=len(asked[0].attempts),
        seed=0,
        temperature=1.0,
        max_tokens=given.max_new_tokens,
        stop_token_ids=ends,
        logprobs=0,
    )

    def draw() -> tuple[int, int]:
        outputs = [
            output for request in llm.generate(prompts, parameters, use_tqdm=False) for output in request.outputs
        ]
        return len(outputs), sum(len(output.token_ids) for output in outputs)

    return timed(draw)


def vllm_rates(given: argparse.Namespace, own_process: bool) -> Rates:
    """`LLM.generate`, and by turns with it `ratchet sample` where its engine is in this process."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = str(int(own_process))
    from ratchet.sample.session import job_for
    from ratchet.sample.vllm_engine import engine_of, loaded

    asked, sampling = _asked(given, "vllm")
    job = job_for(asked, given.checkpoint, sampling, None)
    llm = loaded(given.checkpoint, job.longest)
    bare = BARE if own_process else ONE_PROCESS
    lines: dict[str, Callable[[Any], Rate]] = {bare: lambda questions: generate_rate(llm, given, questions)}
    if not own_process:
        lines[OURS_VLLM] = lambda questions: ratchet_rate(engine_of(llm, job), questions)
    return _by_turns(lines, asked, given.turns, llm.reset_prefix_cache)


def transformers_rates(given: argparse.Namespace) -> Rates:
    """`ratchet sample` and by turns with it `model.generate`, one prompt at a time."""
    from ratchet.checkpoints import load_model
    from ratchet.sample.session import job_for
    from ratchet.sample.transformers_engine import transformers_engine

    asked, sampling = _asked(given, "transformers")
    model = load_model(given.checkpoint)
    with transformers_engine(job_for(asked, given.checkpoint, sampling, None)) as engine:
        lines: dict[str, Callable[[Any], Rate]] = {
            OURS: lambda questions: ratchet_rate(engine, questions),
            PROMPTS: lambda questions: plain_rate(model, given, questions[: given.problems_alone], 1),
        }
        rates = _by_turns(lines, asked, given.turns, lambda: None)
    few = [replace(question, attempts=question.attempts[: given.attempts_alone]) for question in asked]
    return {**rates, ALONE: [plain_rate(model, given, few[: given.problems_alone], given.attempts_alone)]}


def plain_rate(model: Any, given: argparse.Namespace, asked: Any, calls: int) -> Rate:
    """What `model.generate` of transformers does one prompt at a time, its attempts in so many calls."""
    import torch

    from ratchet.checkpoints import end_tokens, load_tokenizer

    ends = sorted(end_tokens(given.checkpoint, load_tokenizer(given.checkpoint)))
    torch.manual_seed(0)

    def draw() -> tuple[int, int]:
        tokens = 0
        for question in asked:
            ids = torch.tensor([question.token_ids])
            for _ in range(calls):
                rows = model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=True,
                    top_k=0,
                    max_new_tokens=given.max_new_tokens,
                    num_return_sequences=len(question.attempts) // calls,
                    eos_token_id=ends,
                    pad_token_id=ends[0],
                )[:, ids.shape[1] :]
                ended = torch.isin(rows, torch.tensor(ends)).int().cumsum(1)
                tokens += int((ended == 0).sum() + ended.bool().any(1).sum())
        return sum(len(question.attempts) for question in asked), tokens

    return timed(draw)


def _by_turns(lines: dict[str, Callable[[Any], Rate]], asked: Any, turns: int, between: Callable[[], object]) -> Rates:
    """The rates of each line, after one small draw of each; every other turn begins with the last of them."""
    for line in lines.values():
        line([replace(asked[-1], problem_id="warm", attempts=(0, 1))])
    rates: Rates = {name: [] for name in lines}
    for turn in range(turns):
        for name in sorted(lines, reverse=turn % 2 == 1):
            between()
            rates[name].append(lines[name](asked))
    return rates


def _asked(given: argparse.Namespace, backend: str) -> tuple[Any, Any]:
    from ratchet.records import Problem
    from ratchet.sample import Sampling
    from ratchet.sample.asking import questions
    from ratchet.storage import read_records

    sampling = Sampling(given.attempts, max_new_tokens=given.max_new_tokens, backend=backend)  # type: ignore[arg-type]
    problems = read_records(given.problems, Problem)[: given.count]
    return questions(problems, given.checkpoint, sampling), sampling


PARTS: dict[str, Callable[[argparse.Namespace], Rates]] = {
    "vllm": lambda given: vllm_rates(given, False),
    "own": lambda given: vllm_rates(given, True),
    "transformers": transformers_rates,
}


def in_its_own_process(part: str) -> Rates:
    """The rates of one part, measured by this script in a new process."""
    command = [sys.executable, "-P", *sys.argv, "--part", part]  # -P: this folder has a profile.py
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    # vLLM writes its log to stdout as well, some of it last
    return dict(json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{"))))


def main() -> None:
    """Measure every part, then print the table and the ratios."""
    given = _given()
    if given.part:
        print(json.dumps(PARTS[given.part](given)))
        return
    rates: Rates = {}
    for part in given.parts:
        for name, measured in in_its_own_process(part).items():
            rates[name] = measured
            print(*(_row(name, rate) for rate in measured), sep="\n", flush=True)
    for one, other in RATIOS:
        if one in rates and other in rates:
            print(f"{one} / {other}: {_ratio(rates[one], rates[other], 'a_second')} by the clock", end="")
            in_this_process = other != BARE
            print(f", {_ratio(rates[one], rates[other], 'a_cpu_second')} by the CPU" if in_this_process else "")


def _row(name: str, rate: Rate) -> str:
    drawn = f"{rate['attempts']:6.0f} attempts {rate['tokens']:9,.0f} tokens {rate['seconds']:7.1f} s"
    return f"{name:40} {drawn} {rate['a_second']:9,.0f}/s {rate['a_cpu_second']:9,.0f} a second of CPU"


def _ratio(one: list[Rate], other: list[Rate], unit: str) -> str:
    """The ratio turn by turn, or that of the medians; on a busy machine that by the CPU says more than the clock's."""
    if len(one) != len(other):
        return f"{median(rate[unit] for rate in one) / median(rate[unit] for rate in other):.2f}"
    ratios = sorted(a[unit] / b[unit] for a, b in zip(one, other, strict=True))
    return f"{median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--count", type=int, default=48, help="problems")
    parser.add_argument("--attempts", type=int, default=32)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--problems-alone", type=int, default=16)
    parser.add_argument("--attempts-alone", type=int, default=4)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which to measure")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
