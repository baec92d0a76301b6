"""Diversity of what a model writes: how many different word sequences its answers are made of."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

WORDS = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s]|_")


def tokens(text: str) -> list[str]:
    """The words, numbers and symbols of a text in order, letters in one case.

    A run of letters is one token, a number with its decimals is one, every other visible character is one.
    """
    return WORDS.findall(text.casefold())


def distinct_n(texts: Sequence[str], n: int) -> float | None:
    """The share of different n-grams among all n-grams of the texts; None where no text has n tokens.

    1 means that no n-gram comes twice, within a text or across texts; m copies of one text give at most 1/m. The share
    falls with the number of texts whatever they say, so compare it at one fixed number only (methods: Distinct-n).
    """
    if n < 1:
        raise ValueError(f"n = {n}: an n-gram has at least one token")
    grams = [tuple(words[i : i + n]) for words in map(tokens, texts) for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None


def first_correct_texts(attempts: "pa.Table", problem_ids: Sequence[str], count: int) -> list[list[str]]:
    """For each problem of one suite the texts of its first `count` correct attempts; empty where it has fewer.

    First by attempt number, so that the choice depends on nothing that the texts say. A correct attempt whose text was
    not kept is passed over.
    """
    import pyarrow.compute as pc

    usable = pc.and_(pc.equal(attempts["outcome"], "correct"), pc.is_valid(attempts["text"]))
    rows = attempts.select(["problem_id", "attempt", "text"]).filter(usable)
    rows = rows.sort_by([("problem_id", "ascending"), ("attempt", "ascending")])
    texts: dict[str, list[str]] = {}
    for problem_id, text in zip(rows["problem_id"].to_pylist(), rows["text"].to_pylist(), strict=True):
        kept = texts.setdefault(problem_id, [])
        if len(kept) < count:
            kept.append(text)
    return [found if len(found := texts.get(problem_id, [])) == count else [] for problem_id in problem_ids]


def distinct_n_by_problem(texts: Sequence[Sequence[str]], n: int) -> NDArray[np.float64]:
    """distinct-n of each problem's texts, NaN where a problem has none that is long enough."""
    values = [distinct_n(of_problem, n) for of_problem in texts]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
