"""Rows of keys and values: the same answers from few rows as from many, in room of a known size."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Lfm2Config,
    Lfm2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from ratchet.errors import InputError
from ratchet.sample import key_values
from ratchet.sample.decode import Decoded, decoding, uniforms
from ratchet.sample.key_values import Prefix, prefixes, require_keys_and_values, rows_for
from ratchet.sample.shared_prompts import share_prompts, shares_prompts

SHAPE = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}
PROMPTS = [[5, 6, 7], [8, 9], [11] * 9 + [12, 13], [14, 15, 16, 17]]
END = 3


def _llama() -> Any:
    return LlamaForCausalLM(LlamaConfig(**SHAPE, **HEADS))


def _sees_six_tokens() -> Any:
    return MistralForCausalLM(MistralConfig(**SHAPE, **HEADS, sliding_window=6))


def _learned_positions() -> Any:
    return GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=64))


def _made(make: Callable[[], Any], shared: bool = False) -> Any:
    torch.manual_seed(1)
    model = make().eval()
    if shared:
        share_prompts(model)
        assert shares_prompts(model)
    for parameter in model.parameters():
        parameter.data.mul_(4)  # far from uniform, so that what a token was conditioned on shows in the next one
    return model


def _noise(numbers: range) -> NDArray[np.float64]:
    return uniforms(list(numbers), 24)


def _drawn(model: Any, counts: list[int], **options: Any) -> dict[int, Decoded]:
    settings: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "end_tokens": {END}, "new_tokens": 24} | options
    steps = list(decoding(model, PROMPTS, counts, _noise, **settings))
    ended = [pair for step in steps for pair in step]
    assert len(dict(ended)) == len(ended)  # each attempt once
    return dict(ended)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("most", [1, 3, 7, 13])
def test_attempts_are_the_same_whether_they_wait_for_a_row_or_not(
    most: int, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [7, 0, 5, 8]
    together = _drawn(_made(_llama), counts)
    model = _made(_llama, shared)
    assert sorted(together) == list(range(20))
    assert len({len(drawn.token_ids) for drawn in together.values()}) > 3  # they end at different times
    monkeypatch.setattr(key_values, "MOST_ROWS", most)
    monkeypatch.setattr(key_values, "SPARE_COLUMNS", 1)  # so that the rows are moved to the front again and again
    waiting = _drawn(model, counts)
    assert {i: drawn.token_ids for i, drawn in waiting.items()} == {i: d.token_ids for i, d in together.items()}
    assert [waiting[i].logprob for i in range(20)] == pytest.approx([together[i].logprob for i in range(20)], abs=1e-3)
    assert [waiting[i].finish_reason for i in range(20)] == [together[i].finish_reason for i in range(20)]


def test_a_step_yields_what_ended_with_it_and_no_row_stays_empty_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _made(_llama)
    monkeypatch.setattr(key_values, "MOST_ROWS", 4)
    lengths = [drawn.tokens for _, drawn in sorted(_drawn(model, [5, 5, 5, 5]).items())]
    steps = list(decoding(model, PROMPTS, [5] * 4, _noise, new_tokens=24, temperature=1, top_p=1, end_tokens={END}))
    # By hand: four rows, each next attempt in the row that is free first.
    free, done = [0, 0, 0, 0], []
    for number, length in enumerate(lengths):
        row = free.index(min(free))
        free[row] += length
        done.append((free[row], number))
    assert [(at + 1, number) for at, step in enumerate(steps) for number in sorted(n for n, _ in step)] == sorted(done)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("make", [_llama, _sees_six_tokens, _learned_positions])
@pytest.mark.parametrize("most", [2, 4, 8])
def test_greedy_decoding_is_what_generate_does_for_other_models_too(
    make: Callable[[], Any], most: int, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _made(make, shared)
    monkeypatch.setattr(key_values, "MOST_ROWS", most)
    ours = _drawn(model, [4] * 4, temperature=0, end_tokens={-1})
    for number, prompt in enumerate(prompt for prompt in PROMPTS for _ in range(4)):
        ids = torch.tensor([prompt])
        options = {"do_sample": False, "max_new_tokens": 24, "eos_token_id": None, "pad_token_id": 0}
        theirs = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
        assert ours[number].token_ids == theirs[0, len(prompt) :].tolist()


def test_prompts_that_are_read_together_are_as_if_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _made(_llama)
    together = list(prefixes(model, PROMPTS))
    monkeypatch.setattr(key_values, "TOKENS_AT_ONCE", 1)
    for one, alone, prompt in zip(together, prefixes(model, PROMPTS), PROMPTS, strict=True):
        assert one.length == alone.length == len(prompt) == one.keys[0].shape[1]
        torch.testing.assert_close(one.keys + one.values, alone.keys + alone.values)
        torch.testing.assert_close(one.logits, alone.logits)


def test_rows_fit_into_the_memory_that_they_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    # 2 layers, keys and values, 1 head of 4 float32 numbers: 64 bytes a token. 10 + 22 + 32 columns: 4,096 bytes a row.
    kept = [torch.zeros(1, 10, 4), torch.zeros(1, 10, 4)]
    prefix = Prefix(0, kept, kept, torch.zeros(5), 10)
    for allowed, attempts, rows in [(4096 * 3 + 4095, 9, 3), (4096 * 3, 2, 2), (1, 9, 1), (2**30, 10**6, 256)]:
        monkeypatch.setattr(key_values, "CACHE_BYTES", allowed)
        made = rows_for(prefix, 10, 22, attempts)
        assert made.free() == rows
        taken = sum(t.numel() * t.element_size() for layer in made.cache.layers for t in (layer.keys, layer.values))
        assert taken == 4096 * rows


def test_a_model_that_keeps_more_than_keys_and_values_is_refused() -> None:
    shape = SHAPE | {"num_hidden_layers": 2, "layer_types": ["conv", "full_attention"]}
    with pytest.raises(InputError, match="LinearAttentionLayer.*use --backend vllm"):
        require_keys_and_values(Lfm2ForCausalLM(Lfm2Config(**shape, **HEADS)), "here")
    require_keys_and_values(_sees_six_tokens(), "here")
