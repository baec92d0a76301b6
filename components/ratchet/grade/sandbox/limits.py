"""What a program may use, and the levels of isolation."""

from dataclasses import dataclass
from typing import Literal, get_args

Level = Literal["namespaces", "landlock", "process"]
LEVELS: tuple[Level, ...] = get_args(Level)  # best first
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. Verdicts depend on all but `wall_s`, which only ever gives an `error`."""

    cpu_s: int = 5
    """CPU time of the program, all its threads together."""
    idle_s: float = 5.0
    """Time asleep or blocked while its answer is waited for; time spent waiting for a processor doesn't count."""
    memory_bytes: int = 1024 * MIB
    """Address space, threads' stacks included."""
    file_bytes: int = 16 * MIB
    """The largest file, and at `namespaces` the whole work folder."""
    output_bytes: int = 4 * MIB
    """One returned value as it travels, or all of the standard output."""
    wall_s: float = 300.0
    """The backstop of the harness itself."""
