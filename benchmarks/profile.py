"""How fast attempts become counts and pass@k, and what a whole profile takes in time and memory.

Run `python benchmarks/profile.py` (all parts) or with `--parts counts linear`. Three parts:

- counts: a million attempts in memory, counted and turned into pass@k for k = 1, 2, 4, ... 64, beside the
  straightforward way: pandas' group-by and the product formula of the HumanEval paper (Chen et al. 2021), one problem
  at a time. Both must give the same numbers;
- linear: the time an attempt from 10^4 to 10^7 attempts;
- whole: a million attempts with texts of about 300 characters through `ratchet evaluate` in a process of its own, from
  Parquet and from JSONL, with its peak memory.

Wall times are of the machine it runs on: compare ratios. The least of some repeats is shown, since what else the
machine does only adds. CPU time is that of the whole process, its imports included.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ratchet.batches import written_in_batches
from ratchet.metrics.counts import count_problems
from ratchet.metrics.pass_at_k import pass_at_k
from ratchet.records import Attempt
from ratchet.storage import arrow_schema

Floats = NDArray[np.float64]
KS = (1, 2, 4, 8, 16, 32, 64)
PER_PROBLEM, GROUPS, REPEATS = 100, 5, 5
OUTCOMES = ("correct", "incorrect", "ungradable", "error")
WORDS = np.array([f"word{i}" for i in range(5000)])
PART_ROWS = 50_000
STATUS = """
import sys, time
from pathlib import Path
from ratchet.cli import invoke
start = time.perf_counter()
code = invoke(sys.argv[1:])
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(f"\\n{code} {time.perf_counter() - start} {time.process_time()} {status['VmHWM'].split()[0]}")
"""


def rows_of(first: int, last: int, seed: int) -> dict[str, Any]:
    """Attempts `first` to `last` in order of their problems, a hundred a problem, without texts.

    Rates of Beta(.5, .5) a problem; one attempt in a hundred fails, one in a hundred can't be graded.
    """
    rng = np.random.default_rng([seed, first])
    problems = np.arange(first, last) // PER_PROBLEM
    rates = np.random.default_rng(seed).beta(0.5, 0.5, 2**17)[problems % 2**17]
    outcomes = np.where(rng.random(len(problems)) < rates, 0, 1)
    kind = rng.random(len(problems))
    outcomes[kind < 0.02] = 2
    outcomes[kind < 0.01] = 3
    return {"problems": problems, "outcomes": outcomes, "attempts": np.arange(first, last) % PER_PROBLEM}


def table_of_rows(rows: dict[str, Any], encoded: bool) -> pa.Table:
    """The rows as a table of attempts, its texts as codes (as `read_light` gives them) or plain."""
    first = int(rows["problems"][0])
    ids = pa.array([f"problem-{i:07}" for i in range(first, int(rows["problems"][-1]) + 1)])
    groups = pa.array([f"level {i}" for i in range(GROUPS)])
    coded = {
        "problem_id": pa.DictionaryArray.from_arrays(pa.array(rows["problems"] - first, pa.int32()), ids),
        "outcome": pa.DictionaryArray.from_arrays(pa.array(rows["outcomes"], pa.int32()), pa.array(OUTCOMES)),
        "group": pa.DictionaryArray.from_arrays(pa.array(rows["problems"] % GROUPS, pa.int32()), groups),
        "cluster": pa.DictionaryArray.from_arrays(pa.nulls(len(rows["problems"]), pa.int32()), groups),
    }
    columns = {name: column if encoded else column.cast(pa.string()) for name, column in coded.items()}
    return pa.table(columns | {"attempt": pa.array(rows["attempts"])})


def ours(table: pa.Table) -> dict[int, Floats]:
    """pass@k of each problem in the order of the ids, for every k."""
    counts = count_problems(table)
    return {k: pass_at_k(counts.correct, counts.graded, k) for k in KS}


def straightforward(frame: Any) -> dict[int, Floats]:
    """The same with pandas and the published estimator, one problem at a time."""
    graded = frame[frame["outcome"].isin(["correct", "incorrect"])]
    by_problem = (graded["outcome"] == "correct").groupby(graded["problem_id"], observed=True).agg(["size", "sum"])
    pairs = list(zip(by_problem["size"], by_problem["sum"], strict=True))
    return {k: np.array([estimator(int(n), int(c), k) for n, c in pairs]) for k in KS}


def estimator(n: int, c: int, k: int) -> float:
    """1 - C(n-c, k) / C(n, k) as in Chen et al. 2021."""
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def timed(*runs: Callable[[], Any]) -> list[tuple[float, Any]]:
    """For each run its least time in seconds and its result; they take turns, so that all see the same machine."""
    times = np.zeros((REPEATS, len(runs)))
    for repeat in range(REPEATS):
        results = []
        for i, run in enumerate(runs):
            start = time.perf_counter()
            results.append(run())
            times[repeat, i] = time.perf_counter() - start
    return list(zip(times.min(axis=0).tolist(), results, strict=True))


def counts(seed: int) -> None:
    """Print the ratio to the straightforward way on the same columns, and fail unless the numbers are the same."""
    rows = rows_of(0, 10**6, seed)
    print("| a million attempts, pass@1 to pass@64 | pandas, a problem at a time, s | Ratchet, s | ratio |")
    print("| --- | --- | --- | --- |")
    for name, encoded in (("texts as codes (`read_light`; pandas: categories)", True), ("texts as they are", False)):
        table = table_of_rows(rows, encoded)
        frame = table.select(["problem_id", "outcome"]).to_pandas()
        runs = (lambda frame=frame: straightforward(frame), lambda table=table: ours(table))  # type: ignore[misc]
        (peer, expected), (seconds, found) = timed(*runs)
        for k in KS:
            np.testing.assert_allclose(found[k], expected[k], rtol=0, atol=1e-12)
            assert abs(found[k].mean() - expected[k].mean()) < 1e-12
        print(f"| {name} | {peer:.3f} | {seconds:.4f} | {peer / seconds:.0f} |", flush=True)


def linear(seed: int) -> None:
    """Print the time an attempt, by the number of attempts."""
    print("| attempts | ns an attempt, texts as they are | texts as codes |\n| --- | --- | --- |")
    for exponent in (4, 5, 6, 7):
        rows = rows_of(0, 10**exponent, seed)
        cells = []
        for encoded in (False, True):
            table = table_of_rows(rows, encoded)
            ((seconds, _),) = timed(lambda table=table: ours(table))  # type: ignore[misc]
            cells.append(seconds * 1e9 / 10**exponent)
        print(f"| 10^{exponent} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |", flush=True)


def whole(seed: int, attempts: int) -> None:
    """Print time and peak memory of `ratchet evaluate`, from Parquet and from JSONL."""
    print(
        f"| `ratchet evaluate`, {attempts} attempts with texts | file MB | wall s | CPU s | attempts/CPU s | peak MB |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for path, write in ((Path(folder, "a.parquet"), write_parquet), (Path(folder, "a.jsonl"), write_jsonl)):
            write(path, attempts, seed)
            command = ["evaluate", "--attempts", str(path), "--out", str(Path(folder, "of-" + path.name))]
            done = subprocess.run([sys.executable, "-c", STATUS, *command], capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            code, seconds, cpu, peak_kb = done.stdout.split("\n")[-2].split()
            if code != "0":
                sys.exit(done.stderr)
            size, cpu_s, peak = path.stat().st_size / 1e6, float(cpu), int(peak_kb) * 1024 / 1e6
            shown = f"{size:.0f} | {float(seconds):.1f} | {cpu_s:.1f} | {attempts / cpu_s:.0f} | {peak:.0f}"
            print(f"| {path.suffix} | {shown} |", flush=True)
            path.unlink()


def parts_with_texts(attempts: int, seed: int) -> Iterator[pa.Table]:
    """The attempts with texts, answers and confidences, a part at a time."""
    for first in range(0, attempts, PART_ROWS):
        last = min(first + PART_ROWS, attempts)
        table = table_of_rows(rows_of(first, last, seed), encoded=False)
        rng = np.random.default_rng([seed, first, 1])
        chosen = WORDS[rng.integers(0, len(WORDS), (table.num_rows, 35))]
        answers = rng.integers(0, 20, table.num_rows).astype(str)
        more = {
            "suite": pa.array(["gsm8k"] * table.num_rows),
            "text": pa.array([f"{' '.join(words)}: 3 + 4 = 7" for words in chosen.tolist()]),
            "answer": pa.array(answers.tolist()),
            "confidence": pa.array(np.round(rng.random(table.num_rows), 4)),
            "concepts": pa.array([["add"]] * table.num_rows),
        }
        columns = {name: table[name] for name in table.column_names} | more
        yield pa.table({name: columns[name] for name in arrow_schema(Attempt).names}, schema=arrow_schema(Attempt))


def write_parquet(path: Path, attempts: int, seed: int) -> None:
    """Write the attempts as Parquet."""
    with written_in_batches(path, Attempt, {"checkpoint": "sha256:0", "sampling": {"temperature": 1.0}}) as writer:
        for table in parts_with_texts(attempts, seed):
            writer.write(table)


def write_jsonl(path: Path, attempts: int, seed: int) -> None:
    """Write the attempts as JSONL."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{"header": {"checkpoint": "sha256:0", "sampling": {"temperature": 1.0}}}\n')
        for table in parts_with_texts(attempts, seed):
            stream.writelines(json.dumps(row) + "\n" for row in table.to_pylist())


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--parts", nargs="+", choices=["counts", "linear", "whole"], default=["counts", "linear", "whole"]
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--attempts", type=int, default=10**6, help="of the part `whole`")
    arguments = parser.parse_args()
    if "counts" in arguments.parts:
        counts(arguments.seed)
    if "linear" in arguments.parts:
        linear(arguments.seed)
    if "whole" in arguments.parts:
        whole(arguments.seed, arguments.attempts)


if __name__ == "__main__":
    main()
