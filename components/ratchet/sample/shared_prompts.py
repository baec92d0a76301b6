"""Attention of attempts that share a prompt: its keys and values are read once for all of them, not once for each.

Decoding on processors waits for memory: a token of an attempt reads the keys and values of all tokens before it. The
attempts at one prompt have most of those in common, and one product of matrices does for all of them what takes a
product with a vector for each. transformers asks a registered function for every layer's attention; this one is told
who shares what, and leaves to torch's own function whatever is not plain attention to all of a row's tokens.
"""

from dataclasses import dataclass
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NAME = "ratchet_shared_prompts"
FEWEST = 4  # rows a prompt on average, from which sharing is worth its bother
PADDING = 2  # how many times the rows may become when each prompt gets as many as the one with the most


@dataclass(frozen=True, slots=True)
class Sharing:
    """Who shares what in a batch of rows. Columns are counted from the first in use.

    Attributes:
        visible: Rows and columns: which a row sees, those of its prompt and of what it has written.
        own: The first column in which any row has written.
        hidden: Rows and columns from `own` on: which a row has not written.
        rows: Prompts and rows: those that continue each, filled up with its first.
        places: Where each row is in `rows`, counted through.
        columns: Prompts and tokens: where the tokens are in its first row, filled up with any.
        absent: Rows and tokens of their prompts: which were filled up.
    """

    visible: "torch.Tensor"
    own: int
    hidden: "torch.Tensor"
    rows: "torch.Tensor"
    places: "torch.Tensor"
    columns: "torch.Tensor"
    absent: "torch.Tensor"


def sharing(
    prompts: "torch.Tensor", starts: "torch.Tensor", lengths: "torch.Tensor", visible: "torch.Tensor"
) -> Sharing | None:
    """Who shares what; None where too few share.

    Row i continues the prompt of number prompts[i], whose lengths[i] tokens are in the columns from starts[i]; it sees
    the columns visible[i].
    """
    import torch

    order = prompts.argsort(stable=True)
    group, counts = torch.unique(prompts[order], return_inverse=True, return_counts=True)[1:]
    most = int(counts.max())
    if len(prompts) < FEWEST * len(counts) or most * len(counts) > PADDING * len(prompts):
        return None
    firsts = counts.cumsum(0) - counts
    within = torch.arange(len(prompts)) - firsts[group]
    rows = order[firsts][:, None].repeat(1, most)
    rows[group, within] = order
    places = torch.empty_like(order)
    places[order] = group * most + within
    length, start, token = lengths[rows[:, :1]], starts[rows[:, :1]], torch.arange(int(lengths.max()))
    begun = starts + lengths
    own = int(begun.min())
    return Sharing(
        visible=visible,
        own=own,
        hidden=torch.arange(own, visible.shape[1]) < begun[:, None],
        rows=rows,
        places=places,
        columns=start + token.minimum(length - 1),
        absent=token >= lengths[:, None],
    )


def share_prompts(model: Any) -> None:
    """Let a model read shared prompts once, if it computes attention by torch's own function and can take another."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    passes_on = any(one.kind is Parameter.VAR_KEYWORD for one in signature(model.forward).parameters.values())
    if model.config._attn_implementation == "sdpa" and passes_on and model._can_set_attn_implementation():
        AttentionInterface.register(NAME, attend)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)


def shares_prompts(model: Any) -> bool:
    """Whether the model takes the argument `sharing`."""
    return bool(model.config._attn_implementation == NAME)


def attend(
    module: Any,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    sharing: Sharing | None = None,
    scaling: float | None = None,
    **options: Any,
) -> "tuple[torch.Tensor, None]":
    """What transformers asks for: the attention of each row's last token to those before it and to itself."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if sharing is None or not _plain(attention_mask, sharing, options):
        usual: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return usual
    count, _, _, size = query.shape
    # As torch does it, in single precision at the least. The heads that share keys and values stand together: rows,
    # heads of keys, heads of queries each, numbers.
    queries = query.to(_exact(query)).view(count, key.shape[1], -1, size) * (size**-0.5 if scaling is None else scaling)
    attended = _attended(queries, key, value, sharing).to(query.dtype)
    return attended.reshape(count, 1, -1, value.shape[-1]), None


def _plain(mask: "torch.Tensor | None", sharing: Sharing, options: dict[str, Any]) -> bool:
    """Whether each row sees all its tokens alike: through no window, with no bias, with nothing added to the scores."""
    import torch

    if any(options.get(name) is not None for name in ("position_bias", "softcap", "s_aux")):
        return False
    return mask is None or (mask.shape[1] == 1 and torch.equal(mask[:, 0, 0], sharing.visible))


def _attended(queries: "torch.Tensor", key: "torch.Tensor", value: "torch.Tensor", shared: Sharing) -> "torch.Tensor":
    """One softmax over a row's scores of its prompt, computed for all rows of that prompt, and of its own tokens."""
    import torch

    longest = shared.columns.shape[1]
    prompt = _by_prompt(queries, _of_prompts(key, shared).transpose(-1, -2), shared)
    prompt.masked_fill_(shared.absent[:, None, None], -torch.inf)
    written = queries @ _written(key, shared).transpose(-1, -2)
    written.masked_fill_(shared.hidden[:, None, None], -torch.inf)
    weights = torch.softmax(torch.cat([prompt, written], -1), -1)
    of_prompt = _by_prompt(weights[..., :longest], _of_prompts(value, shared), shared)
    return of_prompt + weights[..., longest:] @ _written(value, shared)


def _exact(kept: "torch.Tensor") -> "torch.dtype":
    import torch

    return torch.promote_types(kept.dtype, torch.float32)


def _of_prompts(kept: "torch.Tensor", shared: Sharing) -> "torch.Tensor":
    """What is kept of each prompt: prompts, heads, tokens, numbers."""
    return kept[shared.rows[:, :1], :, shared.columns].transpose(1, 2).to(_exact(kept))


def _written(kept: "torch.Tensor", shared: Sharing) -> "torch.Tensor":
    """What is kept of what rows have written: rows, heads, tokens, numbers."""
    return kept[:, :, shared.own :].to(_exact(kept))


def _by_prompt(rows: "torch.Tensor", matrices: "torch.Tensor", shared: Sharing) -> "torch.Tensor":
    """Each row's product with the matrices of its prompt, one for each head: one product a head for all its rows."""
    prompts, each = shared.rows.shape
    _, heads, queries, _ = rows.shape
    product = rows[shared.rows].transpose(1, 2).flatten(2, 3) @ matrices
    return product.view(prompts, heads, each, queries, -1).transpose(1, 2).flatten(0, 1)[shared.places]
