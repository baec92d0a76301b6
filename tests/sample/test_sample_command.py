"""`ratchet sample` on the command line."""

from pathlib import Path

import pytest

from ratchet.cli import invoke
from ratchet.records import Sample
from ratchet.sample import SAMPLES_FILE
from ratchet.storage import read_with_header


def test_the_command_draws_and_says_how_many_answers_were_cut_off(
    few: Path, untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["sample", "--problems", few, "--checkpoint", untrained, "--split", "eval", "--split", "train"]
    settings = ["--attempts", "2", "--max-new-tokens", "3", "--stop", "e", "--stop", "zz", "--shard", "0/2"]
    assert invoke([*map(str, given), *settings, "--out", str(tmp_path / "s")]) == 0
    samples, header = read_with_header(tmp_path / "s" / SAMPLES_FILE, Sample)
    assert [(s.problem_id, s.attempt) for s in samples] == [("p0", 0), ("p0", 1), ("p2", 0), ("p2", 1)]
    assert header["sampling"]["stop"] == ["e", "zz"]
    cut = sum(s.finish_reason == "length" for s in samples)
    assert capsys.readouterr().out.splitlines() == [
        f"eval: {cut} of 4 attempts ({cut / 4:.1%}) cut off at 3 tokens",
        str(tmp_path / "s"),
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--shard", "2/2"], "there is no shard '2/2'"),
        (["--backend", "openai"], "no address; expected the server's for the back end openai"),
        (["--base-url", "http://x/v1"], "an address, 'http://x/v1', with the back end transformers"),
        (["--backend", "openai", "--base-url", "x"], "the address 'x'; expected http(s)://host[:port]/v1"),
        (["--out", "s3://bucket"], "the address 's3://bucket'; expected s3://bucket/prefix"),
        (["--prompt", "chat"], "a tokenizer without a chat template"),
        (["--stop", ""], "an empty stop string"),
    ],
)
def test_what_does_not_fit_is_one_line(
    few: Path,
    untrained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    complaint: str,
) -> None:
    given = ["sample", "--problems", few, "--checkpoint", untrained, "--attempts", 2, "--out", tmp_path / "s"]
    assert invoke([*map(str, given), *options]) == 64
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) in ([], [tmp_path / ".s.lock"])
