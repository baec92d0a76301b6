"""One iteration really learns, is an ordinary checkpoint, and goes on after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ratchet.checkpoints import load_model, load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import checkpoint_digest
from ratchet.records import Example
from ratchet.select import EXAMPLES_FILE, select_solutions
from ratchet.storage import read_records
from ratchet.train import SFT, train_sft
from ratchet.train.sft import batched_by_length

SETTINGS = SFT(epochs=8, batch_size=8, learning_rate=3e-3, max_length=128, save_steps=5, seed=0)


@pytest.fixture(scope="module")
def examples(problems: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return select_solutions(problems, tmp_path_factory.mktemp("examples") / "e") / EXAMPLES_FILE


@pytest.fixture(scope="module")
def trained(untrained: Path, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_sft(untrained, examples, tmp_path_factory.mktemp("trained") / "m1", SETTINGS)


def _losses(checkpoint: Path, examples: Path) -> tuple[float, float]:
    """Mean loss a token of the prompts and of the completions, computed without TRL."""
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint)
    parts: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    for example in read_records(examples, Example)[:20]:
        prompt = tokenizer(example.prompt)["input_ids"]
        ids = torch.tensor([tokenizer(example.prompt + example.completion)["input_ids"] + [tokenizer.eos_token_id]])
        with torch.inference_mode():
            logprobs = torch.log_softmax(model(ids).logits[0, :-1], -1)
        token_losses = -logprobs.gather(1, ids[0, 1:, None])[:, 0]
        parts[0].append(token_losses[: len(prompt) - 1])
        parts[1].append(token_losses[len(prompt) - 1 :])
    return float(torch.cat(parts[0]).mean()), float(torch.cat(parts[1]).mean())


def test_it_learns_completions_and_not_prompts(untrained: Path, trained: Path, examples: Path) -> None:
    before, after = _losses(untrained, examples), _losses(trained, examples)
    assert after[1] < 0.5 * before[1]
    assert after[0] > 0.9 * before[0]


def test_the_result_is_an_ordinary_checkpoint_and_another_one(untrained: Path, trained: Path) -> None:
    assert checkpoint_digest(trained) != checkpoint_digest(untrained)
    names = {path.name for path in trained.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "step.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth"))]
    assert "training" not in names


@pytest.mark.slow
def test_training_that_was_killed_goes_on_and_ends_where_unbroken_training_does(
    untrained: Path, trained: Path, examples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m1"
    program = (
        "from pathlib import Path; from ratchet.train import SFT, train_sft; "
        f"train_sft(Path({str(untrained)!r}), Path({str(examples)!r}), Path({str(out)!r}), {SETTINGS!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stdout=subprocess.DEVNULL)
    states = tmp_path / "m1.partial" / "training"
    while process.poll() is None and len(list(states.glob("checkpoint-*/trainer_state.json"))) < 2:
        time.sleep(0.005)
    assert process.poll() is None, "it was to be killed before its end"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    newest = max(states.glob("checkpoint-*"), key=lambda folder: int(folder.name.rpartition("-")[2]))
    (newest / "trainer_state.json").write_text('{"half')  # as if it had been killed while saving
    train_sft(untrained, examples, out, SETTINGS)
    whole, resumed = load_file(trained / "model.safetensors"), load_file(out / "model.safetensors")
    assert all(torch.allclose(whole[name], resumed[name], atol=1e-4) for name in whole)


def test_an_example_that_would_be_cut_off_is_refused(untrained: Path, examples: Path, tmp_path: Path) -> None:
    short = SFT(epochs=1, batch_size=8, learning_rate=1e-3, max_length=30)
    with pytest.raises(InputError, match=r"an example of \d+ tokens \(problem train-\d+\); expected at most 30"):
        train_sft(untrained, examples, tmp_path / "m1", short)


def test_batches_hold_texts_of_like_length_and_each_pass_holds_every_text_once() -> None:
    lengths = [1 + i * 7 % 64 for i in range(64)]  # each of 1 to 64 once
    ordered = batched_by_length(lengths, epochs=3, batch_size=8, seed=0)
    for start in range(0, 3 * 64, 64):
        assert sorted(ordered[start : start + 64]) == list(range(64))
    batches = [[lengths[index] for index in ordered[start : start + 8]] for start in range(0, len(ordered), 8)]
    assert len(batches) == 24
    assert {max(batch) - min(batch) for batch in batches} == {7}  # 64 successive lengths, eight to a batch
    means = [sum(batch) for batch in batches[:8]]
    assert means not in (sorted(means), sorted(means, reverse=True))
