"""Policies and bases to plan from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.evaluate.profile import ATTEMPTS_FILE
from ratchet.gate.policy import Policy
from ratchet.records import Attempt
from ratchet.storage import table_of, write_table

AXES = {"pass@1": {"tier": "critical", "max_drop": 0.05}, "pass@8": {"tier": "critical", "max_drop": 0.05}}


@pytest.fixture
def policy() -> Callable[..., Policy]:
    """`policy(axes, against, ...)`: a policy with these axes; two critical ones where none are given."""

    def make(axes: dict[str, Any] | None = None, against: tuple[str, ...] = ("base",), **more: Any) -> Policy:
        stated = {
            "version": 1,
            "suites": {"main": "sums"},
            "evidence": {"min_problems": 100, "min_attempts": 32},
            "axes": axes or AXES,
            "against": list(against),
        }
        return Policy.model_validate(stated | more)

    return make


@pytest.fixture
def base(tmp_path: Path) -> Callable[..., Path]:
    """`base(rates, attempts, ...)`: a profile's attempts at problems that are solved at these rates."""

    def make(
        rates: np.ndarray, attempts: int, seed: int = 0, cluster_size: int = 0, groups: int = 0, said: bool = False
    ) -> Path:
        right = np.random.default_rng(seed).random((len(rates), attempts)) < rates[:, None]
        rows = [
            Attempt(
                problem_id=f"p{i:05}",
                suite="sums",
                attempt=j,
                outcome="correct" if right[i, j] else "incorrect",
                text=f"{j % 3} + {i} = {i + j % 3}" if said else None,
                confidence=0.5 if said else None,
                group=str(i % groups + 1) if groups else None,
                cluster=f"c{i // cluster_size}" if cluster_size else None,
                concepts=("rare",) if i % 4 == 0 else (),
            )
            for i in range(len(rates))
            for j in range(attempts)
        ]
        write_table(tmp_path / "base" / ATTEMPTS_FILE, table_of(rows, Attempt), {"checkpoint": None, "sampling": None})
        return tmp_path / "base"

    return make
