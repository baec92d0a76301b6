"""Promote, tamper, reconcile, roll back: what `ratchet` prints, on an MLflow of its own (docs/registry.md shows it).

`python benchmarks/registry_sequence.py` uses SQLite in a temporary folder; with `--tracking-uri` a server.
"""

import argparse
import contextlib
import io
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

from ratchet.cli import invoke
from ratchet.identity import checkpoint_digest

POLICY = """version: 1
suites: {main: sums}
evidence: {min_problems: 100, min_attempts: 4}
axes:
  pass@1: {tier: critical, max_drop: 0.05}
against: [champion]
"""
PROBLEMS, ATTEMPTS = 200, 4
RIGHT = {"m1": 2, "m2": 3, "m3": 3}  # of the attempts at each problem


def main() -> None:
    """Run the sequence and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracking-uri", default="sqlite:///mlflow.db")
    parser.add_argument("--model", default="solver")
    given = parser.parse_args()
    os.environ |= {"MLFLOW_TRACKING_URI": given.tracking_uri, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare()
        print("\n".join(sequence(given.model)))


def prepare() -> None:
    """Keys, policy, three checkpoints and their profiles."""
    Path("policy.yaml").write_text(POLICY)
    quietly("keys new --out signing.pem")
    os.environ["RATCHET_SIGNING_KEY"] = Path("signing.pem").read_text()
    os.environ["RATCHET_VERIFY_KEY"] = Path("signing.pem.pub").read_text()
    for name, right in RIGHT.items():
        Path(name).mkdir()
        Path(name, "model.safetensors").write_bytes(name.encode())
        Path(name, "config.json").write_text("{}")
        lines = [{"header": {"checkpoint": checkpoint_digest(Path(name)), "sampling": {"temperature": 1.0}}}]
        lines += [
            {"suite": "sums", "problem_id": str(problem), "attempt": attempt, "correct": attempt < right}
            for problem in range(PROBLEMS)
            for attempt in range(ATTEMPTS)
        ]
        Path(f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
        quietly(f"evaluate --attempts {name}.jsonl --out {name}-profile --name {name}")


def sequence(model: str) -> list[str]:
    """The lines of the whole sequence, commands and what they print."""
    shown: list[str] = []
    for number, (name, before) in enumerate(zip(RIGHT, [None, *RIGHT], strict=False), start=1):
        reference = f"--champion {before}-profile" if before else "--first"
        gate = f"gate --candidate {name}-profile {reference} --policy policy.yaml --out {name}.json"
        quietly(gate)
        quietly(f"log --checkpoint {name} --profile {name}-profile --run loop --round {number}")
        if number < 3:
            shown += said(promotion(model, name))
    shown += ["", "# somebody moves the alias with MLflow's own client", *tampered(model, "1")]
    shown += said(f"reconcile --model {model} --once")
    shown += said(f"reconcile --model {model} --once")
    quietly("gate --candidate m3-profile --champion m1-profile --policy policy.yaml --out old.json")
    shown += ["", "# a verdict that compares with the champion before this one"]
    shown += said(promotion(model, "m3").replace("m3.json", "old.json"))
    shown += said(promotion(model, "m3"))
    shown += ["", "# it turns out to be wrong in production"]
    shown += said(f"rollback --model {model} --reason 'answers in inches'")
    shown += said(promotion(model, "m3"))
    shown += said(f"review list --model {model}")
    return shown


def promotion(model: str, name: str) -> str:
    """The command that promotes a checkpoint."""
    return (
        f"promote --model {model} --verdict {name}.json --candidate {name}-profile --checkpoint {name}"
        " --policy policy.yaml"
    )


def tampered(model: str, version: str) -> list[str]:
    """The alias moved past the gate, in Python."""
    import mlflow

    uri = os.environ["MLFLOW_TRACKING_URI"]
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.set_registered_model_alias(model, "champion", version)
    return [f'>>> client.set_registered_model_alias("{model}", "champion", "{version}")']


def said(command: str) -> list[str]:
    """The command as it is typed, what it printed, and its exit code where it is not 0."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = invoke(shlex.split(command))
    lines = [f"$ ratchet {command}", *(out.getvalue() + err.getvalue()).splitlines()]
    return [*lines, f"(exit code {code})"] if code else lines


def quietly(command: str) -> None:
    """Run a command that must end well."""
    lines = said(command)
    if lines[-1].startswith("(exit code"):
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
