"""Diversity of meaning: how far apart a problem's samples lie as sentence embeddings.

The embeddings come from a local folder in the layout of sentence-transformers (MiniLM and its kin: a BERT-like model,
mean pooling). Only what mean pooling needs is done here, with transformers alone. Embeddings of two models can't be
compared, nor can the diversities made from them.
"""

import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ratchet.checkpoints import load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import require_checkpoint
from ratchet.metrics.diversity import Floats, scaled_vendi_by_problem

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = 2048  # of one forward pass, padding included
EXPECTED = "a sentence-embedding model that transformers reads without code of its own"
UNDERSTOOD_MODULES = ("Transformer", "Pooling", "Normalize")


def embed(texts: Sequence[str], model: Path) -> Floats:
    """The embedding of each text, a row of length 1: the mean over its tokens of the model's last layer, normalised.

    The start and end marks count as tokens, padding does not. A text is cut at the `max_seq_length` of the folder's
    sentence_bert_config.json (256 for MiniLM), without that file at what the model can read. Each distinct text is
    embedded once, and in which batch changes an embedding by rounding alone.
    """
    import torch

    tokenizer, encoder = load_tokenizer(model), _load_encoder(model)
    distinct = list(dict.fromkeys(texts))
    rows = np.zeros((len(distinct), encoder.config.hidden_size))
    if distinct:
        limit = _longest_text(model, tokenizer, encoder)
        ids = tokenizer(distinct, truncation=True, max_length=limit, padding=False)["input_ids"]
        with torch.inference_mode():
            for batch in _batches([len(of_text) for of_text in ids]):
                rows[batch] = _mean_pooled(encoder, [ids[i] for i in batch]).numpy()
    places = {text: place for place, text in enumerate(distinct)}
    found: Floats = rows[[places[text] for text in texts]]
    return found


def embed_by_problem(texts: Sequence[Sequence[str]], model: Path) -> list[Floats]:
    """The embeddings of each problem's texts, a row a text; no rows for an empty list."""
    rows = embed([text for of_problem in texts for text in of_problem], model)
    ends = accumulate(len(of_problem) for of_problem in texts)
    return [rows[end - len(of_problem) : end] for end, of_problem in zip(ends, texts, strict=True)]


def embedding_spread_by_problem(vectors: Sequence[Floats]) -> Floats:
    """1 - the mean cosine of each two of a problem's unit vectors; NaN where it has fewer than two.

    0 where all are the same, 1 where no two have anything in common. A cosine can be negative and the spread of m
    vectors then as large as m / (m - 1); such samples count as wholly different, 1, so that every value has the bounds
    that its interval needs. Sentence embeddings come there by noise alone: that of different texts is about 0.
    """
    values = np.full(len(vectors), np.nan)
    for i, rows in enumerate(vectors):
        m = len(rows)
        if m > 1:  # |sum v|^2 is the sum over all pairs, each twice, and m times 1
            values[i] = 1.0 - (float((rows.sum(axis=0) ** 2).sum()) - m) / (m * (m - 1))
    return np.asarray(np.clip(values, 0.0, 1.0))


def embedding_vendi_by_problem(vectors: Sequence[Floats]) -> Floats:
    """The scaled Vendi score of each problem with the cosines of its unit vectors as similarities; NaN without any."""
    return scaled_vendi_by_problem([rows @ rows.T for rows in vectors])


def _load_encoder(folder: Path) -> Any:
    """The model of a sentence-embedding folder, in evaluation mode and single precision, on the CPU."""
    import torch
    from transformers import AutoModel

    require_checkpoint(folder)
    _require_mean_pooling(folder)
    safely: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False, "use_safetensors": True}
    try:
        model, report = AutoModel.from_pretrained(str(folder), dtype=torch.float32, output_loading_info=True, **safely)
    except Exception as error:  # transformers and safetensors raise many kinds for a damaged folder
        message = " ".join(str(error).split())[:200]
        raise InputError(
            f"can't be loaded ({type(error).__name__}: {message})", where=folder, expected=EXPECTED
        ) from error
    # What is missing gets random weights. The pooler's are never used: the mean over tokens takes its place.
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise InputError(f"has no weights for {missing[0]} ({len(missing)} missing)", where=folder, expected=EXPECTED)
    return model.eval()


def _require_mean_pooling(folder: Path) -> None:
    """Refuse a folder that asks for more than mean pooling; one that says nothing about pooling is taken as it is."""
    for module in _read_json(folder / "modules.json") or []:
        kind = str(module.get("type")).rsplit(".", 1)[-1]
        if kind not in UNDERSTOOD_MODULES:
            raise InputError(
                f"a module of type {kind}", where=folder / "modules.json", expected=", ".join(UNDERSTOOD_MODULES)
            )
    pooling = _read_json(folder / "1_Pooling" / "config.json") or {}
    chosen = {name.removeprefix("pooling_mode_") for name, on in pooling.items() if name[:13] == "pooling_mode_" and on}
    chosen |= {str(pooling["pooling_mode"])} if "pooling_mode" in pooling else set()
    if chosen - {"mean_tokens", "mean"}:
        raise InputError(
            f"pooling by {', '.join(sorted(chosen))}",
            where=folder / "1_Pooling" / "config.json",
            expected="mean_tokens",
        )


def _longest_text(folder: Path, tokenizer: Any, encoder: Any) -> int:
    settings = _read_json(folder / "sentence_bert_config.json") or {}
    said = settings.get("max_seq_length") or tokenizer.model_max_length
    return min(int(said), int(encoder.config.max_position_embeddings))


def _read_json(path: Path) -> Any:
    """What a JSON file holds; None where there is no such file."""
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"not JSON ({error})", where=path, expected="a sentence-embedding folder's file") from error


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """The texts by number, ordered by length, in runs of at most BATCH_TOKENS tokens: little of a batch is padding."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        widest = lengths[batches[-1][0]] if batches else 0
        if batches and widest * (len(batches[-1]) + 1) <= BATCH_TOKENS:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def _mean_pooled(encoder: Any, ids: Sequence[Sequence[int]]) -> "torch.Tensor":
    import torch

    width = max(map(len, ids))
    inputs = torch.full((len(ids), width), encoder.config.pad_token_id or 0)
    mask = torch.zeros(len(ids), width, dtype=torch.long)
    for row, of_text in enumerate(ids):
        inputs[row, : len(of_text)] = torch.tensor(of_text, dtype=torch.long)
        mask[row, : len(of_text)] = 1
    states = encoder(input_ids=inputs, attention_mask=mask).last_hidden_state.double()
    return torch.nn.functional.normalize((states * mask[:, :, None]).sum(1), dim=1)
