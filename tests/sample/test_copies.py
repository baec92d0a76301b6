"""When do attempts that are alike speak of a cache, and when of a model that is sure of itself?"""

import numpy as np
import pytest

from ratchet.errors import InputError
from ratchet.records import Sample
from ratchet.sample.copies import refuse_copies


def _attempts(texts: list[str], logprob: float, tokens: int = 10) -> list[Sample]:
    return [Sample("p", "s", number, text, "stop", tokens, logprob) for number, text in enumerate(texts)]


def test_eight_equal_answers_that_are_unlikely_are_refused() -> None:
    # C(8, 8) exp(-5 x 7) = 6e-16, below 1e-6 / (1 problem x 8)
    with pytest.raises(InputError, match="8 of 8 attempts at problem p are the same 10 tokens"):
        refuse_copies(_attempts(["a"] * 8, -5.0), 1.0, 1.0, "there")


def test_eight_equal_answers_of_a_sure_model_are_not_refused() -> None:
    # each is drawn with probability exp(-0.05) = .95: eight alike are what is expected
    refuse_copies(_attempts(["a"] * 8, -0.05), 1.0, 1.0, "there")


def test_two_equal_answers_are_refused_where_each_is_one_in_very_many() -> None:
    # C(8, 2) exp(-30) = 2.6e-12 < 1e-6 / 8; with a log-probability of -10 it is 1.3e-3
    texts = ["a", "a", *"bcdefg"]
    with pytest.raises(InputError, match="2 of 8 attempts"):
        refuse_copies(_attempts(texts, -30.0), 1.0, 1.0, "there")
    refuse_copies(_attempts(texts, -10.0), 1.0, 1.0, "there")


def test_temperature_and_nucleus_make_an_answer_likelier() -> None:
    # halved in the exponent at T = 2; at top_p = .5 each of the 10 tokens may be twice as likely
    rows = _attempts(["a", "a", *"bcdefg"], -25.0)
    with pytest.raises(InputError):
        refuse_copies(rows, 1.0, 1.0, "there")  # 28 exp(-25) = 3.9e-10 < 1.25e-7
    refuse_copies(rows, 2.0, 1.0, "there")  # 28 exp(-12.5) = 1.0e-4
    refuse_copies(rows, 1.0, 0.5, "there")  # 28 exp(-25) 2^10 = 4.0e-7


def test_below_temperature_one_nothing_is_concluded() -> None:
    refuse_copies(_attempts(["a"] * 8, -50.0), 0.5, 1.0, "there")


def test_answers_of_one_text_but_other_tokens_are_no_copies() -> None:
    rows = [Sample("p", "s", number, "a", "stop", 10, -30.0 - number) for number in range(8)]
    refuse_copies(rows, 1.0, 1.0, "there")


def test_independent_attempts_are_hardly_ever_refused() -> None:
    """Answers of 2 to 6 fair coins, where repeats are common: 2,000 runs without a refusal."""
    random = np.random.default_rng(0)
    for coins in (2, 4, 6):
        for _ in range(2000 // 3):
            texts = [f"{number:0{coins}b}" for number in random.integers(0, 2**coins, 16)]
            refuse_copies(_attempts(texts, coins * float(np.log(0.5)), coins), 1.0, 1.0, "there")
