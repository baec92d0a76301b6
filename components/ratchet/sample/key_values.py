"""The keys and values of the attempts under way, a row each: written in place, so that a token copies none but its own.

All rows write the same column next, and a row's prompt ends in the column before its first token, whenever the row
joins. The columns in front of a prompt are masked, so the model sees an ordinary batch with padding on the left.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ratchet.errors import InputError
from ratchet.sample.shared_prompts import shares_prompts, sharing

if TYPE_CHECKING:
    import torch

CACHE_BYTES = 2**30  # the most that the keys and values of all rows take
MOST_ROWS = 256  # fewer and more were slower on a CPU
SPARE_COLUMNS = 32  # steps, at the least, between two times that the rows are moved back to the first columns
TOKENS_AT_ONCE = 1024  # of prompts that are read together


@dataclass(frozen=True, slots=True)
class Prefix:
    """Prompt `number` that was read: each layer's keys and values of its tokens, the logits of the token after it."""

    number: int
    keys: "list[torch.Tensor]"
    values: "list[torch.Tensor]"
    logits: "torch.Tensor"
    length: int


def prefixes(model: Any, prompts: Sequence[Sequence[int]]) -> Iterator[Prefix]:
    """Each prompt in turn, read once, several at a time with padding on the left."""
    import torch

    start = 0
    while start < len(prompts):
        end = _together(prompts, start)
        with torch.inference_mode():
            read = _read(model, prompts, range(start, end))
        yield from read
        start = end


def _together(prompts: Sequence[Sequence[int]], start: int) -> int:
    """The end of the prompts from `start` that are read together: within the limit when padded, and at least one."""
    width, end = len(prompts[start]), start + 1
    while end < len(prompts):
        width = max(width, len(prompts[end]))
        if width * (end + 1 - start) > TOKENS_AT_ONCE:
            break
        end += 1
    return end


def _read(model: Any, all_prompts: Sequence[Sequence[int]], numbers: range) -> list[Prefix]:
    import torch
    from transformers import DynamicCache

    prompts = all_prompts[numbers.start : numbers.stop]
    width = max(len(prompt) for prompt in prompts)
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache()  # made without the configuration, it keeps all tokens even of a layer that sees the last few
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits[:, -1]
    return [
        Prefix(
            numbers[row],
            [layer.keys[row, :, width - len(prompt) :] for layer in cache.layers],
            [layer.values[row, :, width - len(prompt) :] for layer in cache.layers],
            logits[row],
            len(prompt),
        )
        for row, prompt in enumerate(prompts)
    ]


def require_keys_and_values(model: Any, where: str) -> None:
    """Refuse a model that keeps something else of its tokens, such as a state that padding would change."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    for layer in DynamicCache(config=model.config).layers:
        if type(layer) not in (DynamicLayer, DynamicSlidingWindowLayer):
            raise InputError(
                f"a model with a layer of {type(layer).__name__}",
                where=where,
                expected="layers of attention, each with its own keys and values",
                next="use --backend vllm",
            )


@dataclass(slots=True)
class Rows:
    """Rows of keys and values: in use are the first `count` of them, in the columns from `first` to before `end`.

    Attributes:
        starts: The first column of each row's own.
        lengths: The tokens of its prompt.
        prompts: A number for its prompt, in the order in which they were begun.
        longest: Tokens of the longest prompt, for which there is always room before `end`.
        columns: How many there are.
        cache: What the model reads and writes.
    """

    starts: "torch.Tensor"
    lengths: "torch.Tensor"
    prompts: "torch.Tensor"
    longest: int
    columns: int
    end: int
    first: int = 0
    count: int = 0
    cache: Any = None

    def free(self) -> int:
        """How many rows are not in use."""
        return len(self.starts) - self.count

    def join(self, prefix: Prefix, count: int) -> None:
        """Take `count` more rows into use, which continue the prefix."""
        rows, start = slice(self.count, self.count + count), self.end - prefix.length
        for layer, keys, values in zip(self.cache.layers, prefix.keys, prefix.values, strict=True):
            layer.keys[rows, :, start : self.end] = keys
            layer.values[rows, :, start : self.end] = values
        self.starts[rows], self.lengths[rows], self.prompts[rows] = start, prefix.length, prefix.number
        self._use(self.count + count)

    def keep(self, count: int, moved: "torch.Tensor", into: "torch.Tensor") -> None:
        """Keep the first `count` rows in use, after the rows `moved` have taken the places `into`."""
        if len(moved):
            used = slice(self.first, self.end)
            for layer in self.cache.layers:
                layer.keys[into, :, used] = layer.keys[moved, :, used]
                layer.values[into, :, used] = layer.values[moved, :, used]
            for told in (self.starts, self.lengths, self.prompts):
                told[into] = told[moved]
        self._use(count)

    def read(self, model: Any, token_ids: "torch.Tensor") -> "torch.Tensor":
        """The logits after one more token of each row."""
        import torch

        if self.end == self.columns:
            self._move_to_the_front()
        starts = self.starts[: self.count] - self.first
        columns = self.end + 1 - self.first
        visible = torch.arange(columns) >= starts[:, None]
        output = model(
            input_ids=token_ids[:, None],
            attention_mask=visible.long(),
            position_ids=columns - 1 - starts[:, None],
            past_key_values=self.cache,
            use_cache=True,
            **self._shared(model, starts, visible),
        )
        self.end += 1
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def _shared(self, model: Any, starts: "torch.Tensor", visible: "torch.Tensor") -> dict[str, Any]:
        if not shares_prompts(model):
            return {}
        return {"sharing": sharing(self.prompts[: self.count], starts, self.lengths[: self.count], visible)}

    def _use(self, count: int) -> None:
        self.count = count
        self.first = int(self.starts[:count].min()) if count else self.end

    def _move_to_the_front(self) -> None:
        """Move what is in use to the left, as far as the longest prompt leaves room for."""
        by = self.end - max(self.end - self.first, self.longest)
        old, new = slice(self.first, self.end), slice(self.first - by, self.end - by)
        for layer in self.cache.layers:
            for kept in (layer.keys[: self.count], layer.values[: self.count]):
                kept[:, :, new] = kept[:, :, old].clone()
        self.starts -= by
        self.first, self.end = self.first - by, self.end - by


def room(prefix: Prefix, longest: int, new_tokens: int) -> int:
    """How many rows fit into `CACHE_BYTES`, each with room for the longest prompt and its answer, and at least one.

    A prefix tells how much a token takes in each layer.
    """
    a_token = sum(kept[:, 0].numel() * kept.element_size() for kept in prefix.keys + prefix.values)
    return max(1, CACHE_BYTES // (a_token * _columns(longest, new_tokens)))


def rows_for(prefix: Prefix, longest: int, new_tokens: int, attempts: int, sharers: int = 1) -> Rows:
    """Rows for that many attempts, or as many as `MOST_ROWS` and the room, of which others have their shares, allow."""
    import torch
    from transformers.cache_utils import Cache

    count = max(1, min(attempts, MOST_ROWS, room(prefix, longest, new_tokens) // sharers))
    starts, lengths, prompts = torch.zeros(3, count, dtype=torch.long)
    rows = Rows(starts, lengths, prompts, longest, _columns(longest, new_tokens), end=longest)
    layer = _layer_kind(rows)
    rows.cache = Cache(layers=[layer(*kept) for kept in zip(prefix.keys, prefix.values, strict=True)])
    return rows


def _columns(longest: int, new_tokens: int) -> int:
    return longest + new_tokens + SPARE_COLUMNS


def _layer_kind(rows: Rows) -> Any:
    """The class of the rows' layers; made here because its base comes with torch."""
    import torch
    from transformers.cache_utils import DynamicLayer

    class Layer(DynamicLayer):  # type: ignore[misc]
        def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
            super().__init__()
            self.keys, self.values = (
                # Zeros, because a mask hides a number and not what else may be in fresh memory: 0 times NaN is NaN.
                kept.new_zeros(len(rows.starts), kept.shape[0], rows.columns, kept.shape[2])
                for kept in (keys, values)
            )
            self.is_initialized = True

        def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> Any:
            self.keys[: rows.count, :, rows.end] = key_states[:, :, 0]
            self.values[: rows.count, :, rows.end] = value_states[:, :, 0]
            used = slice(rows.first, rows.end + 1)
            return self.keys[: rows.count, :, used], self.values[: rows.count, :, used]

        def get_seq_length(self) -> int:
            return rows.end - rows.first

    return Layer
