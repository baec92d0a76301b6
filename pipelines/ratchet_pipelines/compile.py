"""Pipelines as the YAML that a Kubeflow Pipelines endpoint takes."""

import warnings
from pathlib import Path

from ratchet.storage import atomic_path


def compile_self_improvement(rounds: int, out: Path) -> Path:
    """`out`, after the self-improvement pipeline with that many rounds has been written to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp.compiler import Compiler

        from ratchet_pipelines.self_improvement import self_improvement

        with atomic_path(out) as temporary:
            written = temporary.with_suffix(".yaml")  # the compiler takes no other ending
            Compiler().compile(self_improvement(rounds), str(written))
            written.replace(temporary)
    return out
