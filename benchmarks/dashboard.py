"""How long the dashboard's pages take and how much memory its process, beside one request of MLflow's own client.

`python benchmarks/dashboard.py` starts `mlflow server` on SQLite and `ratchet dashboard` before it, both on loopback,
puts two champions there with the attempts that `--problems`, `--attempts` and `--characters` say, then versions of no
run up to `--versions`, and asks for each page. `first` is the first time, which draws and fetches; `again` the least of
`REPEATS` later ones. The peer is `search_model_versions` of the same model, which each page needs once at the least.
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from registry_sequence import promotion, quietly

from ratchet.identity import checkpoint_digest
from ratchet.records import Attempt
from ratchet.storage import write_records

POLICY = """version: 1
suites: {main: sums}
evidence: {min_problems: 100, min_attempts: 4}
axes:
  pass@1: {tier: critical, max_drop: 0.05}
against: [champion]
"""
RATES = {"m1": 0.4, "m2": 0.6}  # of right attempts
MODEL, REPEATS, PATIENCE_S = "solver", 5, 240.0
VERSION = f"/models/{MODEL}/versions/2"
PAGES = {
    "list of models": "/",
    "model": f"/models/{MODEL}",
    "version": VERSION,
    "profile": f"{VERSION}/profile",
    "comparison": f"{VERSION}/against/1",
}


def main() -> None:
    """Print a line for each page and one for the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("problems", 400), ("attempts", 16), ("characters", 300), ("versions", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with mlflow_server() as uri:
            os.environ["MLFLOW_TRACKING_URI"] = uri
            put_forward(given.problems, given.attempts, given.characters)
            add_versions(uri, given.versions)
            with dashboard() as (url, process):
                report(uri, url, process)


def put_forward(problems: int, attempts: int, characters: int) -> None:
    """Keys, policy, and two checkpoints promoted one after the other."""
    Path("policy.yaml").write_text(POLICY)
    quietly("keys new --out signing.pem")
    os.environ["RATCHET_SIGNING_KEY"] = Path("signing.pem").read_text()
    os.environ["RATCHET_VERIFY_KEY"] = Path("signing.pem.pub").read_text()
    for number, (name, before) in enumerate(zip(RATES, ["--first", "--champion m1-profile"], strict=True), start=1):
        make(name, problems, attempts, characters)
        quietly(f"evaluate --attempts {name}.parquet --out {name}-profile --name {name}")
        quietly(f"gate --candidate {name}-profile {before} --policy policy.yaml --out {name}.json")
        quietly(f"log --checkpoint {name} --profile {name}-profile --run loop --round {number}")
        quietly(promotion(MODEL, name))


def make(name: str, problems: int, attempts: int, characters: int) -> None:
    """A checkpoint and its attempts, each with a text of its own of that many characters."""
    Path(name).mkdir()
    Path(name, "model.safetensors").write_bytes(name.encode())
    Path(name, "config.json").write_text("{}")
    right = np.random.default_rng([0, len(name)]).random((problems, attempts)) < RATES[name]
    rows = [
        Attempt(str(i), "correct" if right[i, n] else "incorrect", suite="sums", attempt=n, text=text(i, n, characters))
        for i in range(problems)
        for n in range(attempts)
    ]
    header = {"checkpoint": checkpoint_digest(Path(name)), "sampling": {"seed": 1, "temperature": 1.0}}
    write_records(Path(f"{name}.parquet"), rows, Attempt, header)


def text(problem: int, attempt: int, characters: int) -> str | None:
    """Words that no other attempt has."""
    words = f"attempt {attempt} at {problem} "
    return (words * (characters // len(words) + 1))[:characters] or None


def add_versions(uri: str, count: int) -> None:
    """Versions besides the two champions."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    for number in range(count - len(RATES)):
        client.create_model_version(MODEL, f"s3://nowhere/{number}", await_creation_for=0)


@contextlib.contextmanager
def mlflow_server() -> Iterator[str]:
    """An `mlflow server` of one worker, its URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = ["server", "--port", str(port), "--workers", "1", "--backend-store-uri", "sqlite:///mlflow.db"]
    words += ["--artifacts-destination", "artifacts"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with Path("mlflow.log").open("w") as log, ending([sys.executable, "-m", "mlflow", *words], log, environment):
        url = f"http://127.0.0.1:{port}"
        until_it_answers(f"{url}/health")
        yield url


@contextlib.contextmanager
def dashboard() -> Iterator[tuple[str, int]]:
    """`ratchet dashboard` before the server, its URL and process id."""
    with Path("dashboard.log").open("w") as log:
        words = [sys.executable, "-m", "ratchet", "dashboard", "--port", "0", "--public-key", "signing.pem.pub"]
        with ending(words, log, dict(os.environ)) as process:
            end = time.monotonic() + PATIENCE_S
            while not (said := Path("dashboard.log").read_text().strip()):
                assert time.monotonic() < end, "the dashboard does not start"
                time.sleep(0.05)
            url = said.split()[-1].rstrip("/")
            until_it_answers(f"{url}/readyz")
            yield url, process.pid


@contextlib.contextmanager
def ending(words: list[str], log: IO[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process with all that it started, until the block ends."""
    process = subprocess.Popen(words, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def until_it_answers(url: str) -> None:
    """Wait until the URL is answered well."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")


def report(uri: str, url: str, process: int) -> None:
    """The table and the memory."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    peer = min(seconds(lambda: client.search_model_versions(f"name = '{MODEL}'", max_results=1000)) for _ in range(20))
    print(f"one request of MLflow's client: {1000 * peer:.0f} ms")
    print("| page | first | again | again, in requests of MLflow's client |\n| --- | --- | --- | --- |")
    for page, path in PAGES.items():
        first, *later = (seconds(partial(read, url + path)) for _ in range(1 + REPEATS))
        print(f"| {page} | {first:.2f} s | {min(later):.2f} s | {min(later) / peer:.1f} |")
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    print(f"memory at its most: {int(status['VmHWM'].split()[0]) / 1000:.0f} MB")


def read(url: str) -> None:
    """The whole page."""
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        answer.read()


def seconds(work: Callable[[], object]) -> float:
    """Wall time."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
