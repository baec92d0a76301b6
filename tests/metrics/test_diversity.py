"""Distinct-n: its tokens, its definition and what it must not depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.metrics.diversity import distinct_n, distinct_n_by_problem, first_correct_texts, tokens
from ratchet.records import Attempt
from ratchet.storage import table_of


def test_tokens_are_words_numbers_and_symbols_in_one_case() -> None:
    assert tokens("Ann's 3.5+2=5.5\n#### 12_a") == [
        "ann", "'", "s", "3.5", "+", "2", "=", "5.5", "#", "#", "#", "#", "12", "_", "a",
    ]  # fmt: skip


def test_distinct_n_is_the_share_of_different_n_grams() -> None:
    texts = ["a b a", "a b c"]
    # unigrams a b a a b c: 3 different of 6; bigrams ab ba | ab bc: 3 of 4 (no bigram across texts); trigrams aba abc
    assert distinct_n(texts, 1) == 3 / 6
    assert distinct_n(texts, 2) == 3 / 4
    assert distinct_n(texts, 3) == 1.0
    assert distinct_n(texts, 4) is None


@given(st.lists(st.sampled_from(["1", "+", "2", "ann", "finds"]), min_size=4, max_size=12), st.integers(1, 4))
def test_four_copies_of_a_text_have_a_quarter_of_its_distinct_n(words: list[str], n: int) -> None:
    text = " ".join(words)
    once = distinct_n([text], n)
    assert once is not None
    assert distinct_n([text] * 4, n) == pytest.approx(once / 4)


@given(st.permutations(["1+2=3", "2+1=3", "3 bags of 4", "Ann finds 3"]), st.integers(1, 4))
def test_the_order_of_texts_does_not_matter(texts: list[str], n: int) -> None:
    assert distinct_n(texts, n) == distinct_n(sorted(texts), n)


def test_the_first_correct_texts_count_and_a_problem_with_too_few_is_left_empty() -> None:
    rows = [
        Attempt("p", "correct", attempt=5, text="later"),
        Attempt("p", "correct", attempt=0, text="first"),
        Attempt("p", "incorrect", attempt=1, text="wrong"),
        Attempt("p", "correct", attempt=2, text=None),
        Attempt("p", "correct", attempt=3, text="second"),
        Attempt("q", "correct", attempt=0, text="alone"),
    ]
    assert first_correct_texts(table_of(rows, Attempt), ["p", "q"], 2) == [["first", "second"], []]


def test_problems_without_enough_tokens_are_undefined_and_not_zero() -> None:
    values = distinct_n_by_problem([["a b", "a c"], [], ["x", "y"]], 2)
    # bigrams of the first: ab, ac, both different; nothing at all for the second; one token a text for the third
    assert values[0] == 1.0
    assert np.isnan(values[1:]).all()
