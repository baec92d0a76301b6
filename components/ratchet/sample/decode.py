"""Batched decoding with a KV cache: each prompt is read once for all its attempts, each attempt has its own randomness.

`model.generate` draws from one global random stream, so an attempt would depend on what else is in its batch and a run
that was killed could not be completed with the same attempts. Here each attempt brings its own uniform numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ratchet.records import FinishReason

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Decoded:
    """The new tokens of one attempt, without the end token, and how they came."""

    token_ids: list[int]
    finish_reason: FinishReason
    tokens: int
    logprob: float


def uniforms(keys: Sequence[int], count: int) -> NDArray[np.float64]:
    """`count` uniform numbers for each key: row i depends on keys[i] alone."""
    return np.stack([np.random.Generator(np.random.Philox(key=key)).random(count) for key in keys])


def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    draws: NDArray[np.float64],
    *,
    temperature: float,
    top_p: float,
    end_token: int,
) -> list[Decoded]:
    """The continuations of the prompts, `len(draws) / len(prompts)` of each, prompt by prompt.

    `draws` holds one row of uniform numbers an attempt; its width is the largest number of new tokens. Rows that have
    ended leave the batch, so that a long answer does not make the others wait.
    """
    import torch

    with torch.inference_mode():
        state = _read_prompts(model, prompts, len(draws) // len(prompts))
        noise = torch.from_numpy(draws)
        token_ids = np.zeros(draws.shape, dtype=np.int64)
        lengths = np.zeros(len(draws), dtype=np.int64)
        logprobs = torch.zeros(len(draws), dtype=torch.float64)
        for step in range(draws.shape[1]):
            rows = state.rows
            chosen = _choose(state.logits, noise[rows, step], temperature, top_p)
            logprobs[rows] += torch.log_softmax(state.logits.double(), -1).gather(1, chosen[:, None])[:, 0]
            token_ids[rows.numpy(), step] = chosen.numpy()
            lengths[rows.numpy()] += 1
            going = (chosen != end_token).nonzero()[:, 0]
            if len(going) == 0 or step + 1 == draws.shape[1]:
                break
            state.advance(model, going, chosen)
    return [
        _finished(row[:length].tolist(), float(logprob), end_token)
        for row, length, logprob in zip(token_ids, lengths, logprobs, strict=True)
    ]


def _finished(token_ids: list[int], logprob: float, end_token: int) -> Decoded:
    stopped = token_ids[-1] == end_token
    kept = token_ids[:-1] if stopped else token_ids
    return Decoded(kept, "stop" if stopped else "length", len(token_ids), logprob)


@dataclass(slots=True)
class _Batch:
    """The attempts that are still going: which they are, what the cache holds of them, and their next logits."""

    rows: "torch.Tensor"
    mask: "torch.Tensor"
    positions: "torch.Tensor"
    cache: Any
    logits: "torch.Tensor"

    def advance(self, model: Any, going: "torch.Tensor", chosen: "torch.Tensor") -> None:
        """Keep the rows that go on and read the token that each of them chose."""
        import torch

        if len(going) < len(self.rows):
            self.cache.batch_select_indices(going)
            self.rows, self.mask, self.positions = self.rows[going], self.mask[going], self.positions[going]
            chosen = chosen[going]
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.positions = self.positions + 1
        output = model(
            input_ids=chosen[:, None],
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.logits = output.logits[:, -1]


def _read_prompts(model: Any, prompts: Sequence[Sequence[int]], attempts: int) -> _Batch:
    """Read each prompt once, left-padded, then repeat what the cache holds for its attempts."""
    import torch

    width = max(len(prompt) for prompt in prompts)
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    output = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1)
    cache = output.past_key_values
    cache.batch_repeat_interleave(attempts)
    return _Batch(
        rows=torch.arange(len(prompts) * attempts),
        mask=mask.repeat_interleave(attempts, 0),
        positions=positions[:, -1:].repeat_interleave(attempts, 0),
        cache=cache,
        logits=output.logits[:, -1].repeat_interleave(attempts, 0),
    )


def _choose(logits: "torch.Tensor", noise: "torch.Tensor", temperature: float, top_p: float) -> "torch.Tensor":
    """The token of each row: the likeliest at temperature 0, else the inverse distribution function at its noise."""
    import torch

    if temperature == 0:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits.double() / temperature, -1)
    if top_p < 1:
        probabilities = _nucleus(probabilities, top_p)
    cumulative = probabilities.cumsum(-1)
    target = noise[:, None] * cumulative[:, -1:]
    # The first token whose cumulative probability exceeds the target: never one of probability 0.
    return torch.searchsorted(cumulative, target, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


def _nucleus(probabilities: "torch.Tensor", top_p: float) -> "torch.Tensor":
    """The probabilities with all but the likeliest tokens set to 0: the fewest that together reach `top_p`."""
    ordered, order = probabilities.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    return probabilities.scatter(-1, order, ordered.masked_fill(before >= top_p, 0.0))
