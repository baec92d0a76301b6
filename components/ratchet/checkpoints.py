"""Reading and writing checkpoints: safetensors only, no code from the checkpoint, nothing fetched."""

import os
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.identity import require_checkpoint


def load_model(folder: Path) -> Any:
    """The causal language model in a checkpoint folder, in evaluation mode."""
    from transformers import AutoModelForCausalLM

    require_checkpoint(folder)
    return _loaded(AutoModelForCausalLM, folder, use_safetensors=True).eval()


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint folder."""
    from transformers import AutoTokenizer

    return _loaded(AutoTokenizer, folder)


def save_checkpoint(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write an ordinary Hugging Face folder: configuration, safetensors weights, tokenizer."""
    _without_bars()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


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
