"""What must be known of all attempts together, kept as a few integers an attempt while their files stream past.

Problems, groups, clusters and lists of concepts are numbered by their first appearance. Names are kept once; of each
attempt the number of its problem (4 bytes) and its own number (8 bytes).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ratchet.evaluate.lines import UNNUMBERED
from ratchet.metrics.counts import Integers

if TYPE_CHECKING:
    import pyarrow as pa

CONSTANT = ("group", "cluster", "concepts")  # a problem has one of each
_APART = "\0"  # between the concepts of a list


class Clash(Exception):
    """An attempt that doesn't go with an earlier one: its row among all attempts, what it is, what it should be."""

    def __init__(self, row: int, found: str, expected: str) -> None:
        self.row, self.found, self.expected = row, found, expected
        super().__init__(found)


@dataclass(slots=True)
class Ledger:
    """The attempts entered so far; `rows` counts them."""

    rows: int = 0
    _problems: dict[str, dict[str, int]] = field(default_factory=dict)  # suite, problem_id: number
    _problem_count: int = 0
    _entered: Integers = field(default_factory=lambda: np.zeros(0, np.int64))  # by problem: attempts so far
    _names: dict[str, dict[str | None, int]] = field(default_factory=lambda: {name: {} for name in CONSTANT})
    _first: dict[str, Integers] = field(default_factory=lambda: {name: np.zeros(0, np.int64) for name in CONSTANT})
    _problem_of: list[NDArray[np.int32]] = field(default_factory=list)
    _attempt_of: list[Integers] = field(default_factory=list)

    def enter(self, table: "pa.Table") -> "pa.Table":
        """The table with its unnumbered attempts numbered by their order of appearance within their problem.

        Raises Clash where a problem has another group or cluster, or other concepts, than before.
        """
        import pyarrow as pa

        uniques, rows = self._numbers_of_problems(table)
        for column in CONSTANT:
            self._require_constant(table, column, uniques, rows)
        given = table["attempt"].to_numpy()
        if (given == UNNUMBERED).any():
            given = np.where(given == UNNUMBERED, self._entered[uniques][rows] + appearances(rows), given)
            at = table.schema.get_field_index("attempt")
            table = table.set_column(at, table.schema.field(at), pa.array(given))
        self._entered[uniques] += np.bincount(rows, minlength=len(uniques))
        self._problem_of.append(uniques[rows].astype(np.int32))
        self._attempt_of.append(given)
        self.rows += table.num_rows
        return table

    def refuse_duplicates(self) -> None:
        """Raises Clash for the first attempt that has problem and number of an earlier one."""
        if self.rows == 0:
            return
        problems, attempts = np.concatenate(self._problem_of), np.concatenate(self._attempt_of)
        if (
            int(attempts.max()) + 1
        ) * self._problem_count >= 2**63:  # absurd numbers: any others in their place will do
            keys = np.unique(attempts, return_inverse=True)[1]
        else:
            keys = attempts
        keys = problems.astype(np.int64) * (int(keys.max()) + 1) + keys
        if (keys[1:] > keys[:-1]).all():
            return
        order = np.argsort(keys, kind="stable")
        again = order[1:][keys[order[1:]] == keys[order[:-1]]]
        if len(again):
            row = int(again.min())
            raise Clash(row, f"attempt {attempts[row]} of {self._named(int(problems[row]))} again", "each attempt once")

    def _numbers_of_problems(self, table: "pa.Table") -> tuple[Integers, Integers]:
        """The numbers of the problems in the table, each once, and for each row the place of its problem there."""
        suites, suite_of = encoded(table["suite"])
        ids, id_of = encoded(table["problem_id"])
        pairs, rows = id_of, id_of
        if len(suites) > 1:
            pairs, rows = np.unique(suite_of * len(ids) + id_of, return_inverse=True)
        else:
            pairs = np.arange(len(ids))
        found = (self._number(str(suites[pair // len(ids)]), str(ids[pair % len(ids)])) for pair in pairs.tolist())
        uniques = np.fromiter(found, np.int64, len(pairs))
        self._entered = grown(self._entered, self._problem_count)
        return uniques, rows

    def _number(self, suite: str, problem_id: str) -> int:
        number = self._problems.setdefault(suite, {}).setdefault(problem_id, self._problem_count)
        self._problem_count = max(self._problem_count, number + 1)
        return number

    def _require_constant(self, table: "pa.Table", column: str, uniques: Integers, rows: Integers) -> None:
        names, name_of = encoded(as_text(table[column]))
        known = self._names[column]
        numbers = np.array([known.setdefault(name, len(known) + 1) for name in names], dtype=np.int64)[name_of]
        first = self._first[column] = grown(self._first[column], self._problem_count)
        here = np.zeros(len(uniques), np.int64)
        here[rows[::-1]] = numbers[::-1]  # of several rows the last one assigned stays: the problem's first row
        first[uniques] = np.where(first[uniques] == 0, here, first[uniques])
        different = np.flatnonzero(numbers != first[uniques][rows])
        if len(different):
            row = int(different[0])
            problem = int(uniques[rows[row]])
            before = next(name for name, number in known.items() if number == first[problem])
            expected = listed(before) if before is not None and column == "concepts" else before
            found = f"{self._named(problem)} in {column} {table[column][row].as_py()!r}"
            raise Clash(self.rows + row, found, f"{column} {expected!r} as before")

    def _named(self, problem: int) -> str:
        suite, problem_id = next(
            (suite, problem_id)
            for suite, numbers in self._problems.items()
            for problem_id, number in numbers.items()
            if number == problem
        )
        return f"problem {problem_id!r} of suite {suite!r}"


def as_text(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """A column of texts as it is; lists of texts as one text each, their number first; no list is an empty one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_list(column.type):
        return column
    number = pc.cast(pc.fill_null(pc.list_value_length(column), 0), pa.string())
    return pc.binary_join_element_wise(number, pc.fill_null(pc.binary_join(column, _APART), ""), _APART)


def listed(text: str) -> list[str]:
    """The list that `as_text` made a text of."""
    number, *texts = text.split(_APART)
    return texts[: int(number)]


def encoded(column: "pa.ChunkedArray") -> tuple[list[str | None], Integers]:
    """The different values of a column of texts, and for each row the place of its value there."""
    array = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return array.dictionary.to_pylist(), np.asarray(array.indices).astype(np.int64)


def appearances(numbers: Integers) -> Integers:
    """For each entry how many equal ones come before it."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    places = np.arange(len(order))
    found = np.empty(len(order), dtype=np.int64)
    found[order] = places - np.maximum.accumulate(np.where(first, places, 0))
    return found


def grown(numbers: Integers, size: int) -> Integers:
    """The same numbers followed by zeros, with room for at least `size`."""
    if size <= len(numbers):
        return numbers
    return np.concatenate([numbers, np.zeros(max(size, 2 * len(numbers)) - len(numbers), np.int64)])
