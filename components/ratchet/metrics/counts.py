"""Attempts added up within their problem: the unit of every inference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """Outcomes of each problem of one suite, in the order of `problem_ids` (sorted).

    `graded` is correct plus incorrect: an ungradable or failed attempt is neither right nor wrong and is counted apart.
    """

    problem_ids: tuple[str, ...]
    clusters: tuple[str | None, ...]
    correct: Integers
    graded: Integers
    ungradable: Integers
    errors: Integers

    @property
    def attempts(self) -> int:
        """How many attempts there are in all, whatever came of them."""
        return int((self.graded + self.ungradable + self.errors).sum())


def count_problems(attempts: "pa.Table") -> ProblemCounts:
    """The counts of a table of Attempt records that holds one suite."""
    import pyarrow.compute as pc

    flags = {
        name: pc.cast(pc.equal(attempts["outcome"], name), "int64")
        for name in ("correct", "incorrect", "ungradable", "error")
    }
    table = attempts.select(["problem_id", "cluster"])
    for name, flag in flags.items():
        table = table.append_column(name, flag)
    sums = [(name, "sum") for name in flags]
    grouped = table.group_by("problem_id").aggregate([*sums, ("cluster", "min")]).sort_by("problem_id")
    column = {name: grouped[f"{name}_sum"].to_numpy().astype(np.int64) for name in flags}
    return ProblemCounts(
        problem_ids=tuple(grouped["problem_id"].to_pylist()),
        clusters=tuple(grouped["cluster_min"].to_pylist()),
        correct=column["correct"],
        graded=column["correct"] + column["incorrect"],
        ungradable=column["ungradable"],
        errors=column["error"],
    )


def cluster_indices(clusters: Sequence[str | None]) -> Integers:
    """A number for each problem's cluster, from 0; a problem without one is a cluster of its own."""
    numbers: dict[object, int] = {}
    return np.array(
        [
            numbers.setdefault(name if name is not None else ("alone", i), len(numbers))
            for i, name in enumerate(clusters)
        ],
        dtype=np.int64,
    )
