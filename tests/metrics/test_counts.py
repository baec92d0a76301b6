"""Attempts added up within their problem."""

import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from ratchet.evaluate.attempts import gather, read_light
from ratchet.metrics.counts import OUTCOMES, cluster_indices, count_problems
from ratchet.records import Attempt, Outcome
from ratchet.storage import table_of, write_records


def attempts_of(problem_id: str, *outcomes: Outcome, cluster: str | None = None) -> list[Attempt]:
    return [Attempt(problem_id, outcome, attempt=i, cluster=cluster) for i, outcome in enumerate(outcomes)]


def test_errors_and_ungradable_attempts_are_neither_right_nor_wrong() -> None:
    counts = count_problems(table_of(attempts_of("p", "correct", "incorrect", "error", "ungradable", "error"), Attempt))
    assert counts.correct.tolist() == [1]
    assert counts.graded.tolist() == [2]
    assert counts.ungradable.tolist() == [1]
    assert counts.errors.tolist() == [2]
    assert counts.attempts == 5


def test_problems_come_sorted_with_their_clusters_whatever_the_order_of_rows() -> None:
    rows = [
        *attempts_of("b", "correct", "correct", cluster="book"),
        *attempts_of("a", "incorrect"),
        *attempts_of("c", "error", cluster="book"),
    ]
    random.Random(0).shuffle(rows)
    counts = count_problems(table_of(rows, Attempt))
    assert counts.problem_ids == ("a", "b", "c")
    assert counts.clusters == (None, "book", "book")
    assert counts.correct.tolist() == [0, 2, 0]
    assert counts.graded.tolist() == [1, 2, 0]


def test_a_problem_without_a_cluster_is_a_cluster_of_its_own() -> None:
    assert cluster_indices(["x", None, "y", "x", None]).tolist() == [0, 1, 2, 0, 3]


def test_groups_come_with_their_problems() -> None:
    rows = [Attempt("b", "correct", group="5"), Attempt("a", "correct"), Attempt("b", "error", attempt=1, group="5")]
    assert count_problems(table_of(rows, Attempt)).groups == (None, "5")


def test_one_suite_of_a_light_table_counts_as_its_rows_do(tmp_path: Path) -> None:
    rows = [
        *(Attempt(a.problem_id, a.outcome, "x", a.attempt) for a in attempts_of("only x", "correct")),
        *attempts_of("p", "correct", "incorrect", "ungradable", cluster="book"),
        *attempts_of("o", "error"),
    ]
    write_records(tmp_path / "a.parquet", rows, Attempt)
    gather([tmp_path / "a.parquet"], tmp_path / "out.parquet")
    light = read_light(tmp_path / "out.parquet")
    counts = count_problems(light.filter(pc.equal(light["suite"], "default")))
    assert (counts.problem_ids, counts.clusters) == (("o", "p"), (None, "book"))
    columns = (counts.correct, counts.graded, counts.ungradable, counts.errors)
    assert [column.tolist() for column in columns] == [[0, 1], [0, 2], [0, 1], [1, 0]]


def test_no_rows_are_no_problems() -> None:
    counts = count_problems(table_of([], Attempt))
    assert (counts.problem_ids, counts.attempts, counts.correct.tolist()) == ((), 0, [])


ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "é", "B", "", None]), st.sampled_from([*OUTCOMES, "odd", None])))


@given(ROWS, st.integers(0, 20))
def test_counts_are_those_of_a_counter_even_in_tables_that_the_gate_will_refuse(
    rows: list[tuple[str | None, str | None]], cut: int
) -> None:
    table = table_of([Attempt(problem, outcome) for problem, outcome in rows], Attempt)  # type: ignore[arg-type]
    table = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    counts, expected = count_problems(table), Counter(rows)
    problems = sorted({problem for problem, _ in rows}, key=lambda name: (name is None, name or ""))
    assert list(counts.problem_ids) == problems
    assert counts.correct.tolist() == [expected[p, "correct"] for p in problems]
    assert counts.graded.tolist() == [expected[p, "correct"] + expected[p, "incorrect"] for p in problems]
    assert counts.ungradable.tolist() == [expected[p, "ungradable"] for p in problems]
    assert counts.errors.tolist() == [expected[p, "error"] for p in problems]
