"""Attempts added up within their problem: the unit of every inference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

Integers = NDArray[np.int64]
OUTCOMES = ("correct", "incorrect", "ungradable", "error")


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """Outcomes of each problem of one suite, in the order of `problem_ids` (sorted).

    `graded` is correct plus incorrect: an ungradable or failed attempt is neither right nor wrong and is counted apart.
    """

    problem_ids: tuple[str, ...]
    clusters: tuple[str | None, ...]
    groups: tuple[str | None, ...]
    correct: Integers
    graded: Integers
    ungradable: Integers
    errors: Integers

    @property
    def attempts(self) -> int:
        """How many attempts there are in all, whatever came of them."""
        return int((self.graded + self.ungradable + self.errors).sum())


def count_problems(attempts: "pa.Table") -> ProblemCounts:
    """The counts of a table of Attempt records that holds one suite, whole or as `read_light` gives it.

    Problem and outcome of a row make one code, and the codes are counted. An unknown outcome counts as none. Group and
    cluster are those of the problem's first row: `gather` lets no problem have two.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ids, problems = codes(attempts["problem_id"])
    outcomes, outcome_of = codes(attempts["outcome"])
    pairs = problems * np.int64(len(outcomes))
    pairs += outcome_of  # in place: memory that is new is what takes the time
    crossed = np.bincount(pairs, minlength=len(ids) * len(outcomes)).reshape(len(ids), len(outcomes))
    order = np.asarray(pc.sort_indices(ids)).astype(np.int64)
    order = order[crossed[order].any(axis=1)]
    by_name = dict(zip(outcomes.to_pylist(), crossed[order].T, strict=True))
    column = {name: by_name.get(name, np.zeros(len(order), np.int64)) for name in OUTCOMES}
    first = pa.array(_first_rows(problems, len(ids))[order])
    return ProblemCounts(
        problem_ids=tuple(ids.take(pa.array(order)).to_pylist()),
        clusters=tuple(attempts["cluster"].take(first).cast(pa.string()).to_pylist()),
        groups=tuple(attempts["group"].take(first).cast(pa.string()).to_pylist()),
        correct=column["correct"],
        graded=column["correct"] + column["incorrect"],
        ungradable=column["ungradable"],
        errors=column["error"],
    )


def codes(column: "pa.ChunkedArray") -> tuple["pa.Array", NDArray[np.integer[Any]]]:
    """The values of a column of texts and null after them, and for each row the place of its value among these.

    Of a column that comes as codes the values may be more than there are rows for.
    """
    import pyarrow as pa

    array = column.combine_chunks()
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    values = pa.concat_arrays([array.dictionary, pa.nulls(1, array.dictionary.type)])
    indices = array.indices.fill_null(len(values) - 1) if array.null_count else array.indices
    return values, np.asarray(indices)


def _first_rows(problems: NDArray[np.integer[Any]], count: int) -> Integers:
    """For each of `count` problems the first row that has its number; 0 where none has."""
    starts = np.concatenate([[0], np.flatnonzero(problems[1:] != problems[:-1]) + 1])[: len(problems)]
    rows = np.zeros(count, dtype=np.int64)
    rows[problems[starts[::-1]]] = starts[::-1]  # of several that are assigned the last one stays
    return rows


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
