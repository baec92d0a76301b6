"""Problems drawn from a family of reasoning-gym, the same ones on every machine."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ratchet.errors import InputError
from ratchet.grade.families import refusal
from ratchet.grade.gym import require_installed
from ratchet.progress import tracking
from ratchet.records import Problem, Split

# Some families iterate over sets of words: with another order of sets they draw other problems.
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True, slots=True)
class Draw:
    """What is drawn: `count` different problems of a family, at its own difficulty or at a level of its curriculum."""

    family: str
    count: int
    seed: int = 0
    split: Split = "eval"
    level: int | None = None

    @property
    def dataset_seed(self) -> int:
        """The seed of the family's own generator: the first 31 bits of the SHA-256 of family, split and seed.

        The generator gives its problem number i the seed plus i, so that two seeds beside each other would draw nearly
        the same problems.
        """
        digest = hashlib.sha256(f"{self.family} {self.split} {self.seed}".encode()).digest()
        return int.from_bytes(digest[:4]) >> 1


def draw_problems(draw: Draw, suite: str | None = None) -> list[Problem]:
    """The problems of a draw, in the suite of that name or of the family's; no prompt comes twice.

    They are drawn in a process whose sets have one order. Each one's own answer has been scored, and is right.
    """
    reason = refusal(draw.family)
    if reason is not None:
        raise InputError(reason, expected="a family whose scorer evaluates no text (docs/grade.md lists them)")
    require_installed()
    level = "" if draw.level is None else f"-level-{draw.level}"
    with tracking("import", draw.count, "problems") as advance:
        problems = []
        for number, (prompt, answer) in enumerate(_drawn(draw)):
            problems.append(
                Problem(
                    id=f"{draw.split}-{draw.seed}{level}-{number:05d}",
                    prompt=prompt,
                    answer=answer,
                    suite=suite or draw.family,
                    kind="gym",
                    split=draw.split,
                    group=None if draw.level is None else str(draw.level),
                )
            )
            advance(1)
    return problems


def _drawn(draw: Draw) -> Iterator[tuple[str, str]]:
    """The prompt and the entry of each problem; an InputError where the process that draws them names a fault."""
    wanted = json.dumps({**asdict(draw), "seed": draw.dataset_seed})
    command = [sys.executable, "-m", "ratchet.imports.gym_draw", wanted]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **_ENVIRONMENT})
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said: dict[str, Any] = json.loads(line)
            if "fault" in said:
                raise InputError(said["fault"], expected=said["expected"])
            yield said["prompt"], said["answer"]
        if process.wait() != 0:
            raise RuntimeError(f"the process that draws problems ended with exit code {process.returncode}")
    finally:
        process.kill()
        process.wait()
