"""The command: quick to answer, one line for what a user can mend, the same words as the docs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ratchet import cli
from ratchet.cli import VERBS
from ratchet.cli import invoke as ratchet
from ratchet.errors import InputError
from ratchet.records import Example
from ratchet.storage import write_records

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words lead to, and the words after it."""
    command: click.Command = cli.cli
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words
        command, words = found, words[1:]
    return command, words


def _leaves(command: click.Command, words: list[str]) -> list[list[str]]:
    if not isinstance(command, click.Group):
        return [words]
    context = click.Context(command)
    names = command.list_commands(context)
    return [leaf for n in names for leaf in _leaves(command.get_command(context, n), [*words, n])]  # type: ignore[arg-type]


LEAVES = [leaf for verb in VERBS for leaf in _leaves(_command([verb])[0], [verb])]


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_explains_itself_with_an_example_that_parses(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ratchet([*words, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    example = re.search(r"Example: ratchet (.+)$", shown)
    assert example, shown
    command, rest = _command(shlex.split(example[1]))
    assert command is _command(words)[0]
    command.make_parser(click.Context(command)).parse_args(rest)


def test_help_names_every_verb_and_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ratchet", "--help"], capture_output=True, text=True
    )
    assert all(re.search(rf"^  {verb} ", done.stdout, re.MULTILINE) for verb in VERBS)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & {"numpy", "pydantic", "pyarrow", "scipy", "torch", "kfp", "mlflow", "rich", "yaml", "jinja2"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["smaple"], "No such command 'smaple'"),
        (["sample"], "Missing option '--problems'"),
        (["sample", "--atempts", "3"], "No such option '--atempts'"),
        (["train", "--epochs", "0"], "Invalid value for '--epochs'"),
        (["grade", "--samples", "none.parquet", "--problems", "p.jsonl", "--out", "g"], "none.parquet: no such file"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_64(
    arguments: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ratchet(arguments) == 64
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("ratchet: ")
    assert complaint in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_defect_of_ours_is_exit_70(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.cli, "main", broken)
    assert ratchet(["sample"]) == 70
    assert "this is a defect of Ratchet" in capsys.readouterr().err


def test_a_missing_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, untrained: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)  # what a base install finds
    examples = tmp_path / "e.parquet"
    write_records(examples, [Example("1", "s", "p\n", "c")], Example)
    out = ["--out", str(tmp_path / "m")]
    assert ratchet(["train", "--checkpoint", str(untrained), "--examples", str(examples), *out]) == 64
    said = capsys.readouterr().err
    assert "expected the extra 'train'; install it with pip install 'ratchet-mlops[train]'" in said
    assert not (tmp_path / "m").exists()


def test_an_error_is_one_line_whatever_a_file_holds() -> None:
    error = InputError("a\nb\x1b[31m", where=Path("x\ny"), line=3, expected="c", next="d")
    assert str(error) == "x y:3: a b [31m; expected c; d"


def _commands(path: Path) -> list[str]:
    blocks = re.findall(r"```\w*\n(.*?)```", path.read_text(), re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("ratchet ")]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_command_in_the_docs_is_one_that_there_is(path: Path) -> None:
    for line in _commands(path):
        words = shlex.split(line.partition(" | ")[0].partition("  #")[0])[1:]
        if words[0].startswith("-"):
            continue
        command, rest = _command([word for word in words if word])
        command.make_parser(click.Context(command)).parse_args(rest)


def test_the_documented_make_targets_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for path in DOCS for name in re.findall(r"`make ([a-z-]+)", path.read_text())}
    named |= {name for path in DOCS for name in re.findall(r"^make ([a-z-]+)", path.read_text(), re.MULTILINE)}
    assert named <= targets
    assert {"setup", "quickstart", "test", "check", "clean"} <= targets
