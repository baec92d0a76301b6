"""What the tests of all formats share: the command run for real, and the profile of what it wrote."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.cli import invoke

Command = Callable[..., str]
Metrics = dict[str, float | None]


@pytest.fixture
def imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Path, str]]:
    """Runs `ratchet import ...`: the attempts file and what was printed."""

    def run(*arguments: object, suffix: str = ".jsonl") -> tuple[Path, str]:
        out = tmp_path / f"attempts{suffix}"
        code = invoke(["import", *map(str, arguments), "--out", str(out)])
        said = capsys.readouterr()
        assert code == 0, said.err
        return out, said.out

    return run


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `ratchet import ...`, which must refuse in one line and write nothing: the line."""

    def run(*arguments: object) -> str:
        out = tmp_path / "refused" / "attempts.jsonl"
        code = invoke(["import", *map(str, arguments), "--out", str(out)])
        said = capsys.readouterr()
        assert code == 64, said.out + said.err
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert not out.exists()
        return said.err

    return run


@pytest.fixture
def profiled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], Metrics]:
    """Runs `ratchet evaluate` on an attempts file: every metric's estimate by its name."""

    def run(attempts: Path) -> Metrics:
        code = invoke(["evaluate", "--attempts", str(attempts), "--out", str(tmp_path / "profile"), "--format", "json"])
        said = capsys.readouterr()
        assert code == 0, said.err
        return {metric["name"]: metric["estimate"] for metric in json.loads(said.out)["metrics"]}

    return run
