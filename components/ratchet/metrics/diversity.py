"""Diversity of what a model writes: how many different word sequences a problem's samples are made of.

Every `*_by_problem` function takes one list of texts a problem and returns one number a problem, between 0 (one text
said over and over) and 1, NaN where it is undefined. All of them depend on the number of samples, so give every
problem the same number, and an empty list to a problem that has fewer.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WORDS = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s]|_")
_KERNEL_ERROR = 1e-5  # of a similarity: embeddings come in single precision


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


def distinct_n_by_problem(texts: Sequence[Sequence[str]], n: int) -> Floats:
    """distinct-n of each problem's texts, NaN where a problem has none that is long enough."""
    values = [distinct_n(of_problem, n) for of_problem in texts]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def distinct_1_to_n_by_problem(texts: Sequence[Sequence[str]], longest: int) -> Floats:
    """distinct-1 to distinct-`longest` of each problem's texts: a row a problem, column n - 1 for n.

    The same numbers as `distinct_n`, from one reading of each text.
    """
    if longest < 1:
        raise ValueError(f"longest = {longest}: an n-gram has at least one token")
    values = np.full((len(texts), longest), np.nan)
    for row, of_problem in zip(values, texts, strict=True):
        split = [tokens(text) for text in of_problem]
        for n in range(1, longest + 1):
            grams = {gram for words in split for gram in _n_grams(words, n)}
            if grams:
                row[n - 1] = len(grams) / sum(max(len(words) - n + 1, 0) for words in split)
    return values


def vendi(kernel: Floats) -> float:
    """The Vendi score of m samples: exp(-sum l log l) over the eigenvalues l of K/m, with K their similarities.

    K is symmetric with 1 on its diagonal and has no negative eigenvalue. The score is how many samples without any
    likeness would be as varied: 1 where all are the same, m where no two are alike (Friedman and Dieng 2023).
    """
    return float(_vendi_of_each(kernel[None])[0])


def scaled_vendi(kernels: Floats) -> Floats:
    """(V - 1) / (m - 1) of each kernel in a stack of shape (problems, m, m), so that 0 is sameness and 1 the most.

    NaN where m is 1: a sample alone has no diversity.
    """
    m = kernels.shape[-1]
    if m == 1:
        return np.full(len(kernels), np.nan)
    scaled: Floats = np.clip((_vendi_of_each(kernels) - 1.0) / (m - 1), 0.0, 1.0)
    return scaled


def vendi_by_problem(texts: Sequence[Sequence[str]]) -> Floats:
    """The scaled Vendi score of each problem's texts, with `text_kernel` as the similarity; NaN for an empty list."""
    return scaled_vendi_by_problem([text_kernel(of_problem) for of_problem in texts])


def scaled_vendi_by_problem(kernels: Sequence[Floats]) -> Floats:
    """`scaled_vendi` of each problem's own kernel; NaN for one of no samples, the others must be of one size."""
    values = np.full(len(kernels), np.nan)
    filled = [i for i, kernel in enumerate(kernels) if len(kernel)]
    sizes = {len(kernels[i]) for i in filled}
    if len(sizes) > 1:
        raise ValueError(f"problems of {min(sizes)} and of {max(sizes)} samples: the score depends on their number")
    if filled:
        values[filled] = scaled_vendi(np.stack([kernels[i] for i in filled]))
    return values


def text_kernel(texts: Sequence[str]) -> Floats:
    """The cosine of each two texts' counts of words and of word pairs.

    Words alone do not see order: a solution with its steps exchanged would be the same text. Longer n-grams hardly ever
    come twice: two wordings of one solution would have nothing in common. A text without words is like its own kind
    and unlike every other.
    """
    if not texts:
        return np.zeros((0, 0))
    known: dict[str, int] = {}
    split = [[known.setdefault(word, len(known)) for word in tokens(text)] for text in texts]
    words, size = [np.array(numbers, dtype=np.int64) for numbers in split], len(known)
    # A word is its number, a pair of words a number above all words.
    grams = [np.concatenate([of, size + of[:-1] * size + of[1:]]) if len(of) else np.array([-1]) for of in words]
    values, columns = np.unique(np.concatenate(grams), return_inverse=True)
    rows = np.repeat(np.arange(len(texts)), [len(of) for of in grams])
    counts = np.bincount(columns * len(texts) + rows, minlength=len(values) * len(texts)).astype(np.float64)
    counts = counts.reshape(len(values), len(texts))
    products = counts.T @ counts
    lengths = np.sqrt(np.diagonal(products))
    cosines: Floats = products / np.outer(lengths, lengths)
    return cosines


def _n_grams(words: Sequence[str], n: int) -> "zip[tuple[str, ...]]":
    return zip(*(words[i:] for i in range(n)), strict=False)  # the slices grow shorter: the last ends the zip


def _vendi_of_each(kernels: Floats) -> Floats:
    if not np.allclose(np.diagonal(kernels, axis1=-2, axis2=-1), 1.0, atol=_KERNEL_ERROR):
        raise ValueError("a sample is not wholly like itself: the diagonal of a similarity kernel is 1")
    eigenvalues = np.clip(np.linalg.eigvalsh(kernels / kernels.shape[-1]), 0.0, None)
    logs = np.log(eigenvalues, out=np.zeros_like(eigenvalues), where=eigenvalues > 0.0)
    scores: Floats = np.exp(-(eigenvalues * logs).sum(axis=-1))
    return scores
