"""Distinct-n and the Vendi score: their tokens, their definitions and what they must not depend on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from ratchet.metrics.diversity import (
    distinct_1_to_n_by_problem,
    distinct_n,
    distinct_n_by_problem,
    scaled_vendi,
    scaled_vendi_by_problem,
    text_kernel,
    tokens,
    vendi,
    vendi_by_problem,
)

WORDS = ["1", "+", "2", "ann", "Finds", "3.5", "\n", "_"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), max_size=4)


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
    assert vendi_by_problem([texts])[0] == pytest.approx(vendi_by_problem([sorted(texts)])[0])


def test_problems_without_enough_tokens_are_undefined_and_not_zero() -> None:
    values = distinct_n_by_problem([["a b", "a c"], [], ["x", "y"]], 2)
    # bigrams of the first: ab, ac, both different; nothing at all for the second; one token a text for the third
    assert values[0] == 1.0
    assert np.isnan(values[1:]).all()


@given(st.lists(TEXTS, max_size=4), st.integers(1, 5))
def test_all_n_from_one_reading_are_the_same_as_each_by_itself(texts: list[list[str]], longest: int) -> None:
    together = distinct_1_to_n_by_problem(texts, longest)
    assert together.shape == (len(texts), longest)
    for n in range(1, longest + 1):
        np.testing.assert_array_equal(together[:, n - 1], distinct_n_by_problem(texts, n))


def test_an_n_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="n = 0"):
        distinct_n(["a"], 0)
    with pytest.raises(ValueError, match="longest = 0"):
        distinct_1_to_n_by_problem([["a"]], 0)


def test_vendi_counts_the_samples_that_have_nothing_in_common() -> None:
    assert vendi(np.ones((4, 4))) == pytest.approx(1.0)
    assert vendi(np.eye(4)) == pytest.approx(4.0)
    # two pairs of copies: K/4 has the eigenvalues 1/2, 1/2, 0, 0, and exp(2 * 1/2 * log 2) = 2
    assert vendi(np.kron(np.eye(2), np.ones((2, 2)))) == pytest.approx(2.0)


@given(st.floats(0.0, 1.0))
def test_vendi_of_two_samples_has_a_closed_form(similarity: float) -> None:
    kernel = np.array([[1.0, similarity], [similarity, 1.0]])
    # [[1, s], [s, 1]] / 2 has the eigenvalues (1 + s) / 2 and (1 - s) / 2
    expected = math.exp(entropy([(1 + similarity) / 2, (1 - similarity) / 2]))
    assert vendi(kernel) == pytest.approx(expected)
    assert scaled_vendi(kernel[None])[0] == pytest.approx(expected - 1.0, abs=1e-12)


def test_vendi_of_a_stack_is_the_vendi_of_each_scaled_to_0_and_1() -> None:
    rows = np.random.default_rng(1).normal(size=(20, 5, 3))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    kernels = rows @ rows.transpose(0, 2, 1)
    np.testing.assert_allclose(scaled_vendi(kernels), [(vendi(kernel) - 1) / 4 for kernel in kernels])


def test_texts_are_alike_by_the_words_and_the_pairs_of_words_they_share() -> None:
    # 1- and 2-grams of "a b a": a twice, b, ab, ba; of "a b": a, b, ab. Lengths sqrt(7) and sqrt(3), product 2+1+1
    np.testing.assert_allclose(text_kernel(["a b a", "A  b"]), [[1, 4 / 21**0.5], [4 / 21**0.5, 1]])
    # the same words in another order share a, b and c, but neither ab, bc nor ca, ba
    assert text_kernel(["a b c", "c b a"])[0, 1] == pytest.approx(3 / 5)


def test_the_vendi_score_of_texts_goes_from_0_for_copies_to_1_for_texts_without_a_common_word() -> None:
    values = vendi_by_problem([["a b"] * 4, ["a b", "c", "d e", "f"], ["a b", "a b", "c d", "c d"], []])
    # two pairs of copies: V = 2, and (2 - 1) / (4 - 1)
    np.testing.assert_allclose(values, [0, 1, 1 / 3, np.nan], atol=1e-12)


def test_a_text_without_words_is_like_another_such_and_unlike_all_else() -> None:
    np.testing.assert_array_equal(text_kernel(["", " \n", "a"]), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])


@given(st.lists(st.text(max_size=30), min_size=2, max_size=4))
def test_the_vendi_score_of_any_texts_lies_between_0_and_1(texts: list[str]) -> None:
    assert 0.0 <= vendi_by_problem([texts])[0] <= 1.0


def test_the_vendi_score_is_undefined_for_one_sample_and_refused_for_unequal_numbers() -> None:
    assert np.isnan(vendi_by_problem([["a"], [], ["b"]])).all()
    assert len(vendi_by_problem([])) == 0
    with pytest.raises(ValueError, match="problems of 1 and of 2 samples"):
        vendi_by_problem([["a"], ["a", "b"]])


def test_what_is_no_similarity_is_refused() -> None:
    with pytest.raises(ValueError, match="diagonal"):
        vendi(np.array([[2.0, 0.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="diagonal"):
        scaled_vendi_by_problem([np.zeros((2, 2))])
