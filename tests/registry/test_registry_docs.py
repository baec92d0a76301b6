"""The sequence in docs/registry.md is what the commands print."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHANGING = (
    (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
    (r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", "TIME"),
)


def plain(text: str) -> str:
    """The text without digests, times and spaces at line ends."""
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


@pytest.mark.slow
def test_promote_tamper_reconcile_and_rollback_print_what_the_page_shows(
    tmp_path: Path, empty_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("registry_sequence", ROOT / "benchmarks" / "registry_sequence.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.chdir(tmp_path)
    for name in ("RATCHET_SIGNING_KEY", "RATCHET_VERIFY_KEY"):  # the script sets them
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("RATCHET_SIGNING_KEY")
    monkeypatch.delenv("RATCHET_VERIFY_KEY")
    (tmp_path / "mlflow.db").write_bytes(empty_sqlite.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    try:
        script.prepare()
        shown = "\n".join(script.sequence("solver"))
    finally:
        for name in ("RATCHET_SIGNING_KEY", "RATCHET_VERIFY_KEY"):
            monkeypatch.delenv(name, raising=False)
    assert plain(shown) in plain((ROOT / "docs" / "registry.md").read_text())
