"""Sampling through real vLLM on the CPU: offline, killed, and behind `vllm serve`."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ratchet.checkpoints import load_model, load_tokenizer
from ratchet.errors import InputError
from ratchet.identity import SAME_PRECISION
from ratchet.records import Sample
from ratchet.sample import SAMPLES_FILE, Endpoint, Sampling, sample
from ratchet.sample.engine import Engine
from ratchet.sample.fingerprint import Fingerprint, distance, fingerprint
from ratchet.sample.parts import Parts
from ratchet.sample.transformers_engine import score_tokens
from ratchet.storage import read_records

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv-vllm" / "bin"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(ROOT / "components"),
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
LIMIT_S = 600.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BIN / "python").exists(), reason="needs vLLM in .venv-vllm (make vllm)"),
]


def _run(*arguments: object) -> str:
    command = [str(BIN / "python"), *map(str, arguments)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT_S, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smollm2") / "model"
    _run(ROOT / "tests/sample/smollm2.py", folder)
    return folder


@pytest.fixture(scope="module")
def probed(smollm2: Path) -> Any:
    return json.loads(_run(ROOT / "tests/sample/vllm_probe.py", smollm2).splitlines()[-1])


def test_an_attempt_is_the_same_whatever_is_drawn_beside_it(probed: Any) -> None:
    wanted = [s for s in probed["together"] if s["problem_id"] == "p1" and s["attempt"] in (3, 7)]
    assert [s["text"] for s in probed["alone"]] == [s["text"] for s in wanted]
    again = [s for s in probed["twice"] if s["problem_id"] == "p0"]
    assert [s["text"] for s in again] == [s["text"] for s in probed["together"] if s["problem_id"] == "p0"]


def test_attempts_are_no_copies_of_each_other_even_at_one_prompt_of_two_problems(probed: Any) -> None:
    assert len({s["text"] for s in probed["twice"]}) > 28  # of 32, with a prefix that is read once for all of them


def test_log_probabilities_are_those_of_transformers_end_token_included(probed: Any, smollm2: Path) -> None:
    """Recomputed by transformers over the tokens of the text, wherever it is one that the tokenizer writes alike."""
    tokenizer, model = load_tokenizer(smollm2), load_model(smollm2)
    compared = 0
    for drawn in probed["together"]:
        prompt = probed["prompts"][int(drawn["problem_id"][1])]
        ids = tokenizer(drawn["text"], add_special_tokens=False)["input_ids"]
        ended = drawn["finish_reason"] == "stop" and len(ids) == drawn["tokens"] - 1
        ids = [*ids, tokenizer.eos_token_id] if ended else ids
        if len(ids) == drawn["tokens"]:
            (scores,) = score_tokens(model, [(*prompt, *ids)])
            compared += abs(sum(scores[len(prompt) - 1 :]) - drawn["logprob"]) < 0.01
    assert compared >= 20  # of 32; the others were cut at a stop string or written with other tokens


def test_stop_strings_are_left_out_of_the_text(probed: Any) -> None:
    assert not [s for s in probed["together"] if "\n\n" in s["text"]]
    assert {s["finish_reason"] for s in probed["together"]} == {"stop", "length"}
    assert {s["tokens"] for s in probed["together"] if s["finish_reason"] == "length"} == {24}


def test_the_fingerprint_is_that_of_transformers_to_engine_noise(probed: Any, smollm2: Path) -> None:
    model = load_model(smollm2)
    found = probed["fingerprint"]
    token_ids = tuple(map(tuple, found["token_ids"]))
    theirs = Fingerprint(token_ids, tuple(map(tuple, found["logprobs"])), found["precision"])
    ours = fingerprint(token_ids, Engine(lambda q: iter(()), lambda t: score_tokens(model, t), "here", "float32"))
    apart = distance(ours, theirs)
    assert apart is not None
    assert apart < SAME_PRECISION / 10
    assert theirs.precision == "float32"


def _command(problems: Path, checkpoint: Path, out: Path) -> list[str]:
    given = ["--problems", problems, "--checkpoint", checkpoint, "--split", "train", "--out", out]
    settings = ["--attempts", "16", "--max-new-tokens", "64", "--backend", "vllm"]
    return [str(BIN / "python"), "-m", "ratchet", "sample", *map(str, given), *settings]


def test_a_sampler_that_was_killed_completes_the_missing_attempts(
    problems: Path, untrained: Path, tmp_path: Path
) -> None:
    out, parts = tmp_path / "s", tmp_path / "s.partial" / "parts"
    log = tmp_path / "log"
    with log.open("wb") as stream:
        command = _command(problems, untrained, out)
        process = subprocess.Popen(command, env=ENVIRONMENT, cwd=ROOT, stdout=stream, stderr=stream)
    deadline = time.monotonic() + LIMIT_S
    while not list(parts.glob("part-*.parquet")):
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = Parts(parts, sure=True).read()
    assert 0 < len(before) < 60 * 16
    done = subprocess.run(
        _command(problems, untrained, out), env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr[-3000:]
    drawn = read_records(out / SAMPLES_FILE, Sample)
    assert len({(s.problem_id, s.attempt) for s in drawn}) == len(drawn) == 60 * 16
    assert set(before) <= set(drawn)


@contextmanager
def _serving(checkpoint: Path, log: Path) -> Iterator[str]:
    """What `vllm serve` starts. The command itself fails with `vllm-cpu`: it looks for the metadata of `vllm`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--dtype",
        "float32",
        "--enforce-eager",
        "--no-enable-chunked-prefill",
    ]
    command = [BIN / "python", "-m", "vllm.entrypoints.openai.api_server", "--model", checkpoint, *options]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            list(map(str, command)), env=ENVIRONMENT, cwd=ROOT, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        _wait_for(process, port, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + LIMIT_S
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)


def test_a_vllm_server_draws_what_it_should_and_is_refused_for_other_weights(
    few: Path, untrained: Path, other: Path, tmp_path: Path
) -> None:
    settings = Sampling(attempts=8, max_new_tokens=8, backend="openai", stop=("zz",))
    with _serving(untrained, tmp_path / "log") as url:
        endpoint = Endpoint(url, patience_s=60.0)
        texts = []
        for name in ("a", "b"):
            out = sample(few, untrained, tmp_path / name, settings, ["eval"], endpoint=endpoint)
            texts.append([s.text for s in read_records(out / SAMPLES_FILE, Sample)])
        with pytest.raises(InputError, match="not the checkpoint's weights"):
            sample(few, other, tmp_path / "c", settings, ["eval"], endpoint=endpoint)
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 20
    _same_log_probabilities(tmp_path / "a", untrained, few)


def _same_log_probabilities(out: Path, checkpoint: Path, few: Path) -> None:
    from ratchet.sample.asking import questions  # as they were asked

    tokenizer, model = load_tokenizer(checkpoint), load_model(checkpoint)
    asked = {q.problem_id: q.token_ids for q in questions(_eval(few), checkpoint, Sampling(1))}
    compared = []
    for drawn in read_records(out / SAMPLES_FILE, Sample):
        ids = tokenizer(drawn.text, add_special_tokens=False)["input_ids"]
        if len(ids) == drawn.tokens:
            (scores,) = score_tokens(model, [(*asked[drawn.problem_id], *ids)])
            compared.append(abs(sum(scores[len(asked[drawn.problem_id]) - 1 :]) - drawn.logprob))
    assert sorted(compared)[len(compared) // 2] < 0.01


def _eval(few: Path) -> Sequence[Any]:
    from ratchet.records import Problem

    return [problem for problem in read_records(few, Problem) if problem.split == "eval"]
