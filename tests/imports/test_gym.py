"""Problems drawn from reasoning-gym are the same everywhere, different from each other, and graded."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from ratchet.cli import invoke
from ratchet.errors import InputError
from ratchet.grade import GRADES_FILE, Grading, grade
from ratchet.grade.gym import marked, read_entry
from ratchet.imports.gym import Draw, draw_problems
from ratchet.imports.gym_draw import Fault, drawn
from ratchet.records import Grade, Problem, Sample
from ratchet.storage import read_records, write_records

needs_reasoning_gym = pytest.mark.skipif(find_spec("reasoning_gym") is None, reason="needs the extra reasoning-gym")


@needs_reasoning_gym
def test_a_draw_does_not_depend_on_the_order_of_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = []
    for order in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", order)  # ransom_note draws from a set of letters
        draws.append(draw_problems(Draw("ransom_note", 5)))
    assert draws[0] == draws[1]


@needs_reasoning_gym
def test_drawn_problems_are_different_and_their_gold_answers_pass_the_grader(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    arguments = ["import", "reasoning-gym", "--family", "gcd", "--count", "40", "--level", "1", "--seed", "3"]
    assert invoke([*arguments, "--split", "ood", "--suite", "divisors", "--out", str(out)]) == 0
    problems = read_records(out, Problem)
    assert len({problem.prompt for problem in problems}) == len({problem.id for problem in problems}) == 40
    assert {(p.suite, p.kind, p.split, p.group) for p in problems} == {("divisors", "gym", "ood", "1")}
    assert problems[0].id == "ood-3-level-1-00000"
    answers = [marked(read_entry(problem.answer)) for problem in problems]
    samples = [Sample(p.id, p.suite, 0, text, "stop", 1, -1.0) for p, text in zip(problems, answers, strict=True)]
    write_records(tmp_path / "s.parquet", samples, Sample)
    grades = read_records(grade(tmp_path / "s.parquet", out, tmp_path / "g", Grading(workers=1)) / GRADES_FILE, Grade)
    assert {one.outcome for one in grades} == {"correct"}


@needs_reasoning_gym
def test_the_same_prompt_is_drawn_once_and_a_family_that_has_no_more_says_so() -> None:
    # 3 to 7 disks on 3 or 4 pegs, from one peg to another: 5 * (3 * 2 + 4 * 3) = 90; 20 * 91 + 1,000 draws
    assert len(dict(drawn("tower_of_hanoi", 90, 1, None))) == 90
    with pytest.raises(Fault, match="90 different problems after 2,820 draws of family 'tower_of_hanoi'"):
        list(drawn("tower_of_hanoi", 91, 1, None))


@needs_reasoning_gym
@pytest.mark.parametrize(
    ("family", "level", "found"),
    [
        ("acre", 1, "a level for family 'acre'"),
        ("gcd", 4, "level 4 for family 'gcd'"),
        ("survo", 3, "level 3 of family 'survo' .max_empty must be"),
    ],
)
def test_a_level_that_a_family_does_not_have_is_a_fault(family: str, level: int, found: str) -> None:
    with pytest.raises(Fault, match=found):
        list(drawn(family, 1, 1, level))


@needs_reasoning_gym
def test_a_level_is_drawn_with_what_the_curriculum_says_and_carries_it() -> None:
    # the family's own attribute num_terms has the levels 2, 3, 4, 5: level 1 draws two or three numbers
    entries = [read_entry(answer) for _, answer in drawn("gcd", 30, 1, 1)]
    assert {len(entry.metadata["numbers"]) for entry in entries} == {2, 3}
    assert entries[0].config["max_numbers"] == 3


def test_another_split_or_seed_draws_with_another_seed_of_the_family() -> None:
    draws = [Draw("gcd", 9), Draw("gcd", 9, seed=1), Draw("gcd", 9, split="train"), Draw("lcm", 9)]
    seeds = [draw.dataset_seed for draw in draws]
    # problem number i has the seed plus i: 1,000 problems of each draw must not meet
    assert min(abs(a - b) for i, a in enumerate(seeds) for b in seeds[:i]) > 1000
    assert Draw("gcd", 500).dataset_seed == Draw("gcd", 9).dataset_seed  # more problems are the same ones and more
    assert all(0 <= seed < 2**31 for seed in seeds)


@needs_reasoning_gym
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--family", "gcd", "--level", "9"], "level 9 for family 'gcd'; expected a level from 0 to 3"),
        (["--family", "countdown"], "family 'countdown' of reasoning-gym is not graded: its scorer evaluates text"),
        (["--family", "gdc"], "has no family 'gdc'; did you mean 'gcd'?"),
        (["--family", "gcd", "--out", "p.txt"], "a file name ending in .txt"),
    ],
)
def test_what_can_not_be_drawn_is_refused_in_one_line_and_nothing_is_written(
    given: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(["import", "reasoning-gym", "--count", "2", "--out", "p.jsonl", *given]) == 64
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.grade.gym.PACKAGE", "no-such-package")
    with pytest.raises(InputError, match=r"no package no-such-package; .*install 'ratchet-mlops\[reasoning-gym\]'"):
        draw_problems(Draw("gcd", 2))
