"""A real model that the sampling tests change a little, and a few short problems."""

from pathlib import Path

import pytest

from ratchet.records import Problem
from ratchet.storage import write_records


@pytest.fixture(scope="session")
def other(problems: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart's model with other random weights, and so the same tokenizer."""
    from ratchet.quickstart.model import make_model

    return make_model(problems, tmp_path_factory.mktemp("other") / "m0", seed=2)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three evaluation problems and one for training."""
    path = tmp_path_factory.mktemp("few") / "problems.jsonl"
    asked = {
        "Ann has 7 pens.": "eval",
        "Ben has 12 coins. Ben finds 3. How many now?": "eval",
        "Dan has 2 cats.": "eval",
        "Eve has 5.": "train",
    }
    rows = [Problem(f"p{i}", text, "1", split=split) for i, (text, split) in enumerate(asked.items())]  # type: ignore[arg-type]
    write_records(path, rows, Problem)
    return path
