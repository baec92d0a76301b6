"""Decoding against the model's own probabilities and against transformers' generate."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from ratchet.checkpoints import load_model, load_tokenizer
from ratchet.sample.decode import Decoded, decoding, uniforms

PROMPTS = ["Ann has 7 pens.", "Ben has 12 coins. Ben finds 3. How many now?\n", "Dan"]
NO_END = -1  # a token that is never drawn


@pytest.fixture(scope="module")
def loaded(untrained: Path) -> tuple[Any, list[list[int]]]:
    tokenizer = load_tokenizer(untrained)
    return load_model(untrained), [tokenizer(prompt)["input_ids"] for prompt in PROMPTS]


def _decode(model: Any, prompts: list[list[int]], keys: list[int], width: int = 12, **options: Any) -> list[Decoded]:
    settings = {"new_tokens": width, "temperature": 1.0, "top_p": 1.0, "end_tokens": {NO_END}} | options
    counts = [len(keys) // len(prompts)] * len(prompts)
    steps = decoding(model, prompts, counts, lambda numbers: uniforms([keys[i] for i in numbers], width), **settings)
    ended = dict(sum(steps, []))
    return [ended[row] for row in range(len(keys))]


def test_greedy_decoding_is_what_generate_does(loaded: tuple[Any, list[list[int]]]) -> None:
    model, prompts = loaded
    ours = _decode(model, prompts, [0, 1, 2], temperature=0)
    for prompt, got in zip(prompts, ours, strict=True):
        ids = torch.tensor([prompt])
        theirs = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, eos_token_id=None
        )
        assert got.token_ids == theirs[0, len(prompt) :].tolist()


def test_an_attempt_does_not_depend_on_what_else_is_in_its_batch(loaded: tuple[Any, list[list[int]]]) -> None:
    model, prompts = loaded
    together = _decode(model, prompts, [10, 11, 20, 21, 30, 31])
    alone = [_decode(model, [prompts[i // 2]], [key])[0] for i, key in enumerate([10, 11, 20, 21, 30, 31])]
    assert [a.token_ids for a in together] == [a.token_ids for a in alone]
    assert np.allclose([a.logprob for a in together], [a.logprob for a in alone], atol=1e-3)
    assert together[0].token_ids != together[1].token_ids  # two attempts at one problem are two draws


def test_an_attempt_that_ends_early_leaves_the_others_as_they_were(loaded: tuple[Any, list[list[int]]]) -> None:
    model, prompts = loaded
    keys = list(range(30))
    whole = _decode(model, prompts, keys)
    end = whole[0].token_ids[3]  # made the end token, it cuts attempt 0 (and any other that draws it)
    cut = _decode(model, prompts, keys, end_tokens={NO_END, end})
    assert 1 <= cut[0].tokens <= 4
    for long, short in zip(whole, cut, strict=True):
        at = long.token_ids.index(end) if end in long.token_ids else None
        assert short.token_ids == long.token_ids[:at]
        assert short.finish_reason == ("length" if at is None else "stop")
        assert short.tokens == (12 if at is None else at + 1)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.5, 0.6)])
def test_tokens_are_drawn_with_the_probabilities_of_the_model(
    loaded: tuple[Any, list[list[int]]], temperature: float, top_p: float
) -> None:
    model, prompts = loaded
    count = 8000
    drawn = _decode(model, prompts[:1], list(range(count)), width=1, temperature=temperature, top_p=top_p)
    with torch.inference_mode():
        logits = model(torch.tensor([prompts[0]])).logits[0, -1].double()
    expected = torch.softmax(logits / temperature, -1).numpy()
    # the nucleus by hand: walk down the sorted probabilities until they reach top_p
    order = np.argsort(-expected)
    kept = order[: np.searchsorted(np.cumsum(expected[order]), top_p) + 1]
    outside = np.setdiff1d(np.arange(len(expected)), kept)
    observed = np.bincount([a.token_ids[0] for a in drawn], minlength=len(expected))
    assert observed[outside].sum() == 0
    shares = expected[kept] / expected[kept].sum()
    assert chisquare(observed[kept], shares * count).pvalue > 1e-3


def test_the_log_probability_is_that_of_the_text_under_the_model(loaded: tuple[Any, list[list[int]]]) -> None:
    model, prompts = loaded
    drawn = _decode(model, prompts[:1], [5], temperature=1.7)[0]
    whole = torch.tensor([prompts[0] + drawn.token_ids])
    with torch.inference_mode():
        logprobs = torch.log_softmax(model(whole).logits[0].double(), -1)
    start = len(prompts[0]) - 1
    expected = sum(float(logprobs[start + i, token]) for i, token in enumerate(drawn.token_ids))
    assert drawn.logprob == pytest.approx(expected, abs=1e-3)
