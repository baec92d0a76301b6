"""Diversity of what a suite's attempts say: right and wrong answers apart, at a fixed number of them a problem."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ratchet.evaluate.texts import Texts
from ratchet.metrics.bounds import Floats
from ratchet.metrics.diversity import distinct_1_to_n_by_problem, vendi_by_problem
from ratchet.metrics.equations import distinct_equations_by_problem

SAMPLES_COMPARED = 4  # every measure of diversity moves with the number of texts: each problem gives this many
LONGEST_GRAM = 4
OUTCOMES = ("correct", "incorrect")
_OF_WORDS = (*(f"distinct_{n}" for n in range(1, LONGEST_GRAM + 1)), "equations", "vendi")
_OF_EMBEDDINGS = ("embedding", "embedding_vendi")


def _undefined(family: str, outcome: str) -> str:
    if family in _OF_EMBEDDINGS:
        return f"no embedding model was given, or no problem has {SAMPLES_COMPARED} {outcome} samples with a text"
    what = " that holds an equation" if family == "equations" else ""
    return f"no problem has {SAMPLES_COMPARED} {outcome} samples with a text{what}"


# measure -> why it is undefined for a suite, where it is
TEXT_MEASURES = {
    f"diversity.{family}.{outcome}": _undefined(family, outcome)
    for outcome in OUTCOMES
    for family in (*_OF_WORDS, *_OF_EMBEDDINGS)
}


def text_values(
    texts: Texts, suite: str, problem_ids: Sequence[str], embeddings: Path | None = None
) -> dict[str, Floats]:
    """Every measure of diversity of each problem, NaN where it has fewer than `SAMPLES_COMPARED` texts of an outcome.

    `embeddings` is a folder with a sentence-embedding model; without it what is computed from embeddings is left out.
    """
    values: dict[str, Floats] = {}
    for outcome in OUTCOMES:
        found = texts.get((suite, outcome), {})
        chosen = [found.get(problem_id, []) for problem_id in problem_ids]
        measured = dict(_of_words(chosen)) | dict(_of_embeddings(chosen, embeddings))
        values |= {f"diversity.{family}.{outcome}": column for family, column in measured.items()}
    return values


def _of_words(texts: Sequence[Sequence[str]]) -> Iterator[tuple[str, Floats]]:
    for n, column in enumerate(distinct_1_to_n_by_problem(texts, LONGEST_GRAM).T, start=1):
        yield f"distinct_{n}", column
    yield "equations", distinct_equations_by_problem(texts)
    yield "vendi", vendi_by_problem(texts)


def _of_embeddings(texts: Sequence[Sequence[str]], model: Path | None) -> Iterator[tuple[str, Floats]]:
    if model is None:
        return
    from ratchet.metrics.embeddings import embed_by_problem, embedding_spread_by_problem, embedding_vendi_by_problem

    vectors = embed_by_problem(texts, model)
    yield "embedding", embedding_spread_by_problem(vectors)
    yield "embedding_vendi", embedding_vendi_by_problem(vectors)
