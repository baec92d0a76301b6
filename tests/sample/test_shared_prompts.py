"""Prompts that are read once for all their attempts: the same numbers as torch's own attention gives, for less."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ratchet.sample import shared_prompts
from ratchet.sample.shared_prompts import Sharing, attend, sharing

# Nine rows of three prompts, in no order: their tokens end where a row's own begin, at different times.
PROMPTS = torch.tensor([7, 2, 7, 7, 2, 5, 5, 7, 2])
LENGTHS = torch.tensor([4, 2, 4, 4, 2, 6, 6, 4, 2])
STARTS = torch.tensor([0, 3, 2, 1, 6, 0, 3, 3, 5])
COLUMNS = 11


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_prompts, "FEWEST", 2)


def _shared(columns: int = COLUMNS) -> Sharing:
    found = sharing(PROMPTS, STARTS, LENGTHS, torch.arange(columns) >= STARTS[:, None])
    assert found is not None
    return found


def _batch(heads: int, kept_heads: int, values: int = 8) -> tuple[torch.Tensor, ...]:
    """Queries, keys, values; rows of one prompt have the same in its columns."""
    torch.manual_seed(3)
    query = torch.randn(9, heads, 1, 8, dtype=torch.float64)
    key, value = (torch.randn(9, kept_heads, COLUMNS, size, dtype=torch.float64) for size in (8, values))
    for row, prompt in enumerate(PROMPTS.tolist()):
        first, length = PROMPTS.tolist().index(prompt), int(LENGTHS[row])
        for kept in (key, value):
            begun, at = int(STARTS[first]), int(STARTS[row])
            kept[row, :, at : at + length] = kept[first, :, begun : begun + length]
    return query, key, value


def _module(heads: int, kept_heads: int) -> Any:
    return SimpleNamespace(num_key_value_groups=heads // kept_heads, is_causal=True)


@pytest.mark.parametrize(("heads", "kept_heads", "values"), [(4, 4, 8), (6, 2, 8), (4, 1, 5)])
@pytest.mark.parametrize("scaling", [None, 0.7])
def test_attention_is_what_torch_computes_row_by_row(
    heads: int, kept_heads: int, values: int, scaling: float | None
) -> None:
    query, key, value = _batch(heads, kept_heads, values)
    visible = (torch.arange(COLUMNS) >= STARTS[:, None])[:, None, None]
    module = _module(heads, kept_heads)
    expected, _ = sdpa_attention_forward(module, query, key, value, visible, scaling=scaling)
    key_at_prompts_but_one, value_at_prompts_but_one = key.clone(), value.clone()
    # What is not read can be anything: the prompts of all rows but the first of each.
    for row in (2, 3, 7, 4, 8, 6):
        own = int(STARTS[row] + LENGTHS[row])
        key_at_prompts_but_one[row, :, :own] = 1e3
        value_at_prompts_but_one[row, :, :own] = 1e3
    ours, _ = attend(
        module, query, key_at_prompts_but_one, value_at_prompts_but_one, visible, sharing=_shared(), scaling=scaling
    )
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)
    assert ours.shape == expected.shape


def test_half_precision_loses_no_more_than_with_torch() -> None:
    exact = _batch(6, 2)
    query, key, value = (kept.bfloat16() for kept in exact)
    visible = (torch.arange(COLUMNS) >= STARTS[:, None])[:, None, None]
    expected, _ = sdpa_attention_forward(_module(6, 2), *(kept.bfloat16().double() for kept in exact), visible)
    ours, _ = attend(_module(6, 2), query, key, value, visible, sharing=_shared())
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.double(), expected, rtol=2**-8, atol=0.0)  # the rounding of the result


@pytest.mark.parametrize("option", ["window", "position_bias"])
def test_what_is_not_plain_attention_is_left_to_torch(option: str) -> None:
    query, key, value = _batch(4, 4)
    visible = (torch.arange(COLUMNS) >= STARTS[:, None])[:, None, None]
    options: dict[str, Any] = {}
    if option == "window":
        visible = visible & (torch.arange(COLUMNS) >= COLUMNS - 3)
    else:
        options["position_bias"] = torch.randn(9, 4, 1, COLUMNS, dtype=torch.float64)
    expected, _ = sdpa_attention_forward(_module(4, 4), query, key, value, visible, **options)
    ours, _ = attend(_module(4, 4), query, key, value, visible, sharing=_shared(), **options)
    assert torch.equal(ours, expected)
    plain, _ = attend(_module(4, 4), query, key, value, None, sharing=_shared())
    assert not torch.allclose(plain, expected)


def test_who_shares_what_by_hand() -> None:
    shared = _shared()
    # Prompt 2 has the rows 1, 4, 8; prompt 5 the rows 5, 6; prompt 7 the rows 0, 2, 3, 7.
    assert shared.rows.tolist() == [[1, 4, 8, 1], [5, 6, 5, 5], [0, 2, 3, 7]]
    assert shared.places.tolist() == [8, 0, 9, 10, 1, 4, 5, 11, 2]
    # Their tokens in rows 1, 5 and 0: two from column 3, six from 0, four from 0; then the last again.
    assert shared.columns.tolist() == [[3, 4, 4, 4, 4, 4], [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 3, 3]]
    assert shared.absent.sum(1).tolist() == [2, 4, 2, 2, 4, 0, 0, 2, 4]
    # Row 0 wrote first, in column 4.
    assert shared.own == 4
    assert shared.hidden.sum(1).tolist() == [0, 1, 2, 1, 4, 2, 5, 3, 3]
    assert shared.visible.sum(1).tolist() == [11, 8, 9, 10, 5, 11, 8, 8, 6]


def test_few_rows_a_prompt_or_most_at_one_prompt_share_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(prompts: list[int]) -> Sharing | None:
        zeros = torch.zeros(len(prompts), dtype=torch.long)
        return sharing(torch.tensor(prompts), zeros, zeros + 3, torch.ones(len(prompts), 5, dtype=torch.bool))

    assert of([1, 1, 2, 3, 3]) is None  # 5 rows of 3 prompts: fewer than 2 each
    assert of([1, 1, 1, 1, 2, 2]) is not None
    assert of([1] * 20 + [2, 3, 4]) is None  # 80 rows for 23
    monkeypatch.setattr(shared_prompts, "FEWEST", 4)
    assert of([1, 1, 1, 1, 2, 2]) is None
