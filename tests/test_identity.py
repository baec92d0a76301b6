"""The digest changes with what a model answers, and with nothing else."""

from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.identity import checkpoint_digest

FILES = {"model.safetensors": b"weights", "tokenizer.json": b"{}", "config.json": b"{}"}


def _checkpoint(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_the_digest_does_not_depend_on_the_order_or_the_place_of_files(tmp_path: Path) -> None:
    one = _checkpoint(tmp_path / "one", FILES)
    two = _checkpoint(tmp_path / "two", dict(reversed(FILES.items())) | {"README.md": b"other"})
    assert checkpoint_digest(one) == checkpoint_digest(two)


@pytest.mark.parametrize("name", FILES)
def test_the_digest_depends_on_each_byte_of_weights_tokenizer_and_configuration(tmp_path: Path, name: str) -> None:
    one = _checkpoint(tmp_path / "one", FILES)
    two = _checkpoint(tmp_path / "two", FILES | {name: FILES[name] + b" "})
    assert checkpoint_digest(one) != checkpoint_digest(two)


def test_the_digest_depends_on_which_file_holds_what(tmp_path: Path) -> None:
    parts = {"config.json": b"{}", "a.safetensors": b"1", "b.safetensors": b"2"}
    one = _checkpoint(tmp_path / "one", parts)
    two = _checkpoint(tmp_path / "two", parts | {"a.safetensors": b"2", "b.safetensors": b"1"})
    assert checkpoint_digest(one) != checkpoint_digest(two)


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"config.json": b"{}"}, "no weights"),
        ({"config.json": b"{}", "pytorch_model.bin": b"x"}, r"only pickled weights \(pytorch_model.bin\)"),
        ({"model.safetensors": b"x"}, "no config.json"),
    ],
)
def test_a_folder_that_is_no_safe_checkpoint_is_refused(
    tmp_path: Path, files: dict[str, bytes], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        checkpoint_digest(_checkpoint(tmp_path / "c", files))


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        checkpoint_digest(tmp_path / "none")
