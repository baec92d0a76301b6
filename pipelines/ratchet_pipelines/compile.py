"""Pipelines as the YAML that a Kubeflow Pipelines endpoint takes."""

import warnings
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.images import REPOSITORY
from ratchet.storage import atomic_path

NAMES = ("self-improvement", "evaluate-and-gate", "scheduled-retraining")
ROUNDS = 4


def compile_pipeline(name: str, out: Path, rounds: int = ROUNDS, registry: str = "") -> Path:
    """`out`, after the pipeline of that name has been written to it; `rounds` is of self-improvement alone.

    The images of its steps are those of `registry`, where one is given.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp.compiler import Compiler

        with atomic_path(out) as temporary:
            written = temporary.with_suffix(".yaml")  # the compiler takes no other ending
            Compiler().compile(_pipeline(name, rounds), str(written))
            text = written.read_text(encoding="utf-8")
            written.unlink()
            temporary.write_text(_from_registry(text, registry), encoding="utf-8")
    return out


def _from_registry(text: str, registry: str) -> str:
    """The compiled pipeline with the registry before the name of every image."""
    prefix = f"{registry.rstrip('/')}/" if registry else ""
    return text.replace(f"image: {REPOSITORY}/", f"image: {prefix}{REPOSITORY}/")


def _pipeline(name: str, rounds: int) -> Any:
    if name == "self-improvement":
        from ratchet_pipelines.self_improvement import self_improvement

        return self_improvement(rounds)
    if name == "evaluate-and-gate":
        from ratchet_pipelines.evaluate_and_gate import evaluate_and_gate

        return evaluate_and_gate
    if name == "scheduled-retraining":
        from ratchet_pipelines.scheduled_retraining import scheduled_retraining

        return scheduled_retraining
    raise InputError(f"pipeline {name!r}", expected="one of " + ", ".join(NAMES))
