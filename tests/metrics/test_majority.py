"""Majority vote, by hand and against a plain count."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.metrics.majority import majority_by_problem


def vote(rows: list[tuple[int, int, int]], votes: int, count: int) -> list[float]:
    problems, answers, correct = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return list(majority_by_problem(problems, answers, correct.astype(float), votes, count))


def test_the_answer_that_most_attempts_gave_decides() -> None:
    # problem 0: answer 7 three times (right), answer 8 once; problem 1: answer 3 twice (wrong), answer 4 once (right)
    rows = [(0, 7, 1), (0, 7, 1), (0, 8, 0), (0, 7, 1), (1, 3, 0), (1, 3, 0), (1, 4, 1), (1, -1, 0)]
    assert vote(rows, 4, 2) == [1.0, 0.0]


def test_answers_that_tie_share_the_vote() -> None:
    assert vote([(0, 1, 1), (0, 2, 0), (0, 3, 0)], 3, 1) == pytest.approx([1 / 3])


def test_an_attempt_without_an_answer_has_no_vote_and_where_nobody_has_one_the_vote_is_lost() -> None:
    assert vote([(0, -1, 0), (0, -1, 0), (0, 5, 1), (1, -1, 0), (1, -1, 0), (1, -1, 0)], 3, 2) == [1.0, 0.0]


def test_attempts_beyond_the_first_votes_are_passed_over_and_a_problem_with_fewer_has_none() -> None:
    found = vote([(0, 1, 1), (0, 1, 1), (0, 2, 0), (0, 2, 0), (0, 2, 0), (1, 1, 1)], 2, 2)
    assert found[0] == 1.0
    assert np.isnan(found[1])


def plain(rows: list[tuple[int, int, int]], votes: int, count: int) -> list[float]:
    values = []
    for problem in range(count):
        mine = [(answer, right) for p, answer, right in rows if p == problem][:votes]
        if len(mine) < votes:
            values.append(float("nan"))
            continue
        tally = Counter(answer for answer, _ in mine if answer >= 0)
        best = [answer for answer, n in tally.items() if n == max(tally.values())]
        shares = [np.mean([right for answer, right in mine if answer == b]) for b in best]
        values.append(float(np.mean(shares)) if best else 0.0)
    return values


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2), st.integers(0, 1)), min_size=1, max_size=40),
    st.integers(1, 6),
)
def test_it_is_what_a_plain_count_says(rows: list[tuple[int, int, int]], votes: int) -> None:
    assert vote(rows, votes, 4) == pytest.approx(plain(rows, votes, 4), nan_ok=True)
