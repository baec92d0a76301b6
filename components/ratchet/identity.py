"""Which checkpoint is it? A digest of the files that decide what a model answers, and how far two fingerprints are."""

import hashlib
from pathlib import Path

from ratchet.errors import InputError
from ratchet.records import Served
from ratchet.storage import file_digest

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)
CONFIG_FILES = ("config.json", "generation_config.json")  # other settings over the same weights answer otherwise

# Mean difference of a token's log-probability that is still the same model (docs/sample.md has the measurements):
SAME_PRECISION = 0.002  # both in float32
OTHER_PRECISION = 0.06  # in bfloat16, or in a precision that a server does not say

FileState = tuple[tuple[str, int, int], ...]


def checkpoint_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of weight, tokenizer and configuration files, stable under file order."""
    weights = require_checkpoint(folder)
    named = (folder / name for name in (*TOKENIZER_FILES, *CONFIG_FILES))
    files = sorted({*weights, *(path for path in named if path.is_file())})
    whole = hashlib.sha256()
    for path in files:
        whole.update(f"{path.name}\0{file_digest(path)}\n".encode())
    return "sha256:" + whole.hexdigest()


def file_state(folder: Path) -> FileState:
    """Names, sizes and times of the files in a folder: two equal states, and nothing was written in between."""
    if not folder.is_dir():
        return ()
    found = ((path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file())
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)


def require_checkpoint(folder: Path) -> list[Path]:
    """The weight files of a checkpoint folder; refused where it has no configuration or no safetensors weights."""
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, expected="a Hugging Face checkpoint folder")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
        raise InputError(
            f"only pickled weights ({pickled[0]})" if pickled else "no weights",
            where=folder,
            expected="*.safetensors files (pickled weights can run code and are never loaded)",
            next="save the model with save_pretrained()",
        )
    if not (folder / "config.json").is_file():
        raise InputError("no config.json", where=folder, expected="a Hugging Face checkpoint folder")
    return weights


def tolerance(one: str | None, other: str | None) -> float:
    """By how much a token the fingerprints of one model may differ, given the precisions of the two arithmetics."""
    return SAME_PRECISION if one == other == "float32" else OTHER_PRECISION


def fingerprint_distance(one: Served, other: Served) -> float | None:
    """The mean absolute difference of the tokens' log-probabilities; None where they are not of the same tokens."""
    if one.tokens != other.tokens or len(one.logprobs) != len(other.logprobs) or not one.logprobs:
        return None
    return sum(abs(a - b) for a, b in zip(one.logprobs, other.logprobs, strict=True)) / len(one.logprobs)
