"""Logs that lm-evaluation-harness itself wrote (fixtures/README.md): the same numbers must come out of Ratchet."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratchet.evaluate.attempts import AttemptsHeader
from ratchet.imports import read_lm_eval
from ratchet.records import Attempt
from ratchet.storage import read_with_header

LOGS = Path(__file__).parent / "fixtures" / "lm_eval"
Imported = Callable[..., tuple[Path, str]]
Refused = Callable[..., str]
Profiled = Callable[[Path], dict[str, float | None]]


def samples(run: str) -> Path:
    (path,) = (LOGS / run).glob("samples_*.jsonl")
    return path


def own_aggregate(run: str, metric: str, filter: str) -> float:
    """What the harness itself reports."""
    (path,) = (LOGS / run).glob("results_*.json")
    ((_, results),) = json.loads(path.read_text())["results"].items()
    value = results[f"{metric},{filter}"]
    assert isinstance(value, float)
    return value


def changed(source: Path, out: Path, change: Callable[[dict[str, Any]], None], name: str = "samples_t.jsonl") -> Path:
    """The log with a change made to its records, without a results file beside it."""
    records = [json.loads(line) for line in source.read_text().splitlines()]
    for record in records:
        change(record)
    path = out / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize(
    ("run", "metric", "filter", "options"),
    [
        ("greedy", "exact_match", "none", ()),
        ("sampled-1", "exact_match", "none", ()),
        ("each", "each_correct", "digits", ()),
        ("repeats", "exact_match", "first", ("--filter", "first")),
        ("repeats", "exact_match", "maj@4", ("--filter", "maj@4")),
        ("metrics", "exact_match", "none", ("--metric", "exact_match")),
        ("metrics", "contains", "none", ("--metric", "contains")),
        ("choice", "acc", "none", ("--metric", "acc")),
        ("choice", "acc_norm", "none", ("--metric", "acc_norm")),
    ],
)
def test_pass_at_1_is_the_harness_own_mean(
    run: str, metric: str, filter: str, options: tuple[str, ...], imported: Imported, profiled: Profiled
) -> None:
    path, _ = imported("lm-eval", samples(run), *options)
    assert profiled(path)["pass@1"] == pytest.approx(own_aggregate(run, metric, filter), abs=1e-12)


def test_a_metric_that_scores_each_response_makes_each_an_attempt_with_its_own_text_and_answer(
    imported: Imported, profiled: Profiled
) -> None:
    path, said = imported("lm-eval", samples("each"), suffix=".parquet")
    attempts, header = read_with_header(path, Attempt)
    assert "sums_each: 8 problems, 32 attempts: 23 incorrect, 9 correct" in said
    first = [(a.attempt, a.outcome, a.text, a.answer) for a in attempts if a.problem_id == "0"]
    # the record of document 0, whose answer is 2, read by eye: its regex takes the first digit of each response
    assert first == [
        (0, "correct", "2", "2"),
        (1, "incorrect", "+ 4", "4"),
        (2, "correct", "Answer Answer 2", "2"),
        (3, "correct", "2 2 ", "2"),
    ]
    no_digit = [a.answer for a in attempts if a.text == ""]
    assert no_digit and set(no_digit) == {None}
    sampling = AttemptsHeader(**header).sampling or {}
    assert header["checkpoint"] is None
    assert (sampling["backend"], sampling["temperature"], sampling["do_sample"]) == ("hf", 0.8, True)


def test_one_score_for_several_responses_is_one_attempt_and_said(imported: Imported) -> None:
    path, said = imported("lm-eval", samples("repeats"), "--filter", "first")
    attempts, header = read_with_header(path, Attempt)
    assert len(attempts) == 8
    assert "filter 'first' scores the first response of each document: 24 responses are left out" in said
    assert "left out: filter 'maj@4', filter 'all@4'" in said
    firsts = [json.loads(line)["resps"][0][0] for line in samples("repeats").read_text().splitlines()[:8]]
    assert [a.text for a in attempts] == firsts
    assert "graded" not in header["sampling"]  # the first of four is drawn as one alone is

    path, said = imported("lm-eval", samples("repeats"), "--filter", "maj@4")
    voted, header = read_with_header(path, Attempt)
    assert {a.text for a in voted} == {None}  # which text holds the most frequent answer is not what was scored
    assert header["sampling"]["graded"] == "filter 'maj@4' of 4 responses"


def test_without_the_results_file_it_is_not_known_which_of_several_responses_was_scored(tmp_path: Path) -> None:
    alone = changed(samples("repeats"), tmp_path, lambda record: None, samples("repeats").name)
    attempts = read_lm_eval([alone], filter="first").attempts
    assert {a.text for a in attempts} == {None}
    assert attempts[0].suite == "sums_repeats"


def test_one_score_of_a_set_of_responses_is_refused(refused: Refused) -> None:
    # all@4 compares a list of four with the answer: 0.5 says that two are right, not which
    assert "doc_id 0: one exact_match for 4 responses" in refused("lm-eval", samples("repeats"), "--filter", "all@4")


def test_two_runs_of_a_task_are_further_attempts_at_its_problems(imported: Imported, profiled: Profiled) -> None:
    path, said = imported("lm-eval", samples("sampled-1"), samples("sampled-2"))
    assert "12 problems, 24 attempts" in said
    means = [own_aggregate(run, "exact_match", "none") for run in ("sampled-1", "sampled-2")]
    assert profiled(path)["pass@1"] == pytest.approx(sum(means) / 2)


def test_two_greedy_runs_are_one_and_the_same(refused: Refused, tmp_path: Path) -> None:
    again, once = (changed(samples("greedy"), tmp_path, lambda record: None, name) for name in ("b.jsonl", "a.jsonl"))
    assert "b.jsonl: another run of 's' that draws nothing at random" in refused("lm-eval", once, again, "--suite", "s")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "3 metrics; expected one metric; choose with --metric: 'exact_match', 'contains', 'closeness'"),
        (("--metric", "f1"), "no metric 'f1'; expected one of 'exact_match', 'contains', 'closeness'"),
        (("--metric", "closeness"), "closeness = 0.3333333333333333; expected 0 or 1; say with --threshold"),
        (("--metric", "contains", "--filter", "strict"), "no filter 'strict'; expected one of 'none'"),
        (("--metric", "closeness", "--threshold", "nan"), "threshold = nan; expected a finite number"),
    ],
)
def test_what_counts_is_the_users_choice_and_never_guessed(
    options: tuple[str, ...], expected: str, refused: Refused
) -> None:
    assert expected in refused("lm-eval", samples("metrics"), *options)


def test_several_filters_are_refused_with_their_names(refused: Refused) -> None:
    assert "choose with --filter: 'first', 'maj@4', 'all@4'" in refused("lm-eval", samples("repeats"))


def test_with_a_threshold_any_number_is_an_outcome(imported: Imported) -> None:
    path, _ = imported("lm-eval", samples("metrics"), "--metric", "closeness", "--threshold", 0.5)
    records = [json.loads(line) for line in samples("metrics").read_text().splitlines()]
    expected = ["correct" if record["closeness"] >= 0.5 else "incorrect" for record in records]
    assert [a.outcome for a in read_with_header(path, Attempt)[0]] == expected
    assert {"correct", "incorrect"} == set(expected)


def test_the_choice_of_highest_likelihood_is_the_answer_of_acc(imported: Imported) -> None:
    path, _ = imported("lm-eval", samples("choice"), "--metric", "acc", "--suite", "mine")
    attempts = read_with_header(path, Attempt)[0]
    records = [json.loads(line) for line in samples("choice").read_text().splitlines()]
    names = ["1", "2 2", "3", "4 4 4"]
    right = [names[int(record["target"])] == a.answer for record, a in zip(records, attempts, strict=True)]
    assert right == [a.outcome == "correct" for a in attempts]
    assert {a.suite for a in attempts} == {"mine"}
    assert {a.text for a in attempts} == {None}


def test_another_data_set_under_the_same_ids_is_noticed(refused: Refused, tmp_path: Path) -> None:
    def other(record: dict[str, Any]) -> None:
        record["doc_hash"] = "0" * 64

    path = changed(samples("sampled-2"), tmp_path, other)
    line = refused("lm-eval", changed(samples("sampled-1"), tmp_path, lambda r: None, "a.jsonl"), path, "--suite", "s")
    assert "samples_t.jsonl:1: doc_id 0: problem '0' with another problem behind it" in line
    # and where the two are imported apart, the header says so, which the gate compares
    first, second = (read_lm_eval([log], suite="s").header["sampling"] for log in (samples("sampled-1"), path))
    assert first["items"] != second["items"]
    assert first["items"] == read_lm_eval([samples("sampled-2")], suite="s").header["sampling"]["items"]


def test_several_tasks_keep_their_own_parameters_under_their_suites_names() -> None:
    header = read_lm_eval([samples("greedy"), samples("sampled-1")]).header["sampling"]
    assert header["backend"] == "hf"
    assert (header["do_sample[sums_greedy]"], header["do_sample[sums_sampled]"]) == (False, True)
    assert "do_sample" not in header
    assert header["items"].startswith("sha256:")  # both are about the same sums


def test_a_log_that_lacks_its_last_records_is_noticed_by_the_count_in_its_results(
    refused: Refused, tmp_path: Path
) -> None:
    for path in (LOGS / "greedy").iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    path = tmp_path / samples("greedy").name
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "11 documents; expected 12, as the results file beside it says" in refused("lm-eval", path)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("exact_match", float("nan"), "exact_match = nan; expected a number"),
        ("exact_match", "yes", "exact_match = 'yes'; expected a number"),
        ("exact_match", [1.0, 0.0], "exact_match = a list of 2 for 1 responses"),
        ("doc_id", None, "no document's number; expected doc_id"),
        ("resps", "text", "resps = 'text'; expected a list"),
        ("resps", [[]], "no response"),
        ("filtered_resps", None, "filtered_resps = None"),
        ("arguments", "x", "arguments = 'x'"),
        ("filter", 3, "filter = 3; expected text"),
        ("metrics", "exact_match", "metrics = 'exact_match'; expected a list of names"),
    ],
)
def test_a_record_that_cant_be_understood_is_refused_with_its_line(
    field: str, value: object, expected: str, refused: Refused, tmp_path: Path
) -> None:
    def spoil(record: dict[str, Any]) -> None:
        if record["doc_id"] == 3:
            record[field] = value

    path = changed(samples("greedy"), tmp_path, spoil)
    line = refused("lm-eval", path, "--suite", "s")
    assert expected in line
    assert "samples_t.jsonl:4: " in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "no records"),
        (b'{"doc_id": 0, "resps": [["', ":1: not JSON"),
        (b'{"doc_id": 0, "doc_id": 1}\n', "key 'doc_id' twice"),
        (b'{"doc": "\xff"}\n', ":1: not JSON ('utf-8' codec can't decode"),
        (b"[" * 100_000 + b"\n", ":1: not JSON"),
        (b'{"doc": ' + b"[" * 400 + b"]" * 400 + b"}\n", "nested over 300 deep"),
        (b"3\n", "a JSON int"),
        (b"\x00\n", ":1: not JSON"),
    ],
)
def test_hostile_files_are_refused(content: bytes, expected: str, refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "samples_t.jsonl"
    path.write_bytes(content)
    assert expected in refused("lm-eval", path, "--suite", "s")


def test_half_a_surrogate_pair_is_refused_and_a_record_twice_too(refused: Refused, tmp_path: Path) -> None:
    def half(record: dict[str, Any]) -> None:
        record["resps"] = [["\ud800"]]

    path = changed(samples("greedy"), tmp_path, half)
    assert "half a surrogate pair in the text" in refused("lm-eval", path, "--suite", "s")
    path.write_text(samples("greedy").read_text() * 2)
    assert ":13: doc_id 0: attempt 0 of problem '0' again" in refused("lm-eval", path, "--suite", "s")


def test_a_text_of_10_mb_is_kept_whole(imported: Imported, tmp_path: Path) -> None:
    def long(record: dict[str, Any]) -> None:
        record["resps"] = [["x" * 10_000_000 if record["doc_id"] == 0 else ""]]

    path, _ = imported("lm-eval", changed(samples("greedy"), tmp_path, long), "--suite", "s", suffix=".parquet")
    assert len(read_with_header(path, Attempt)[0][0].text or "") == 10_000_000


def test_a_file_name_without_a_task_needs_a_suite(refused: Refused, tmp_path: Path) -> None:
    path = changed(samples("greedy"), tmp_path, lambda record: None, "mine.jsonl")
    assert "name it with --suite" in refused("lm-eval", path)


def test_logs_of_two_models_are_not_one_checkpoints_attempts(refused: Refused, tmp_path: Path) -> None:
    for path in (LOGS / "sampled-2").iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace("/fixture/model", "/fixture/other"))
    (other,) = tmp_path.glob("samples_*")
    assert "a log of /fixture/other; expected one of /fixture/model" in refused("lm-eval", samples("sampled-1"), other)


def test_the_log_itself_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ratchet.cli import invoke

    path = changed(samples("greedy"), tmp_path, lambda record: None)
    before = path.read_bytes()
    assert invoke(["import", "lm-eval", str(path), "--suite", "s", "--out", str(path)]) == 64
    assert "the log itself" in capsys.readouterr().err
    assert path.read_bytes() == before
