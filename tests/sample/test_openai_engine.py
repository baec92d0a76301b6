"""Sampling from a server: a real model behind a real HTTP server on the loopback, honest and otherwise."""

from pathlib import Path

import pytest
from tests.sample.endpoint import Body, Server, completion, served

from ratchet.errors import InputError
from ratchet.records import Sample
from ratchet.sample import SAMPLES_FILE, Endpoint, Sampling, sample
from ratchet.sample.identity import IDENTITY_FILE, Identity, recorded_identity
from ratchet.storage import read_records

SETTINGS = Sampling(attempts=8, max_new_tokens=6, seed=3, backend="openai")


def _endpoint(server: Server, **options: object) -> Endpoint:
    return Endpoint(server.url, at_once=8, **{"patience_s": 60.0, **options})  # type: ignore[arg-type]


def _draw(
    server: Server, few: Path, checkpoint: Path, out: Path, settings: Sampling = SETTINGS, **options: object
) -> list[Sample]:
    sample(few, checkpoint, out, settings, ["eval"], endpoint=_endpoint(server, **options))
    return read_records(out / SAMPLES_FILE, Sample)


def test_each_attempt_is_one_request_with_a_seed_of_its_own(few: Path, untrained: Path, tmp_path: Path) -> None:
    with served(untrained) as server:
        drawn = _draw(server, few, untrained, tmp_path / "s")
    asked = [body for body in server.requests if not body.get("echo") and "return_token_ids" not in body]
    attempts = asked[8:]  # after the probe for cached answers
    assert len(attempts) == 3 * 8 == len(drawn)
    assert len({body["seed"] for body in attempts}) == 24
    assert {body["n"] for body in attempts} == {1}
    assert len({body["seed"] % 2**32 for body in attempts}) == 24  # what torch's generator on the CPU reads
    assert [(s.problem_id, s.attempt) for s in drawn] == [(f"p{i}", a) for i in range(3) for a in range(8)]
    assert len({s.text for s in drawn}) > 20


def test_the_same_seed_asks_the_same_and_draws_the_same(few: Path, untrained: Path, tmp_path: Path) -> None:
    with served(untrained) as server:
        one, two = (_draw(server, few, untrained, tmp_path / name) for name in ("a", "b"))
        assert one == two
        three = _draw(server, few, untrained, tmp_path / "c", Sampling(8, max_new_tokens=6, seed=4, backend="openai"))
    assert [s.text for s in one] != [s.text for s in three]


def test_the_key_is_sent_and_written_nowhere(few: Path, untrained: Path, tmp_path: Path) -> None:
    with served(untrained) as server:
        sample(few, untrained, tmp_path / "s", SETTINGS, ["eval"], endpoint=_endpoint(server, key="secret-7"))
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer secret-7"}
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"secret-7" in path.read_bytes()]
    assert "secret-7" not in repr(_endpoint(server, key="secret-7"))


def test_a_server_with_other_weights_is_refused_before_anything_is_drawn(
    few: Path, untrained: Path, other: Path, tmp_path: Path
) -> None:
    with served(other) as server, pytest.raises(InputError, match="not the checkpoint's weights"):
        _draw(server, few, untrained, tmp_path / "s")
    assert not (tmp_path / "s").exists()
    assert not [body for body in server.requests if body.get("max_tokens") == 6 and body["n"] == 1][8:]


def test_weights_that_are_exchanged_while_attempts_are_drawn_are_found_and_their_attempts_removed(
    few: Path, untrained: Path, other: Path, tmp_path: Path
) -> None:
    def exchange(server: Server, body: Body) -> None:
        attempts = [b for b in server.requests if not b.get("echo")][8:]
        if len(attempts) == 12 and server.checkpoint == untrained:
            server.serve(other)

    with served(untrained) as server:
        server.before = exchange
        with pytest.raises(InputError, match=r"24 attempts since the last check removed"):
            _draw(server, few, untrained, tmp_path / "s")
        server.before = lambda server, body: None
        server.serve(untrained)  # the right model is back
        again = _draw(server, few, untrained, tmp_path / "s")
        whole = _draw(server, few, untrained, tmp_path / "whole")
    assert again == whole


def test_a_server_that_comes_back_with_other_weights_is_found_at_once(
    few: Path, untrained: Path, other: Path, tmp_path: Path
) -> None:
    def answer(server: Server, body: Body) -> Body:
        if not body.get("echo") and len([b for b in server.requests if not b.get("echo")]) == 20:
            server.serve(other)
            return {"status": 503, "error": "starting"}
        return completion(server, body)

    with served(untrained) as server:
        server.answer = answer
        with pytest.raises(InputError, match="not the checkpoint's weights"):
            _draw(server, few, untrained, tmp_path / "s")


def test_a_server_that_is_out_of_reach_for_a_moment_loses_nothing(few: Path, untrained: Path, tmp_path: Path) -> None:
    def answer(server: Server, body: Body) -> Body:
        failing = len(server.requests) % 11 == 0
        return {"status": 503, "error": "busy"} if failing else completion(server, body)

    with served(untrained) as server:
        server.answer = answer
        flaky = _draw(server, few, untrained, tmp_path / "flaky")
        server.answer = completion
        assert flaky == _draw(server, few, untrained, tmp_path / "whole")


def test_a_server_that_stays_away_stops_the_run_and_the_next_start_goes_on(
    few: Path, untrained: Path, tmp_path: Path
) -> None:
    def answer(server: Server, body: Body) -> Body:
        gone = len([b for b in server.requests if not b.get("echo")]) > 20
        return {"status": 503, "error": "gone"} if gone else completion(server, body)

    with served(untrained) as server:
        server.answer = answer
        with pytest.raises(InputError, match=r"no answer for 1 s \(HTTP 503"):
            _draw(server, few, untrained, tmp_path / "s", patience_s=1.0)
        server.answer, before = completion, len(server.requests)
        again = _draw(server, few, untrained, tmp_path / "s")
        drawn_again = [b for b in server.requests[before:] if not b.get("echo")][8:]
        assert 0 < len(drawn_again) < 24  # what was finished before is not asked again
        assert again == _draw(server, few, untrained, tmp_path / "whole")


@pytest.mark.parametrize("attempts", [8, 32])
def test_a_server_that_answers_a_question_always_the_same_is_refused(
    few: Path, untrained: Path, tmp_path: Path, attempts: int
) -> None:
    kept: dict[str, Body] = {}

    def cached(server: Server, body: Body) -> Body:
        if body.get("echo"):
            return completion(server, body)
        answer = kept.setdefault(str(body["prompt"]), completion(server, body))
        return dict(answer)

    with served(untrained) as server:
        server.answer = cached
        with pytest.raises(InputError, match=r"8 of 8 attempts at problem the probe are the same \d tokens"):
            _draw(server, few, untrained, tmp_path / "s", Sampling(attempts, max_new_tokens=6, backend="openai"))


def test_a_prompt_and_answer_longer_than_the_servers_context_are_refused_before_anything_is_asked(
    few: Path, untrained: Path, tmp_path: Path
) -> None:
    with (
        served(untrained, max_model_len=10) as server,
        pytest.raises(InputError, match=r"a context of 10 tokens; expected \d+, the longest prompt and its answer"),
    ):
        _draw(server, few, untrained, tmp_path / "s")
    assert server.requests == []


def test_the_recorded_identity_stands_in_for_the_weights(
    few: Path, untrained: Path, other: Path, tmp_path: Path
) -> None:
    """Where the sampler has the tokenizer and an identity.json of an earlier run, it needs no weights."""
    settings = Sampling(attempts=8, max_new_tokens=6, seed=3)
    recorded = sample(few, untrained, tmp_path / "local", settings, ["eval"]) / IDENTITY_FILE
    light = tmp_path / "light"
    light.mkdir()
    for path in untrained.iterdir():
        if path.suffix != ".safetensors":
            (light / path.name).write_bytes(path.read_bytes())
    (light / IDENTITY_FILE).write_bytes(recorded.read_bytes())
    with served(untrained) as server:
        whole = _draw(server, few, untrained, tmp_path / "whole")
        assert _draw(server, few, light, tmp_path / "s") == whole
        server.serve(other)
        with pytest.raises(InputError, match="not the checkpoint's weights"):
            _draw(server, few, light, tmp_path / "t")
    found = recorded_identity(tmp_path / "s")
    assert isinstance(found, Identity)
    assert found.digest in recorded.read_text()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"status": 401, "error": "no"}, "HTTP 401.*a key that it accepts, in OPENAI_API_KEY"),
        ({"choices": []}, "0 choices, without log-probabilities"),
        ({"choices": [{"text": "x", "finish_reason": "stop"}]}, "1 choices, without log-probabilities"),
    ],
)
def test_what_a_server_refuses_or_leaves_out_is_said(
    few: Path, untrained: Path, tmp_path: Path, answer: Body, complaint: str
) -> None:
    with served(untrained) as server:
        server.answer = lambda server, body: dict(answer)
        with pytest.raises(InputError, match=complaint):
            _draw(server, few, untrained, tmp_path / "s")
