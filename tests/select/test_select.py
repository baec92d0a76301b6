"""What is learned from: reference solutions, then correct attempts, at training problems alone."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from ratchet.checkpoints import load_tokenizer
from ratchet.cli import invoke
from ratchet.errors import InputError
from ratchet.prompts import Prompt, stated_prompt
from ratchet.records import Attempt, Example, Problem, Sample
from ratchet.sample import SAMPLES_FILE, Sampling, sample
from ratchet.sample.asking import questions
from ratchet.select import EXAMPLES_FILE, select_correct, select_solutions
from ratchet.storage import read_records, read_with_header, write_records
from ratchet.train import SFT, train_sft
from ratchet.train.sft import tokenized


def _attempts(path: Path, problem_ids: list[str], right: int, wrong: int = 3) -> Path:
    outcomes = ["correct"] * right + ["incorrect"] * wrong + ["error", "ungradable"]
    rows = [
        Attempt(name, outcome, "arithmetic", number, text=f"{outcome} {number}")  # type: ignore[arg-type]
        for name in problem_ids
        for number, outcome in enumerate(outcomes)
    ]
    write_records(path, rows, Attempt)
    return path


def test_the_first_examples_are_the_solutions_of_the_training_problems(problems: Path, tmp_path: Path) -> None:
    examples = read_records(select_solutions(problems, tmp_path / "e") / EXAMPLES_FILE, Example)
    train = [p for p in read_records(problems, Problem) if p.split == "train"]
    assert [(e.prompt, e.completion) for e in examples] == [(p.prompt + "\n", p.solution) for p in train]


def test_only_correct_attempts_are_kept_and_at_most_so_many_a_problem(problems: Path, tmp_path: Path) -> None:
    attempts = _attempts(tmp_path / "a.parquet", ["train-00001", "train-00002"], right=6)
    examples = read_records(select_correct([attempts], problems, tmp_path / "e", 4, 0) / EXAMPLES_FILE, Example)
    assert Counter(e.problem_id for e in examples) == {"train-00001": 4, "train-00002": 4}
    assert all(e.completion.startswith("correct ") for e in examples)
    assert len({(e.problem_id, e.completion) for e in examples}) == 8  # drawn without replacement


def test_shards_give_the_same_examples_as_the_whole(problems: Path, tmp_path: Path) -> None:
    names = [f"train-{number:05d}" for number in range(1, 6)]
    whole = _attempts(tmp_path / "a.parquet", names, right=6)
    # Shards hold every second problem, and none of them all.
    shards = [_attempts(tmp_path / f"s{part}.parquet", names[part::2], right=6) for part in (0, 1)]
    found = select_correct(shards, problems, tmp_path / "of-shards", 2, 0) / EXAMPLES_FILE
    expected = select_correct([whole], problems, tmp_path / "of-the-whole", 2, 0) / EXAMPLES_FILE
    assert read_records(found, Example) == read_records(expected, Example)


def test_shards_that_were_asked_differently_are_refused(problems: Path, tmp_path: Path) -> None:
    shards = []
    for number, prompt in ((1, "plain"), (2, "chat")):
        attempts = read_records(_attempts(tmp_path / f"s{number}.parquet", [f"train-0000{number}"], right=1), Attempt)
        write_records(tmp_path / f"s{number}.parquet", attempts, Attempt, {"sampling": {"prompt": prompt}})
        shards.append(tmp_path / f"s{number}.parquet")
    with pytest.raises(InputError, match="s2.parquet: prompt = chat; expected plain as in .*s1.parquet"):
        select_correct(shards, problems, tmp_path / "e", 1, 0)


def test_an_attempt_at_an_evaluation_problem_is_refused(problems: Path, tmp_path: Path) -> None:
    attempts = _attempts(tmp_path / "a.parquet", ["train-00001", "eval-00003"], right=1)
    with pytest.raises(InputError, match=r"'eval-00003' .* a problem of split 'eval'"):
        select_correct([attempts], problems, tmp_path / "e", 4, 0)


def test_nothing_correct_is_nothing_to_learn_from(problems: Path, tmp_path: Path) -> None:
    attempts = _attempts(tmp_path / "a.parquet", ["train-00001"], right=0)
    with pytest.raises(InputError, match="nothing to learn from"):
        select_correct([attempts], problems, tmp_path / "e", 4, 0)
    assert not (tmp_path / "e").exists()


def _chat(checkpoint: Path, folder: Path) -> Path:
    shutil.copytree(checkpoint, folder)
    template = "{% for m in messages %}<start>[{{ m['role'] }}] {{ m['content'] }}{% endfor %} =>"
    (folder / "chat_template.jinja").write_text(template)
    return folder


@pytest.mark.parametrize("prompt", ["plain", "chat"])
def test_what_was_sampled_is_what_is_trained_on(
    prompt: Prompt, problems: Path, untrained: Path, tmp_path: Path
) -> None:
    """From samples through grades and examples to the trainer's rows: the masked tokens are those that were asked."""
    checkpoint = _chat(untrained, tmp_path / "chat")
    settings = Sampling(attempts=1, max_new_tokens=2, prompt=prompt)
    samples = sample(problems, checkpoint, tmp_path / "s", settings, ["train"], limit=3) / SAMPLES_FILE
    drawn, header = read_with_header(samples, Sample)
    attempts = tmp_path / "a.parquet"
    write_records(attempts, [Attempt(s.problem_id, "correct", s.suite, text=s.text) for s in drawn], Attempt, header)
    chosen = select_correct([attempts], problems, tmp_path / "e", 1, 0) / EXAMPLES_FILE
    examples, stated = read_with_header(chosen, Example)
    assert stated == {"prompt": prompt}
    rows = tokenized(examples, load_tokenizer(checkpoint), 256, chosen, stated_prompt(stated, chosen))
    asked = {q.problem_id: q.token_ids for q in questions(read_records(problems, Problem)[:3], checkpoint, settings)}
    for example, ids, labels in zip(examples, rows["input_ids"], rows["labels"], strict=True):
        count = labels.count(-100)
        assert tuple(ids[:count]) == asked[example.problem_id]
        assert labels[count:] == ids[count:]
    words = load_tokenizer(checkpoint).decode(rows["input_ids"][0])
    assert ("[user]" in words) == (prompt == "chat")


def test_reference_solutions_can_be_asked_as_a_chat(problems: Path, tmp_path: Path) -> None:
    examples, header = read_with_header(select_solutions(problems, tmp_path / "e", "chat") / EXAMPLES_FILE, Example)
    train = [p for p in read_records(problems, Problem) if p.split == "train"]
    assert header == {"prompt": "chat"}
    assert [e.prompt for e in examples] == [p.prompt for p in train]  # the template brings what stands around it


def test_examples_that_do_not_say_how_they_are_asked_are_plain(tmp_path: Path) -> None:
    assert stated_prompt({}, tmp_path) == stated_prompt(None, tmp_path) == "plain"
    with pytest.raises(InputError, match="prompt = 'chatty'; expected one of plain, chat"):
        stated_prompt({"prompt": "chatty"}, tmp_path)


def test_chat_examples_are_refused_for_a_tokenizer_without_a_template(
    problems: Path, untrained: Path, tmp_path: Path
) -> None:
    examples = select_solutions(problems, tmp_path / "e", "chat") / EXAMPLES_FILE
    with pytest.raises(InputError, match="a tokenizer without a chat template"):
        train_sft(untrained, examples, tmp_path / "m1", SFT(epochs=1, batch_size=8, learning_rate=1e-3))


def test_attempts_and_a_kind_of_prompt_together_are_refused(
    problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts = _attempts(tmp_path / "a.parquet", ["train-00001"], right=1)
    arguments = ["--problems", str(problems), "--attempts", str(attempts), "--prompt", "chat"]
    assert invoke(["select", *arguments, "--out", str(tmp_path / "e")]) == 64
    assert "--prompt chat together with --attempts" in capsys.readouterr().err
