"""Exactly n attempts a problem, whatever interrupts the work."""

import multiprocessing
import random
import shutil
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from ratchet.checkpoints import load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import OTHER_PRECISION, SAME_PRECISION, checkpoint_digest
from ratchet.prompts import prompt_tokens
from ratchet.records import Problem, Sample
from ratchet.sample import SAMPLES_FILE, Sampling, sample, transformers_engine, truncation
from ratchet.sample.fingerprint import distance
from ratchet.sample.identity import IDENTITY_FILE, recorded_identity
from ratchet.sample.parts import Parts, key_of
from ratchet.shards import Shard
from ratchet.storage import read_records, read_with_header, write_records

SETTINGS = Sampling(attempts=64, max_new_tokens=6, seed=3)


def _keys(folder: Path) -> list[tuple[str, int]]:
    return [(s.problem_id, s.attempt) for s in read_records(folder / SAMPLES_FILE, Sample)]


def test_each_problem_of_the_splits_gets_its_attempts_once(problems: Path, untrained: Path, tmp_path: Path) -> None:
    out = sample(problems, untrained, tmp_path / "s", SETTINGS, ["eval", "ood"])
    samples, header = read_with_header(out / SAMPLES_FILE, Sample)
    wanted = [p.id for p in read_records(problems, Problem) if p.split != "train"]
    assert sorted(_keys(out)) == sorted((name, attempt) for name in wanted for attempt in range(64))
    assert header["checkpoint"] == checkpoint_digest(untrained)
    assert header["sampling"]["seed"] == 3
    assert len({s.text for s in samples if s.problem_id == wanted[0]}) > 32  # attempts are no copies of each other


def test_the_same_seed_draws_the_same_and_another_draws_others(problems: Path, untrained: Path, tmp_path: Path) -> None:
    def texts(name: str, seed: int) -> list[str]:
        settings = Sampling(attempts=4, max_new_tokens=6, seed=seed)
        out = sample(problems, untrained, tmp_path / name, settings, ["ood"])
        return [s.text for s in read_records(out / SAMPLES_FILE, Sample)]

    assert texts("a", 1) == texts("b", 1)
    assert texts("a", 1) != texts("c", 2)


@pytest.mark.slow
def test_a_sampler_killed_at_twenty_random_moments_draws_what_an_unbroken_one_does(
    problems: Path, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill -9 at moments spread over the whole of a run, from before the model is loaded to the writing of the result.

    A child is forked for each start, so that a start costs what the sampler does and not what Python's imports take.
    Every other start shares its work with a second process.
    """
    monkeypatch.setattr("ratchet.sample.parts.SECONDS_BETWEEN_PARTS", 0.0)  # the run is short, its parts are many
    settings = Sampling(attempts=6, max_new_tokens=16, seed=3)
    unbroken = sample(problems, untrained, tmp_path / "unbroken", settings, ["train"])
    begun = time.monotonic()
    assert _killed(problems, untrained, tmp_path / "timed", settings, None) is None
    whole_run = time.monotonic() - begun
    monkeypatch.setattr(transformers_engine, "FEWEST_ROWS", 1)
    moments = random.Random(0)
    left: list[int] = []
    for number in range(60):  # on a busy machine some starts end before their moment comes
        broken = tmp_path / f"broken-{number}"
        monkeypatch.setattr(transformers_engine, "threads", partial(int, 1 + number % 2))
        found = _killed(problems, untrained, broken, settings, moments.random() * whole_run)
        left += [] if found is None else [found]
        sample(problems, untrained, broken, settings, ["train"])
        assert _keys(broken) == _keys(unbroken)  # none lost, none double
        assert _texts(broken) == _texts(unbroken)
        if len(left) == 20:
            break
    assert len(left) == 20
    assert len({count for count in left if count}) >= 3, f"the kills were to leave attempts behind: {left}"


def _killed(problems: Path, checkpoint: Path, out: Path, settings: Sampling, after_s: float | None) -> int | None:
    """How many attempts were on disk when a start was killed after so long; None where it had ended before."""
    child = multiprocessing.get_context("fork").Process(target=_start, args=(problems, checkpoint, out, settings))
    child.start()
    child.join(after_s)
    child.kill()  # SIGKILL, or nothing where it has ended
    child.join()
    if child.exitcode == 0:
        return None
    assert child.exitcode == -signal.SIGKILL
    parts = out.with_name(out.name + ".partial") / "parts"
    return len(Parts(parts, sure=True).read()) if parts.exists() else 0


def _start(problems: Path, checkpoint: Path, out: Path, settings: Sampling) -> None:
    torch.set_num_threads(1)  # the threads of the parent are not there in a fork, and would be waited for
    sample(problems, checkpoint, out, settings, ["train"])


def _texts(folder: Path) -> list[tuple[str, str, int]]:
    return [(s.text, s.finish_reason, s.tokens) for s in read_records(folder / SAMPLES_FILE, Sample)]


def test_shards_together_are_the_whole(problems: Path, untrained: Path, tmp_path: Path) -> None:
    settings = Sampling(attempts=2, max_new_tokens=4)
    whole = sample(problems, untrained, tmp_path / "whole", settings, ["eval"], limit=5)
    drawn: list[Sample] = []
    for index in range(7):  # more shards than problems: the last two are empty
        out = sample(problems, untrained, tmp_path / f"s{index}", settings, ["eval"], limit=5, shard=Shard(index, 7))
        drawn += read_records(out / SAMPLES_FILE, Sample)
    wanted = sorted(read_records(whole / SAMPLES_FILE, Sample), key=key_of)
    for one, other in zip(sorted(drawn, key=key_of), wanted, strict=True):
        assert replace(one, logprob=0.0) == replace(other, logprob=0.0)
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)  # sums in another batch round otherwise


def test_an_answer_ends_before_a_stop_string_and_counts_the_tokens_up_to_it(
    problems: Path, untrained: Path, tmp_path: Path
) -> None:
    free = Sampling(attempts=32, max_new_tokens=12)
    long = read_records(sample(problems, untrained, tmp_path / "a", free, ["ood"]) / SAMPLES_FILE, Sample)
    stops = ("e", " a")
    out = sample(problems, untrained, tmp_path / "b", replace(free, stop=stops), ["ood"])
    short, header = read_with_header(out / SAMPLES_FILE, Sample)
    assert header["sampling"]["stop"] == ["e", " a"]
    for whole, found in zip(long, short, strict=True):
        places = [place for place in (whole.text.find(stop) for stop in stops) if place >= 0]
        assert found.text == (whole.text[: min(places)] if places else whole.text)
        assert found.finish_reason == ("stop" if places else whole.finish_reason)
        assert (found.tokens <= whole.tokens, found.logprob >= whole.logprob - 1e-6) == (True, True)
    assert 0 < sum(found.tokens < whole.tokens for whole, found in zip(long, short, strict=True)) < len(long)


def test_attempts_that_ran_into_the_limit_are_counted_by_split(problems: Path, untrained: Path, tmp_path: Path) -> None:
    out = sample(problems, untrained, tmp_path / "s", Sampling(attempts=4, max_new_tokens=20), ["eval", "ood"])
    samples = read_records(out / SAMPLES_FILE, Sample)
    splits = {p.id: p.split for p in read_records(problems, Problem)}
    counted = truncation(problems, out)
    assert {split: of for split, (_, of) in counted.items()} == {"eval": 12 * 4, "ood": 6 * 4}
    for split, (cut, _) in counted.items():
        assert cut == sum(s.finish_reason == "length" for s in samples if splits[s.problem_id] == split)


def test_a_chat_prompt_is_the_tokenizers_template_and_without_one_it_is_refused(
    problems: Path, untrained: Path, tmp_path: Path
) -> None:
    settings = Sampling(attempts=1, max_new_tokens=2, prompt="chat")
    with pytest.raises(InputError, match="a tokenizer without a chat template"):
        sample(problems, untrained, tmp_path / "s", settings, ["ood"])
    chat = tmp_path / "chat"
    shutil.copytree(untrained, chat)
    template = "{% for m in messages %}<start>[{{ m['role'] }}] {{ m['content'] }}{% endfor %} =>"
    (chat / "chat_template.jinja").write_text(template)
    problem = Problem("1", "Ann has 7 pens.", "7")
    tokenizer = load_tokenizer(chat)
    ids = prompt_tokens(problem, tokenizer, "chat")
    assert tokenizer.decode(ids) == "<start>[user] Ann has 7 pens. =>"
    assert ids.count(tokenizer.bos_token_id) == 1
    _, header = read_with_header(sample(problems, chat, tmp_path / "t", settings, ["ood"]) / SAMPLES_FILE, Sample)
    assert header["sampling"]["prompt"] == "chat"


def test_the_identity_beside_the_samples_is_that_of_the_weights(
    problems: Path, untrained: Path, other: Path, tmp_path: Path
) -> None:
    settings = Sampling(attempts=1, max_new_tokens=1)
    found = [
        recorded_identity(sample(problems, folder, tmp_path / name, settings, ["ood"]))
        for name, folder in (("a", untrained), ("b", untrained), ("c", other))
    ]
    one, same, another = found
    assert one is not None
    assert same is not None
    assert another is not None
    assert one == same
    assert one.digest == checkpoint_digest(untrained) != another.digest
    apart = distance(one.fingerprint, another.fingerprint)
    assert apart is not None
    assert apart > 2 * OTHER_PRECISION  # even random weights, which say little about any text, are apart


def test_the_header_of_the_samples_says_who_drew_them(problems: Path, untrained: Path, tmp_path: Path) -> None:
    settings = Sampling(attempts=1, max_new_tokens=1)
    out = sample(problems, untrained, tmp_path / "a", settings, ["ood"])
    stated = read_with_header(out / SAMPLES_FILE, Sample)[1]["served"]
    identity = recorded_identity(out)
    assert identity is not None
    assert (stated["backend"], stated["weights"]) == ("transformers", checkpoint_digest(untrained))
    assert stated["logprobs"] == [p for row in identity.fingerprint.logprobs for p in row]
    assert (stated["precision"], stated["distance"], stated["at_most"]) == ("float32", None, None)
    marked = tmp_path / "marked"  # with what an earlier run recorded, there is something to compare with
    shutil.copytree(untrained, marked)
    shutil.copy(out / IDENTITY_FILE, marked)
    out = sample(problems, marked, tmp_path / "b", settings, ["ood"])
    compared = read_with_header(out / SAMPLES_FILE, Sample)[1]["served"]
    assert (compared["distance"], compared["at_most"]) == (0.0, SAME_PRECISION)
    assert compared["logprobs"] == stated["logprobs"]


def test_a_run_that_goes_on_states_what_an_unbroken_one_does(problems: Path, untrained: Path, tmp_path: Path) -> None:
    """An earlier start of the run itself is compared with, and is no proof of whose weights these are."""
    settings = Sampling(attempts=2, max_new_tokens=2)
    whole = sample(problems, untrained, tmp_path / "whole", settings, ["ood"])
    broken = tmp_path / "broken.partial"
    shutil.copytree(whole, broken)
    (broken / SAMPLES_FILE).unlink()
    out = sample(problems, untrained, tmp_path / "broken", settings, ["ood"])
    headers = [read_with_header(folder / SAMPLES_FILE, Sample)[1] for folder in (whole, out)]
    assert headers[0] == headers[1]
    assert headers[1]["served"]["distance"] is None


def test_weights_beside_an_identity_that_is_not_theirs_are_refused(
    problems: Path, untrained: Path, other: Path, tmp_path: Path
) -> None:
    settings = Sampling(attempts=1, max_new_tokens=1)
    wrong = tmp_path / "wrong"
    shutil.copytree(untrained, wrong)
    shutil.copy(sample(problems, other, tmp_path / "a", settings, ["ood"]) / IDENTITY_FILE, wrong)
    with pytest.raises(InputError, match="a recorded digest sha256:"):
        sample(problems, wrong, tmp_path / "s", settings, ["ood"])


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"attempts": 2, "temperature": 0.0}, "temperature = 0 with 2 attempts"),
        ({"attempts": 0}, "attempts = 0"),
        ({"attempts": 1, "temperature": float("nan")}, "temperature = nan"),
        ({"attempts": 1, "temperature": -1.0}, "temperature = -1.0"),
        ({"attempts": 1, "top_p": 0.0}, "top_p = 0.0"),
        ({"attempts": 1, "max_new_tokens": 0}, "max_new_tokens = 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Sampling(**settings)  # type: ignore[arg-type]


def test_a_prompt_that_leaves_no_room_is_refused_before_anything_is_drawn(untrained: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_records(path, [Problem("long", "pens " * 300, "1", split="eval")], Problem)
    with pytest.raises(InputError, match=r"problem long: a prompt of \d+ tokens and 6 new ones; expected at most 256"):
        sample(path, untrained, tmp_path / "s", SETTINGS, ["eval"])
    assert not (tmp_path / "s").exists()


def test_a_split_without_problems_is_refused(untrained: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_records(path, [Problem("1", "x", "1", split="train")], Problem)
    with pytest.raises(InputError, match="no problem to sample"):
        sample(path, untrained, tmp_path / "s", SETTINGS, ["eval"])
