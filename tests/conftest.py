"""Fixtures that several rooms share: a handful of real problems and a real, untrained model."""

from pathlib import Path

import pytest
from hypothesis import settings

from ratchet.quickstart.problems import generate
from ratchet.records import Problem
from ratchet.storage import write_records

settings.register_profile("ratchet", deadline=None)  # a busy host must not fail a test
settings.load_profile("ratchet")


@pytest.fixture(scope="session")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 training, 12 evaluation and 6 out-of-distribution problems."""
    path = tmp_path_factory.mktemp("data") / "problems.parquet"
    write_records(path, generate(seed=1, train=60, evaluate=12, ood=6), Problem)
    return path


@pytest.fixture(scope="session")
def untrained(problems: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart's model with random weights."""
    from ratchet.quickstart.model import make_model

    return make_model(problems, tmp_path_factory.mktemp("model") / "m0", seed=1)
