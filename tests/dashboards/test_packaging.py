"""What the extra `dashboard` brings, and what it says of an MLflow that it can't read."""

import sys

import pytest

from ratchet.cli import invoke as ratchet


def test_a_database_without_the_extra_that_reads_it_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)  # what mlflow-skinny leaves out
    assert ratchet(["dashboard", "--port", "0", "--tracking-uri", "sqlite:///mlflow.db"]) == 64
    said = capsys.readouterr().err
    assert "expected the extra 'registry'; install it with pip install 'ratchet-mlops[registry]'" in said
