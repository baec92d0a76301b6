"""Ratchet's math grader against math-verify called one at a time in this process: time ratio and verdicts.

Run `python benchmarks/grading_math.py [--problems FILE] [--attempts N] [--workers N]`. FILE is JSONL with `solution`
and `answer` (MATH-500 as it is published); without it problems are made here. Each problem is tried N times: its own
solution, the solution of another problem, and its answer spelled otherwise, in turns. The peer gets the same texts and
gold answers, with math-verify's own time limits off, as a single process without any protection.
"""

import argparse
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from ratchet.grade.expressions import boxed
from ratchet.grade.judging import Judges

Pair = tuple[str, str]  # what a model wrote, the gold answer
MADE = 100  # problems, where no file is given


def made_problems() -> list[Pair]:
    """Solution and answer of each problem made here: sums, fractions, roots and polynomials."""
    answers = [f"\\frac{{{n}}}{{{2 * n + 1}}}" if n % 2 else f"{n}\\sqrt{{{n + 3}}}" for n in range(1, MADE // 2 + 1)]
    answers += [f"x^2 + {n}x - {n + 1}" if n % 2 else f"({n}, {n * n}]" for n in range(1, MADE // 2 + 1)]
    return [(f"We find that it is $\\boxed{{{answer}}}$.", answer) for answer in answers]


def read_problems(path: Path) -> list[Pair]:
    """Solution and answer of each problem of a file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row["solution"], row["answer"]) for row in rows]


def pairs_of(problems: Sequence[Pair], attempts: int) -> list[Pair]:
    """The attempts at each problem, in the order of problems as a sampler hands them on."""
    pairs = []
    for place, (solution, answer) in enumerate(problems):
        other = problems[(place + 1) % len(problems)][0]
        texts = (solution, other, f"The answer is \\boxed{{0 + {answer}}}", f"So it is $\\boxed{{{answer}}}$")
        pairs += [(texts[attempt % len(texts)], answer) for attempt in range(attempts)]
    return pairs


def one_at_a_time(pairs: Sequence[Pair]) -> list[str]:
    """math-verify's verdicts, one call after the other in this process."""
    from math_verify import parse, verify

    def verdict(text: str, gold: str) -> str:
        expected, found = parse(boxed(gold), parsing_timeout=None), parse(text, parsing_timeout=None)
        return "correct" if verify(expected, found, timeout_seconds=None) else "incorrect"

    return [verdict(text, gold) for text, gold in pairs]


def timed(work: Callable[[], list[str]]) -> tuple[list[str], float]:
    """What the work returns, and the seconds it took."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def main() -> None:
    """Print both times, their ratio, and where the verdicts differ."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--problems", type=Path)
    options.add_argument("--attempts", type=int, default=16)
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    logging.disable(logging.CRITICAL)
    problems = read_problems(given.problems) if given.problems else made_problems()
    pairs = pairs_of(problems, given.attempts)
    one_at_a_time(pairs[:1])  # what is imported and compiled at the first call is no part of the time
    theirs, their_s = timed(lambda: one_at_a_time(pairs))
    print(f"{len(problems)} problems x {given.attempts} attempts")
    print(f"math-verify, one at a time: {their_s:6.1f} s, {len(pairs) / their_s:6.0f} answers/s")
    with Judges("math", given.workers) as graders:
        graders.judge([(f"\\boxed{{{n}}}", "0") for n in range(given.workers)])  # started, as the peer is
        ours, our_s = timed(lambda: [outcome for outcome, _, _ in graders.judge(pairs)])
    print(f"Ratchet, {given.workers} workers:          {our_s:6.1f} s, {len(pairs) / our_s:6.0f} answers/s")
    print(f"ratio {their_s / our_s:.2f} with {len(set(pairs))} different texts among {len(pairs)}")
    report(pairs, ours, theirs)


def report(pairs: Sequence[Pair], ours: Sequence[str], theirs: Sequence[str]) -> None:
    """Print how many verdicts agree, and the first that do not."""
    both = Counter(zip(ours, theirs, strict=True))
    print("verdicts (Ratchet, math-verify): " + ", ".join(f"{a}/{b} {n}" for (a, b), n in both.most_common()))
    rows = zip(pairs, ours, theirs, strict=True)
    for text, gold in list(dict.fromkeys(pair for pair, a, b in rows if a != b))[:5]:
        print(f"  differs: gold {gold[:60]!r}, text ...{text[-60:]!r}")


if __name__ == "__main__":
    main()
