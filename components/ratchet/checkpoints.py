"""Reading and writing checkpoints: safetensors only, no code from the checkpoint, nothing fetched."""

import os
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.identity import require_checkpoint
from ratchet.processors import processors
from ratchet.storage import read_json

CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")


def load_model(folder: Path) -> Any:
    """The causal language model in a checkpoint folder, in evaluation mode, on no more threads than are of use."""
    import torch
    from transformers import AutoModelForCausalLM

    require_checkpoint(folder)
    torch.set_num_threads(min(torch.get_num_threads(), processors()))  # by itself it takes those of the whole machine
    return _loaded(AutoModelForCausalLM, folder, use_safetensors=True).eval()


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint folder."""
    from transformers import AutoTokenizer

    return _loaded(AutoTokenizer, folder)


def context_length(folder: Path) -> int | None:
    """The most tokens, prompt and answer together, that the model's configuration allows; None where it states none."""
    config = _settings(folder, "config.json")
    places = (config, config.get("text_config") or {})
    return next((place[key] for place in places for key in CONTEXT_KEYS if isinstance(place.get(key), int)), None)


def end_tokens(folder: Path, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: the tokenizer's own and those of the generation configuration."""
    stated = _settings(folder, "generation_config.json").get("eos_token_id")
    listed = stated if isinstance(stated, list) else [stated]
    return frozenset(token for token in (*listed, tokenizer.eos_token_id) if token is not None)


def save_checkpoint(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write an ordinary Hugging Face folder: configuration, safetensors weights, tokenizer."""
    _without_bars()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _settings(folder: Path, name: str) -> dict[str, Any]:
    settings = read_json(folder / name) if (folder / name).is_file() else {}
    return settings if isinstance(settings, dict) else {}


def _without_bars() -> None:
    """Keep transformers from drawing a bar for every file that it reads or writes."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def _loaded(kind: Any, folder: Path, **options: Any) -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    _without_bars()
    try:
        return kind.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **options)
    except Exception as error:  # transformers and safetensors raise many kinds for a damaged folder
        message = " ".join(str(error).split())[:200]
        raise InputError(
            f"can't be loaded ({type(error).__name__}: {message})",
            where=folder,
            expected="a Hugging Face checkpoint that transformers reads without code of its own",
        ) from error
