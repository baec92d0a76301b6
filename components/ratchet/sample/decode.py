"""Batched decoding: each prompt is read once for all its attempts, and each attempt has its own randomness.

`model.generate` draws from one global random stream, so an attempt would depend on what else is in its batch and a run
that was killed could not be completed with the same attempts. Here each attempt brings its own uniform numbers. It also
waits for the longest attempt of a batch; here the next attempt takes the place of one that ended.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ratchet.records import FinishReason
from ratchet.sample.key_values import Prefix, Rows, prefixes, rows_for

if TYPE_CHECKING:
    import torch

Stops = Callable[[Sequence[int]], bool]
Noise = Callable[[range], NDArray[np.float64]]


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
    noise: Noise,
    *,
    new_tokens: int,
    temperature: float,
    top_p: float,
    end_tokens: Collection[int],
    stops: Stops | None = None,
    sharers: int = 1,
) -> Iterator[list[tuple[int, Decoded]]]:
    """Yields after each token the attempts that it ended, by number; `counts[i]` attempts continue prompt i, in order.

    `noise` gives attempts' uniform numbers, a row of `new_tokens` each. An attempt ends with an end token, when `stops`
    says so of its tokens, or after `new_tokens`. Those that wait join as soon as there is room, which is shared with
    as many others as do the same in processes of their own.
    """
    import torch

    choose = partial(_choose, temperature=temperature, top_p=top_p)
    waiting = _waiting(prefixes(model, prompts), counts)
    prefix, numbers = next(waiting, (None, range(0)))
    if prefix is None:
        return
    going = _going(rows_for(prefix, max(map(len, prompts)), new_tokens, sum(counts), sharers), new_tokens, end_tokens)
    while numbers or going.rows.count:
        with torch.inference_mode():  # not around the yield: what the caller does meanwhile is its own
            going.read(model, choose)
            while numbers and (free := going.rows.free()):
                going.join(prefix, numbers[:free], noise(numbers[:free]), choose)
                numbers = numbers[free:]
                if not numbers:
                    prefix, numbers = next(waiting, (prefix, range(0)))
            ended = going.end(stops)
        yield ended


def _waiting(read: Iterable[Prefix], counts: Sequence[int]) -> Iterator[tuple[Prefix, range]]:
    """Each prompt that was read, with the numbers of its attempts."""
    start = 0
    for prefix, count in zip(read, counts, strict=True):
        if count:
            yield prefix, range(start, start + count)
        start += count


Choose = Callable[["torch.Tensor", "torch.Tensor"], "tuple[torch.Tensor, torch.Tensor]"]


@dataclass(slots=True)
class _Going:
    """The attempts that are under way, a row each; what lies beyond the rows in use means nothing.

    Attributes:
        ends: The end tokens.
        numbers: Which attempt each row is.
        noise: Its uniform numbers.
        token_ids: What it has written, `lengths` tokens.
        logprobs: Their log-probability.
    """

    rows: Rows
    ends: "torch.Tensor"
    numbers: "torch.Tensor"
    noise: "torch.Tensor"
    token_ids: "torch.Tensor"
    lengths: "torch.Tensor"
    logprobs: "torch.Tensor"

    def read(self, model: Any, choose: Choose) -> None:
        """Let the model read each row's last token, and choose the next ones."""
        import torch

        if count := self.rows.count:
            last = self.token_ids[torch.arange(count), self.lengths[:count] - 1]
            self._write(slice(0, count), self.rows.read(model, last), choose)

    def join(self, prefix: Prefix, numbers: range, noise: NDArray[np.float64], choose: Choose) -> None:
        """Begin attempts at a prompt that was read, with the first token of each."""
        import torch

        rows = slice(self.rows.count, self.rows.count + len(numbers))
        self.rows.join(prefix, len(numbers))
        self.numbers[rows] = torch.tensor(numbers)
        self.noise[rows] = torch.from_numpy(noise)
        self.lengths[rows] = 0
        self.logprobs[rows] = 0
        self._write(rows, prefix.logits.expand(len(numbers), -1), choose)

    def end(self, stops: Stops | None) -> list[tuple[int, Decoded]]:
        """The attempts that their last token ended; their rows go to the last ones."""
        import torch

        count = self.rows.count
        lengths = self.lengths[:count]
        stopped = torch.isin(self.token_ids[torch.arange(count), lengths - 1], self.ends)
        if stops is not None:
            stopped |= torch.tensor([stops(self._written(row)) for row in range(count)])
        out = stopped | (lengths == self.token_ids.shape[1])
        places = out.nonzero()[:, 0].tolist()
        ended = [self._decoded(row, bool(stopped[row])) for row in places]
        if places:
            self._keep(~out)
        return ended

    def _write(self, rows: slice, logits: "torch.Tensor", choose: Choose) -> None:
        import torch

        places, lengths = torch.arange(rows.start, rows.stop), self.lengths[rows]
        chosen, logprobs = choose(logits, self.noise[places, lengths])
        self.token_ids[places, lengths] = chosen
        self.logprobs[rows] += logprobs
        self.lengths[rows] += 1

    def _written(self, row: int) -> list[int]:
        token_ids: list[int] = self.token_ids[row, : int(self.lengths[row])].tolist()
        return token_ids

    def _decoded(self, row: int, stopped: bool) -> tuple[int, Decoded]:
        written = self._written(row)
        kept = written[:-1] if written[-1] in self.ends else written
        how: FinishReason = "stop" if stopped else "length"
        return int(self.numbers[row]), Decoded(kept, how, len(written), float(self.logprobs[row]))

    def _keep(self, going: "torch.Tensor") -> None:
        """Close the gaps: the last rows that go on take the places of the first that don't."""
        count = int(going.sum())
        into, moved = (~going[:count]).nonzero()[:, 0], count + going[count:].nonzero()[:, 0]
        self.rows.keep(count, moved, into)
        for kept in (self.numbers, self.noise, self.token_ids, self.lengths, self.logprobs):
            kept[into] = kept[moved]


def _going(rows: Rows, new_tokens: int, end_tokens: Collection[int]) -> _Going:
    """None under way yet."""
    import torch

    count = len(rows.starts)
    return _Going(
        rows,
        ends=torch.tensor(sorted(end_tokens), dtype=torch.long),
        numbers=torch.zeros(count, dtype=torch.long),
        noise=torch.zeros(count, new_tokens, dtype=torch.float64),
        token_ids=torch.zeros(count, new_tokens, dtype=torch.long),
        lengths=torch.zeros(count, dtype=torch.long),
        logprobs=torch.zeros(count, dtype=torch.float64),
    )


def _choose(
    logits: "torch.Tensor", noise: "torch.Tensor", temperature: float, top_p: float
) -> "tuple[torch.Tensor, torch.Tensor]":
    """The token of each row, and its log-probability under the model itself.

    The token is the likeliest at temperature 0, else the inverse distribution function at the row's noise.
    """
    import torch

    logits = logits.float()
    logprobs = torch.log_softmax(logits, -1)
    if temperature == 0:
        chosen = logits.argmax(-1)
    else:
        probabilities = logprobs.exp() if temperature == 1 else torch.softmax(logits / temperature, -1)
        if top_p < 1:
            probabilities = _nucleus(probabilities, top_p)
        # Summed in double precision, so that the many small ones of a large vocabulary count.
        cumulative = probabilities.cumsum(-1, dtype=torch.float64)
        target = noise[:, None] * cumulative[:, -1:]
        # The first token whose cumulative probability exceeds the target: never one of probability 0.
        chosen = torch.searchsorted(cumulative, target, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)
    return chosen, logprobs.gather(1, chosen[:, None])[:, 0].double()


def _nucleus(probabilities: "torch.Tensor", top_p: float) -> "torch.Tensor":
    """The probabilities with all but the likeliest tokens set to 0: the fewest that together reach `top_p`."""
    import torch

    ordered, order = probabilities.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1, dtype=torch.float64) - ordered
    return probabilities.scatter(-1, order, ordered.masked_fill(before >= top_p, 0.0))
