"""How long the gate takes on large profiles: 20 axes, 3 references, 64 attempts a problem; time, memory, linearity.

Run `python benchmarks/gate_speed.py`. Profiles of 1,000, 3,000 and 10,000 problems are written and judged through
`ratchet.gate.gate` in a process of its own: reading, every test, bounds, advice, verdict. In the same run `scipy.stats.
bootstrap` (paired, 2,000 resamples) makes an interval for the same axes against the same references from per-problem
values that are already there: percentile for all pairs, BCa (its default) for `--bca` of them, scaled up to all. Axes
that are no averages (retained, disparity, calibration.ece, concepts.fringe) are given to it as pass@1, which is easier.
Ratios are of processor time, which is what other work on the machine changes least.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from scipy.stats import bootstrap

from ratchet.evaluate.measures import measure
from ratchet.evaluate.profile import ATTEMPTS_FILE, PROFILE_FILE, Profile, SuiteCounts
from ratchet.gate.evidence import read_evidence
from ratchet.gate.policy import read_policy
from ratchet.records import Attempt
from ratchet.storage import arrow_schema, file_digest, write_json, write_table

ATTEMPTS, RESAMPLES, SUITE = 64, 2000, "sums"
DROPS = (
    *(f"pass@{k}" for k in (1, 2, 4, 8, 16, 32)),
    *(f"pass^{k}" for k in (2, 4, 8, 16)),
    *("pass@4-2", "pass@16-8", "majority@8", "majority@16", "balance", "retained", "concepts.fringe"),
)
RISES = ("calibration.ece", "calibration.brier", f"disparity.{SUITE}")
SIDES = ("base", "champion", "round", "candidate")
RUN = """
import json, sys, time
from pathlib import Path
from ratchet.gate import gate
folder = Path(sys.argv[1])
start = time.perf_counter()
references = {name: folder / name for name in ("base", "champion")}
verdict = gate(folder / "candidate", references, folder / "policy.yaml", out=folder / "verdict.json",
               history=[folder / "round"])
seconds, cpu = time.perf_counter() - start, time.process_time()  # the imports with it
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([seconds, cpu, int(status["VmHWM"].split()[0]), len(verdict.axes), verdict.verdict]))
"""


def policy() -> dict[str, Any]:
    """Twenty axes against three references."""
    axes = {name: {"tier": "critical", "max_drop": 0.02} for name in DROPS}
    axes |= {name: {"tier": "supporting", "max_rise": 0.05} for name in RISES}
    evidence = {"min_problems": 100, "min_attempts": ATTEMPTS, "max_error_rate": 0.01, "max_ungradable_rate": 0.02}
    against = ["base", "champion", "best"]
    concepts = {"fringe": ["c0"]}
    rules = {"version": 1, "suites": {"main": SUITE}, "evidence": evidence, "axes": axes}
    return {**rules, "against": against, "concepts": concepts}


def write_profile(folder: Path, problems: int, rates: np.ndarray, seed: int) -> None:
    """A profile of attempts drawn from the rates, with answers, confidences, groups and concepts."""
    rng, n = np.random.default_rng(seed), problems * ATTEMPTS
    right = rng.random((problems, ATTEMPTS)) < rates[:, None]
    confidence = np.clip(rates[:, None] + rng.normal(0, 0.1, right.shape), 0, 1).ravel()
    answers = np.where(right, 0, rng.integers(1, 6, right.shape)).ravel()
    place = np.repeat(np.arange(problems), ATTEMPTS)
    columns = {
        "problem_id": pa.array([f"p{i:06}" for i in range(problems)]).take(pa.array(place)),
        "suite": pa.array([SUITE] * n),
        "attempt": pa.array(np.tile(np.arange(ATTEMPTS), problems)),
        "outcome": pa.array(["incorrect", "correct"]).take(pa.array(right.ravel().astype(np.int8))),
        "answer": pa.array([f"a{i}" for i in range(6)]).take(pa.array(answers)),
        "confidence": pa.array(confidence),
        "group": pa.array([str(i) for i in range(1, 6)]).take(pa.array(place % 5)),
        "concepts": pa.array([[f"c{i}"] for i in range(10)]).take(pa.array(place % 10)),
    }
    schema = arrow_schema(Attempt)
    table = pa.table([columns.get(f.name, pa.nulls(n, f.type)) for f in schema], schema=schema)
    checkpoint, sampling = f"sha256:{folder.name}", {"temperature": 1.0}
    write_table(folder / ATTEMPTS_FILE, table, {"checkpoint": checkpoint, "sampling": sampling})
    correct = int(right.sum())
    counts = SuiteCounts(problems, n, ATTEMPTS, correct, incorrect=n - correct, ungradable=0, errors=0)
    digest = file_digest(folder / ATTEMPTS_FILE)
    profile = Profile(folder.name, checkpoint, sampling, {SUITE: counts}, (), digest, 0.95)
    write_json(folder / PROFILE_FILE, dataclasses.asdict(profile))


def bootstrapped(folder: Path, method: str, most: int | None) -> tuple[float, int]:
    """Seconds that scipy's bootstrap takes for the axes that are averages over problems, and for how many pairs."""
    rules = read_policy(folder / "policy.yaml")
    suites = {name: read_evidence(name, folder / name, rules).suites[SUITE] for name in SIDES}
    pairs = [(name, reference) for name in rules.axes for reference in SIDES[:3]][:most]
    taken = 0.0
    for name, reference in pairs:
        found = measure(name) or measure("pass@1")  # of what is no average: one that is, which takes no longer
        assert found is not None
        was, now = found.values(suites[reference]), found.values(suites["candidate"])
        start = time.process_time()
        bootstrap(
            (now, was), _mean_change, paired=True, n_resamples=RESAMPLES, method=method, rng=np.random.default_rng(0)
        )
        taken += time.process_time() - start
    return taken, len(pairs)


def _mean_change(now: np.ndarray, was: np.ndarray, axis: int = -1) -> np.ndarray:
    return now.mean(axis=axis) - was.mean(axis=axis)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, nargs="+", default=[1000, 3000, 10_000])
    parser.add_argument(
        "--bca", type=int, default=3, help="pairs of which the BCa interval is made; the rest is scaled"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    columns = ("problems", "gate, wall s", "CPU s", "CPU ms a problem", "peak MB")
    peers = ("percentile bootstrap, CPU s", "ratio", "BCa, CPU s", "ratio")
    print("| " + " | ".join((*columns, *peers)) + " |\n| " + " | ".join(["---"] * 9) + " |")
    for problems in arguments.problems:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "policy.yaml").write_text(yaml.safe_dump(policy()), encoding="utf-8")
            rates = np.random.default_rng(arguments.seed).beta(0.5, 0.5, problems)
            for index, one in enumerate(SIDES):
                write_profile(folder / one, problems, rates, arguments.seed + index)
            done = subprocess.run([sys.executable, "-c", RUN, name], capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            seconds, cpu, peak, pairs, _ = json.loads(done.stdout.splitlines()[-1])
            percentile, of = bootstrapped(folder, "percentile", None)
            bca, some = bootstrapped(folder, "BCa", arguments.bca)
            assert of == pairs == 60
            bca *= pairs / some
            print(
                f"| {problems} | {seconds:.1f} | {cpu:.1f} | {1000 * cpu / problems:.2f} | {peak * 1024 / 1e6:.0f} | "
                f"{percentile:.0f} | {percentile / cpu:.1f} | {bca:.0f} | {bca / cpu:.1f} |",
                flush=True,
            )
    print(f"\n{ATTEMPTS} attempts a problem, 20 axes x 3 references; BCa: {arguments.bca} pairs, scaled to all.")


if __name__ == "__main__":
    main()
