"""Logs that inspect itself wrote (fixtures/README.md): the same numbers must come out of Ratchet."""

import json
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratchet.imports import archive, inspect_log, read_inspect
from ratchet.records import Attempt
from ratchet.storage import read_records, read_with_header

LOGS = Path(__file__).parent / "fixtures" / "inspect"
Imported = Callable[..., tuple[Path, str]]
Refused = Callable[..., str]
Profiled = Callable[[Path], dict[str, float | None]]


def own_metric(name: str, score: str, metric: str) -> float:
    """What inspect itself reports."""
    path = LOGS / name
    if path.suffix == ".json":
        results = json.loads(path.read_text())["results"]
    else:
        with archive.open_archive(path) as log:
            results = json.loads(log.read("header.json"))["results"]
    (value,) = (entry["metrics"][metric]["value"] for entry in results["scores"] if entry["name"] == score)
    assert isinstance(value, float)
    return value


def sample(id: object = "a", epoch: object = 1, **fields: Any) -> dict[str, Any]:
    """A sample as inspect writes it, scored C by `match` unless told otherwise."""
    base = {"id": id, "epoch": epoch, "input": "2 + 2?", "target": "4", "output": {"completion": "4"}}
    return base | {"scores": {"match": {"value": "C", "answer": "4"}}} | fields


def log(path: Path, *samples: dict[str, Any], **about: Any) -> Path:
    """A JSON log of these samples."""
    evaluation = {"task": "sums", "model": "mockllm/model", "model_generate_config": {"temperature": 0.5}}
    document = {"version": 2, "status": "success", "eval": evaluation, "samples": list(samples)} | about
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("name", "score", "metric", "at", "options"),
    [
        ("one.eval", "last_word", "accuracy", "pass@1", ()),
        ("two.eval", "last_word", "accuracy", "pass@1", ("--scorer", "last_word")),
        ("two.json", "last_word", "accuracy", "pass@1", ("--scorer", "last_word")),
        ("unsure.eval", "unsure", "accuracy", "pass@1", ()),
        ("both.json", "right", "mean", "pass@1", ("--value", "right")),
        ("both.json", "brief", "mean", "pass@1", ("--value", "brief")),
        ("failing.eval", "failing", "accuracy", "pass@1", ()),
        ("any.eval", "last_word", "accuracy", "pass@2", ()),  # its epochs are reduced by inspect's own pass_at_2
    ],
)
def test_pass_at_k_is_inspects_own_number(
    name: str, score: str, metric: str, at: str, options: tuple[str, ...], imported: Imported, profiled: Profiled
) -> None:
    path, _ = imported("inspect", LOGS / name, *options)
    assert profiled(path)[at] == pytest.approx(own_metric(name, score, metric), abs=1e-12)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_an_epoch_is_an_attempt_with_the_models_text_and_the_scorers_answer(imported: Imported, suffix: str) -> None:
    path, said = imported("inspect", LOGS / "one.eval", suffix=suffix)
    attempts, header = read_with_header(path, Attempt)
    assert [(a.problem_id, a.attempt) for a in attempts] == [(name, epoch) for epoch in range(4) for name in "abc"]
    # the mock model's five texts in turn: a C (4), b C (5), c C (4), then a N, b I, c C (4) and so on
    assert [(a.outcome, a.text, a.answer) for a in attempts[:4]] == [
        ("correct", "The answer is 4", "4"),
        ("correct", "The answer is 5", "5"),
        ("correct", "4", "4"),
        ("incorrect", "I won't say", None),
    ]
    assert "one: 3 problems, 12 attempts: 8 incorrect, 4 correct" in said
    sampling = header["sampling"]
    assert header["checkpoint"] is None
    assert (sampling["temperature"], sampling["max_tokens"], sampling["backend"]) == (0.7, 64, "mockllm")
    assert "max_connections" not in sampling  # how requests were sent is not how answers were drawn


def test_both_formats_of_a_log_hold_the_same(tmp_path: Path) -> None:
    with archive.open_archive(LOGS / "two.eval") as members:
        document = json.loads(members.read("header.json"))
        names = [name for name in members.names() if name.startswith("samples/")]
        document["samples"] = [json.loads(members.read(name)) for name in names]
    path = tmp_path / "two.json"
    path.write_text(json.dumps(document))
    from_zip, from_json = (read_inspect([log], scorer="last_word") for log in (LOGS / "two.eval", path))
    assert from_zip == from_json
    assert len(from_zip.attempts) == 12


def test_what_failed_is_an_error_and_what_has_no_value_is_ungradable(imported: Imported) -> None:
    failing = Counter(a.outcome for a in read_records(imported("inspect", LOGS / "failing.eval")[0], Attempt))
    assert failing["error"] == 4  # the sample `broken`, whose scorer raises in each of its four epochs
    unsure = read_records(imported("inspect", LOGS / "unsure.eval")[0], Attempt)
    assert {a.text for a in unsure if a.outcome == "ungradable"} == {"I won't say"}
    assert {a.outcome for a in unsure if a.text == "I won't say"} == {"ungradable"}


def test_partly_right_is_what_the_user_says(imported: Imported, refused: Refused, profiled: Profiled) -> None:
    asked = ("inspect", LOGS / "two.eval", "--scorer", "partly")
    assert "score 'partly' = 0.5; expected 0 or 1; say with --partial" in refused(*asked)
    counts = {
        choice: Counter(a.outcome for a in read_records(imported(*asked, "--partial", choice)[0], Attempt))["correct"]
        for choice in ("correct", "incorrect")
    }
    # inspect counts P as 1/2: its mean lies halfway between the two readings
    assert (counts["correct"] + counts["incorrect"]) / 24 == pytest.approx(own_metric("two.eval", "partly", "accuracy"))
    assert counts["correct"] > counts["incorrect"]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("two.eval", (), "2 scorers; expected one scorer; choose with --scorer: 'last_word', 'partly'"),
        ("two.eval", ("--scorer", "match"), "no scorer 'match'; expected one of 'last_word', 'partly'"),
        ("both.json", (), "scorer 'both': 2 values; expected one value; choose with --value: 'right', 'brief'"),
        ("both.json", ("--value", "wrong"), "no value 'wrong'; expected one of 'right', 'brief'"),
        ("one.eval", ("--value", "right"), "no value 'right'; expected no --value"),
        ("stopped.eval", (), "a run with status 'error'; expected status 'success'; finish the run"),
        ("unscored.json", (), "no sample has a score; expected a scored log; score it with `inspect score`"),
    ],
)
def test_what_the_log_leaves_open_is_refused_with_the_choices(
    name: str, options: tuple[str, ...], expected: str, refused: Refused
) -> None:
    assert expected in refused("inspect", LOGS / name, *options)


def test_an_unfinished_log_is_taken_when_asked_for_and_said(imported: Imported) -> None:
    path, said = imported("inspect", LOGS / "stopped.eval", "--incomplete")
    assert "the run's status is 'error', samples may be missing" in said
    assert 0 < len(read_records(path, Attempt)) < 12


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("C", "correct"),
        ("I", "incorrect"),
        ("N", "incorrect"),
        (True, "correct"),
        (False, "incorrect"),
        (1, "correct"),
        (0.0, "incorrect"),
        ("yes", "correct"),
        ("1", "correct"),
        ("0.0", "incorrect"),
        ("False", "incorrect"),
        (float("nan"), "ungradable"),
        (None, "ungradable"),
    ],
)
def test_every_way_to_write_a_score(value: object, outcome: str, tmp_path: Path) -> None:
    path = log(tmp_path / "l.json", sample(scores={"match": {"value": value}}))
    assert [a.outcome for a in read_inspect([path]).attempts] == [outcome]


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"error": {"message": "no sandbox"}}, "error"),  # scored all the same (score_on_error): the score isn't used
        ({"invalidation": {"author": "me"}}, "error"),
        ({"scores": {"match": {"value": float("nan"), "reason": "grader_failed"}}}, "error"),
        ({"scores": {"match": {"value": float("nan"), "metadata": {"unscored_reason": "grader_failed"}}}}, "error"),
        ({"scores": {"match": {"value": float("nan"), "reason": "refusal"}}}, "ungradable"),
        ({"scores": {}}, "ungradable"),
    ],
)
def test_who_is_to_blame_for_a_missing_score(fields: dict[str, Any], outcome: str, tmp_path: Path) -> None:
    path = log(tmp_path / "l.json", sample(), sample("b", **fields))
    read = read_inspect([path])
    assert [a.outcome for a in read.attempts] == ["correct", outcome]
    assert ("sums: 1 failed samples have a score, which is not used" in read.notes) == ("scores" not in fields)


def test_a_text_may_stand_in_parts_or_in_an_attachment(tmp_path: Path) -> None:
    parts = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "4"}, {"type": "text", "text": "!"}]
    in_parts = sample(output={"choices": [{"message": {"role": "assistant", "content": parts}}]})
    attached = sample("b", output={"completion": "attachment://abc"}, attachments={"abc": "a long text"})
    attempts = read_inspect([log(tmp_path / "l.json", in_parts, attached, sample("c", output={}))]).attempts
    assert [a.text for a in attempts] == ["4\n!", "a long text", None]


def test_a_limit_is_said_and_credentials_are_not_copied(tmp_path: Path) -> None:
    config = {"temperature": 0.5, "extra_headers": {"authorization": "secret"}}
    evaluation = {"task": "t", "model": "m/n", "model_generate_config": config}
    read = read_inspect([log(tmp_path / "l.json", sample(limit={"type": "time", "limit": 1}), eval=evaluation)])
    assert read.notes == ("t: 1 samples ended at a limit (time) and are graded as the log grades them",)
    assert "secret" not in json.dumps(read.header)


def test_a_log_that_states_no_parameters_leaves_sampling_unknown(tmp_path: Path) -> None:
    evaluation = {"task": "t", "model": "m/n"}
    assert read_inspect([log(tmp_path / "l.json", sample(), eval=evaluation)]).header["sampling"] is None


def test_runs_of_a_task_may_differ_in_their_seed_and_in_nothing_else(refused: Refused, tmp_path: Path) -> None:
    def run(name: str, **config: Any) -> Path:
        return log(tmp_path / name, sample(), eval={"task": "t", "model": "m/n", "model_generate_config": config})

    first, second = run("1.json", temperature=0.5, seed=1), run("2.json", temperature=0.5, seed=2)
    read = read_inspect([first, second])
    assert [a.attempt for a in read.attempts] == [0, 1]
    assert "seed" not in read.header["sampling"]
    assert read_inspect([first]).header["sampling"]["seed"] == 1
    for third in (run("3.json", temperature=0.7, seed=3), run("4.json", temperature=0.5, top_p=0.9), run("5.json")):
        assert f"{third}: sampling = " in refused("inspect", first, second, third)


def test_another_problem_under_the_same_id_is_refused_and_new_message_ids_are_not(
    refused: Refused, tmp_path: Path
) -> None:
    first = log(tmp_path / "1.json", sample())
    other = log(tmp_path / "2.json", sample(target="5"))
    assert "problem 'a' with another problem behind it" in refused("inspect", first, other)
    asked = [sample(input=[{"id": id, "role": "user", "content": "2 + 2?"}]) for id in ("x", "y")]
    logs = [log(tmp_path / f"{i}.json", one) for i, one in enumerate(asked)]
    assert [a.attempt for a in read_inspect(logs).attempts] == [0, 1]


@pytest.mark.parametrize(
    ("samples", "about", "expected"),
    [
        ([], {}, "no samples"),
        ([], {"samples": None}, "no samples"),
        ([], {"samples": {}}, "'samples' is no list"),
        ([3], {}, "sample 1: a JSON int; expected a sample"),
        ([sample(id=None)], {}, "id = None"),
        ([sample(id="")], {}, "an empty problem_id"),
        ([sample(epoch=0)], {}, "epoch = 0; expected a number from 1 on"),
        ([sample(epoch="1")], {}, "epoch = '1'"),
        ([sample(scores=[1])], {}, "scores = [1]"),
        ([sample(), sample()], {}, "sample 'a', epoch 1: attempt 0 of problem 'a' again"),
        ([sample(1), sample("1")], {}, "attempt 0 of problem '1' again"),
        ([sample(scores={"m": {"value": "A"}})], {}, "score 'm' = 'A'; expected C, I, N, P or a number"),
        ([sample(scores={"m": {"value": [1, 0]}})], {}, "score 'm' = [1, 0]"),
        ([sample(scores={"m": {"value": 0.7}})], {}, "score 'm' = 0.7; expected 0 or 1"),
        ([sample(scores={"m": {"value": float("inf")}})], {}, "score 'm' = inf; expected a number"),
        ([sample(output={"completion": "\udfff"})], {}, "half a surrogate pair in the text"),
        ([sample()], {"results": {"total_samples": 2}}, "1 samples; expected 2, as its header says"),
        ([sample()], {"eval": {}}, "no evaluation with a task"),
        ([sample()], {"status": "cancelled"}, "a run with status 'cancelled'"),
    ],
)
def test_a_log_that_cant_be_understood_is_refused(
    samples: list[Any], about: dict[str, Any], expected: str, refused: Refused, tmp_path: Path
) -> None:
    assert expected in refused("inspect", log(tmp_path / "l.json", *samples, **about))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not JSON"),
        (b'{"eval": {"task": "t"', "not JSON"),
        (b'{"eval": "\xff"}', "not JSON ('utf-8'"),
        (b'{"a":' * 50_000, "not JSON"),
        (b"[]", "a JSON list"),
        (b"PK\x03\x04 and nothing else", "not a ZIP file"),
    ],
)
def test_hostile_files_are_refused(content: bytes, expected: str, refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    path.write_bytes(content)
    assert expected in refused("inspect", path)


def test_a_truncated_archive_and_a_flipped_bit_are_noticed(refused: Refused, tmp_path: Path) -> None:
    whole = (LOGS / "one.eval").read_bytes()
    path = tmp_path / "log.eval"
    path.write_bytes(whole[:-30])
    assert "not a ZIP file" in refused("inspect", path)
    first = zipfile.ZipFile(LOGS / "one.eval").getinfo("samples/a_epoch_1.json")
    middle = first.header_offset + 60 + first.compress_size // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    assert "samples/a_epoch_1.json can't be unpacked" in refused("inspect", path)


def zipped(path: Path, *samples: dict[str, Any], header: str = "header.json") -> Path:
    """A deflated log, as old versions of inspect write it."""
    document = json.loads(log(path.with_suffix(".json"), *samples).read_text())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(header, json.dumps({key: value for key, value in document.items() if key != "samples"}))
        for value in samples:
            file.writestr(f"samples/{value['id']}_epoch_{value['epoch']}.json", json.dumps(value))
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_old_archives_are_deflated_and_the_last_of_two_members_counts(tmp_path: Path) -> None:
    again = sample(scores={"match": {"value": "I"}})
    (attempt,) = read_inspect([zipped(tmp_path / "l.eval", sample(), again)]).attempts
    assert attempt.outcome == "incorrect"  # a sample that was run again is appended under the same name


def test_a_log_of_a_run_that_was_killed_has_only_its_start(refused: Refused, tmp_path: Path) -> None:
    path = zipped(tmp_path / "l.eval", sample(), header="_journal/other.json")
    assert "neither header.json nor _journal/start.json" in refused("inspect", path)


@pytest.mark.parametrize("name", ["one.eval", "deflated.eval"])
def test_a_member_that_unpacks_to_more_than_the_limit_is_refused(
    name: str, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = LOGS / name if name == "one.eval" else zipped(tmp_path / name, sample(output={"completion": "x" * 9999}))
    monkeypatch.setattr(archive, "LARGEST_MEMBER", 4000)
    assert "unpacks to over 4000 bytes" in refused("inspect", path)


def test_a_size_that_lies_is_not_believed(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bytearray((LOGS / "one.eval").read_bytes())
    entry = whole.rindex(b"samples/a_epoch_1.json") - 46  # its entry in the directory: the size is at byte 24
    whole[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path = tmp_path / "log.eval"
    path.write_bytes(whole)
    assert "its length or CRC isn't what the directory says" in refused("inspect", path)
    monkeypatch.setattr(archive, "LARGEST_MEMBER", 4000)
    assert "unpacks to over 4000 bytes" in refused("inspect", path)


def test_a_zip_bomb_is_refused_unread(refused: Refused, tmp_path: Path) -> None:
    # 30 MB of one letter deflate to about 1/1000 of that: more than 500 times the file's size
    path = zipped(tmp_path / "bomb.eval", sample(output={"completion": "x" * 30_000_000}))
    assert path.stat().st_size < 60_000
    assert "2 members that unpack to 30000" in refused("inspect", path)


def test_a_json_log_that_is_too_large_to_read_whole_is_refused(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspect_log, "LARGEST_DOCUMENT", 100)
    assert "write it as .eval with `inspect log convert`" in refused("inspect", log(tmp_path / "l.json", sample()))
