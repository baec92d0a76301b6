"""Loading checkpoints: safetensors only, no code from the checkpoint, nothing fetched."""

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


def _loaded(kind: Any, folder: Path, **options: Any) -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        return kind.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **options)
    except Exception as error:  # transformers and safetensors raise many kinds for a damaged folder
        message = " ".join(str(error).split())[:200]
        raise InputError(
            f"can't be loaded ({type(error).__name__}: {message})",
            where=folder,
            expected="a Hugging Face checkpoint that transformers reads without code of its own",
        ) from error
