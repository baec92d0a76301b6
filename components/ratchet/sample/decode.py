"""Batched decoding with a KV cache: each prompt is read once for all its attempts, each attempt has its own randomness.

`model.generate` draws from one global random stream, so an attempt would depend on what else is in its batch and a run
that was killed could not be completed with the same attempts. Here each attempt brings its own uniform numbers.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ratchet.records import FinishReason

if TYPE_CHECKING:
    import torch

Stops = Callable[[Sequence[int]], bool]


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


def decoding(
    model: Any,
    prompts: Sequence[Sequence[int]],
    counts: Sequence[int],
    draws: NDArray[np.float64],
    *,
    temperature: float,
    top_p: float,
    end_tokens: Collection[int],
    stops: Stops | None = None,
) -> Iterator[list[tuple[int, Decoded]]]:
    """Yields after each token the attempts that it ended, by row; `counts[i]` rows continue prompt i, in order.

    `draws` holds one row of uniform numbers an attempt; its width is the largest number of new tokens. An attempt ends
    with an end token, when `stops` says so of its tokens, or at that width. Rows that have ended leave the batch, so
    that a long answer does not make the others wait.
    """
    import torch

    written = _Written(np.zeros(draws.shape, dtype=np.int64), torch.zeros(len(draws), dtype=torch.float64))
    noise = torch.from_numpy(draws)
    ends = torch.tensor(sorted(end_tokens), dtype=torch.long)
    with torch.inference_mode():
        state = _read_prompts(model, prompts, counts)
    for step in range(draws.shape[1]):
        with torch.inference_mode():  # not around the yield: what the caller does meanwhile is its own
            chosen = _choose(state.logits, noise[state.rows, step], temperature, top_p)
            written.add(state, step, chosen)
            stopped = torch.isin(chosen, ends) | written.stopped(state.rows, step, stops)
        out = stopped | (step + 1 == draws.shape[1])
        yield [written.ended(row, step + 1, end_tokens, bool(by)) for row, by in _where(state.rows, stopped, out)]
        if bool(out.all()):
            return
        with torch.inference_mode():
            state.advance(model, (~out).nonzero()[:, 0], chosen)


@dataclass(slots=True)
class _Written:
    """What the attempts have written so far, a row each."""

    token_ids: NDArray[np.int64]
    logprobs: "torch.Tensor"

    def add(self, state: "_Batch", step: int, chosen: "torch.Tensor") -> None:
        import torch

        logprobs = torch.log_softmax(state.logits.double(), -1).gather(1, chosen[:, None])[:, 0]
        self.logprobs[state.rows] += logprobs
        self.token_ids[state.rows.numpy(), step] = chosen.numpy()

    def stopped(self, rows: "torch.Tensor", step: int, stops: Stops | None) -> "torch.Tensor":
        import torch

        if stops is None:
            return torch.zeros(len(rows), dtype=torch.bool)
        return torch.tensor([stops(self.token_ids[row, : step + 1].tolist()) for row in rows.tolist()])

    def ended(self, row: int, length: int, end_tokens: Collection[int], stopped: bool) -> tuple[int, Decoded]:
        token_ids = self.token_ids[row, :length].tolist()
        kept = token_ids[:-1] if token_ids[-1] in end_tokens else token_ids
        return row, Decoded(kept, "stop" if stopped else "length", length, float(self.logprobs[row]))


def _where(rows: "torch.Tensor", stopped: "torch.Tensor", out: "torch.Tensor") -> list[tuple[int, bool]]:
    """The rows that are out, and whether each stopped of itself."""
    return list(zip(rows[out].tolist(), stopped[out].tolist(), strict=True))


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


def _read_prompts(model: Any, prompts: Sequence[Sequence[int]], counts: Sequence[int]) -> _Batch:
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
    repeated = torch.arange(len(prompts)).repeat_interleave(torch.tensor(counts))
    cache.batch_select_indices(repeated)
    return _Batch(
        rows=torch.arange(len(repeated)),
        mask=mask[repeated],
        positions=positions[repeated, -1:],
        cache=cache,
        logits=output.logits[repeated, -1],
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
