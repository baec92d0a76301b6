"""Attempts added up within their problem."""

import random

from ratchet.metrics.counts import cluster_indices, count_problems
from ratchet.records import Attempt, Outcome
from ratchet.storage import table_of


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
