"""Whose weights drew the attempts: from the sampler through grades and profile to the gate, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.sample.endpoint import served as serving

from ratchet.batches import read_header
from ratchet.errors import InputError
from ratchet.evaluate.build import evaluate
from ratchet.evaluate.profile import ATTEMPTS_FILE, PAGE_FILE, PROFILE_FILE, read_profile
from ratchet.gate import gate
from ratchet.gate.case import load_case
from ratchet.gate.decide import decide
from ratchet.gate.policy import policy_digest, read_policy
from ratchet.gate.tables import identities
from ratchet.gate.verdict import Verdict
from ratchet.gate.verify import verify
from ratchet.grade import grade
from ratchet.identity import OTHER_PRECISION, SAME_PRECISION, checkpoint_digest
from ratchet.quickstart.model import make_model
from ratchet.records import Attempt, Problem, Served
from ratchet.sample import SAMPLES_FILE, Endpoint, Sampling, sample
from ratchet.storage import read_json, read_with_header, write_json, write_records

Maker = Callable[..., Path]
GOOD = [8] * 100
HONEST = Served("openai", "sha256:new", "sha256:t", (-1.0, -2.0, -0.5), "float32", 0.001, SAME_PRECISION)


def judged(candidate: Path, policy: Path, first: bool = False, **references: Path) -> Verdict:
    return decide(load_case(candidate, references, policy, first), datetime(2026, 1, 1, tzinfo=UTC))


def refused(verdict: Verdict, said: str) -> None:
    assert (verdict.verdict, verdict.kind, verdict.exit_code, verdict.axes) == ("ERROR", "none", 3, ())
    assert any(said in reason for reason in verdict.reasons), verdict.reasons


def known(policy: Maker) -> Path:
    return policy("0.02}", "0.02, known_weights: true}")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"weights": "sha256:other"}, "drawn by sha256:other, the profile is of sha256:new"),
        ({"distance": 0.0021}, "its fingerprint is 0.0021 a token away, at most 0.002 is the same model"),
        ({"distance": 0.07, "at_most": OTHER_PRECISION}, "0.07 a token away, at most 0.06 is the same model"),
        ({"distance": 0.07, "at_most": 9.0}, "0.07 a token away, at most 0.06 is the same model"),
        ({"distance": 0.07, "at_most": None}, "0.07 a token away, at most 0.06 is the same model"),
        ({"distance": None}, "a server drew its attempts and nobody compared its fingerprint"),
    ],
)
@pytest.mark.parametrize("side", ["candidate", "base"])
def test_attempts_of_another_model_are_refused_whatever_the_policy_asks(
    changed: dict[str, Any], said: str, side: str, profile: Maker, policy: Maker
) -> None:
    bad = replace(HONEST, **changed)
    if side == "base":
        said, bad = (
            said.replace("sha256:new", "sha256:base"),
            replace(bad, weights=changed.get("weights", "sha256:base")),
        )
    new = profile("new", GOOD, served=bad if side == "candidate" else HONEST)
    base = profile("base", GOOD, served=bad if side == "base" else None)
    verdict = judged(new, policy(), base=base)
    refused(verdict, said)
    assert all(reason.startswith(f"{side}: ") for reason in verdict.reasons)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"distance": SAME_PRECISION},
        {"distance": 0.05, "at_most": OTHER_PRECISION, "precision": None},
        {"backend": "vllm", "distance": None, "at_most": None},  # loaded from the very files that were digested
    ],
)
def test_attempts_of_the_checkpoint_itself_are_taken(changed: dict[str, Any], profile: Maker, policy: Maker) -> None:
    new = profile("new", GOOD, served=replace(HONEST, **changed))
    base = profile("base", GOOD, served=replace(HONEST, weights="sha256:base", logprobs=(-3.0, -1.0, -2.0)))
    assert judged(new, known(policy), base=base).verdict == "PROMOTE"


def test_unknown_weights_can_be_refused(profile: Maker, policy: Maker) -> None:
    new, base = profile("new", GOOD, served=HONEST), profile("base", GOOD)
    assert judged(new, policy(), base=base).verdict == "PROMOTE"
    refused(judged(new, known(policy), base=base), "base: it is unknown whose weights drew its attempts")


def test_the_digest_of_a_policy_that_does_not_ask_for_weights_is_what_it_was(policy: Maker) -> None:
    plain = policy_digest(read_policy(policy()))
    assert plain == policy_digest(read_policy(policy("0.02}", "0.02, known_weights: false}")))
    assert plain != policy_digest(read_policy(known(policy)))


def test_one_checkpoint_with_two_fingerprints_is_refused(profile: Maker, policy: Maker) -> None:
    """Two rounds of the history state one checkpoint: 0.3, 0 and 0 away is 0.1 a token, and they are both known."""
    old = replace(HONEST, weights="sha256:old")
    one = profile("one", GOOD, checkpoint="sha256:old", served=old)
    other = profile("other", GOOD, checkpoint="sha256:old", served=replace(old, logprobs=(-1.3, -2.0, -0.5)))
    new, base = profile("new", GOOD, served=HONEST), profile("base", GOOD)
    case = load_case(new, {"base": base}, policy(), history=[one, other])
    said = "history 1 and history 2 state the same checkpoint, and their fingerprints are 0.1 a token apart"
    refused(decide(case, datetime(2026, 1, 1, tzinfo=UTC)), said)
    near = profile("near", GOOD, checkpoint="sha256:old", served=replace(old, logprobs=(-1.003, -2.0, -0.5)))
    case = load_case(new, {"base": base}, policy(), history=[one, near])  # 0.001 a token
    assert decide(case, datetime(2026, 1, 1, tzinfo=UTC)).verdict == "PROMOTE"


@pytest.mark.parametrize(
    ("served", "shown"),
    [
        (None, "not recorded"),
        (HONEST, "a server, fingerprint 0.001 a token from the checkpoint's, at most 0.002 is the same model"),
        (replace(HONEST, backend="vllm", distance=None), "vLLM, weights loaded from the checkpoint's files"),
        (replace(HONEST, distance=None), "a server, never compared"),
    ],
)
def test_the_report_says_who_drew_the_attempts(
    served: Served | None, shown: str, profile: Maker, policy: Maker
) -> None:
    case = load_case(profile("new", GOOD, served=served), {"base": profile("base", GOOD)}, policy())
    assert [row[-1] for row in identities([case.candidate, case.references["base"]])] == [shown, "not recorded"]


@pytest.fixture(scope="session")
def other(problems: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The untrained model with other random weights, and so the same tokenizer."""
    return make_model(problems, tmp_path_factory.mktemp("other") / "m0", seed=2)


@pytest.fixture
def drawn(untrained: Path, tmp_path: Path) -> Path:
    """Attempts at three problems, drawn from a server of the untrained model and graded."""
    problems = tmp_path / "problems.jsonl"
    write_records(
        problems, [Problem(f"p{i}", f"Ann has {i} pens.", str(i), "sums", split="eval") for i in (1, 2, 3)], Problem
    )
    settings = Sampling(attempts=16, max_new_tokens=4, seed=3, backend="openai")
    with serving(untrained) as server:
        out = sample(problems, untrained, tmp_path / "s", settings, ["eval"], endpoint=Endpoint(server.url, at_once=8))
    return grade(out / SAMPLES_FILE, problems, tmp_path / "g") / ATTEMPTS_FILE


def forged(attempts: Path, out: Path, **changed: Any) -> Path:
    """The same attempts under a changed header."""
    rows, header = read_with_header(attempts, Attempt)
    write_records(out, rows, Attempt, {**header, **changed})
    return out


def test_from_a_server_to_the_gate_and_what_is_tampered_with_on_the_way(
    drawn: Path, untrained: Path, policy: Maker, tmp_path: Path
) -> None:
    few = policy("min_problems: 100", "min_problems: 3", "0.02}", "0.02, known_weights: true}")
    honest = evaluate([drawn], tmp_path / "honest", "honest")
    served = read_profile(honest).served
    assert served is not None
    assert (served.backend, served.weights) == ("openai", checkpoint_digest(untrained))
    assert served.distance is not None
    assert served.distance <= 1e-4  # both are the same arithmetic on the same machine, rounded to 4 decimals
    assert (served.precision, served.at_most) == (None, OTHER_PRECISION)  # a server does not say its precision
    assert judged(honest, few, first=True).verdict == "PROMOTE"
    told = "Whose weights drew the attempts: "
    assert told + "a server, fingerprint" in (honest / PAGE_FILE).read_text()

    # passed off as another checkpoint's
    other = forged(drawn, tmp_path / "a.parquet", checkpoint="sha256:better")
    refused(judged(evaluate([other], tmp_path / "p1", "p"), few, first=True), "the profile is of sha256:better")

    # drawn by a model that was not the checkpoint
    header = read_header(drawn, Attempt)
    away = forged(drawn, tmp_path / "b.parquet", served={**header["served"], "distance": 0.77})
    refused(judged(evaluate([away], tmp_path / "p2", "p"), few, first=True), "its fingerprint is 0.77 a token away")

    # silent about who drew them
    silent = forged(drawn, tmp_path / "c.parquet", served=None)
    unknown = evaluate([silent], tmp_path / "p3", "p")
    refused(judged(unknown, few, first=True), "it is unknown whose weights drew its attempts")
    assert told + "not recorded" in (unknown / PAGE_FILE).read_text()

    # a profile that states better than its attempts do
    path = tmp_path / "p2" / PROFILE_FILE
    document = read_json(path)
    write_json(path, {**document, "served": {**document["served"], "distance": 0.0}})
    refused(judged(tmp_path / "p2", few, first=True), "states other weights as the attempts' than attempts.parquet")
    write_json(path, {**document, "served": None})
    refused(judged(tmp_path / "p2", few, first=True), "states other weights as the attempts' than attempts.parquet")


def test_anybody_with_the_weights_can_ask_them_for_the_fingerprint(
    drawn: Path, untrained: Path, other: Path, policy: Maker, tmp_path: Path
) -> None:
    """A header may state whatever it likes: the fingerprint of the weights that drew the attempts gives them away."""
    few = policy("min_problems: 100", "min_problems: 3")
    served = read_header(drawn, Attempt)["served"]
    digest = checkpoint_digest(other)
    found = {}
    for name, weights, attempts in (
        ("honest", untrained, drawn),
        (
            "forged",
            other,
            forged(drawn, tmp_path / "a.parquet", checkpoint=digest, served={**served, "weights": digest}),
        ),
        ("silent", untrained, forged(drawn, tmp_path / "b.parquet", served=None)),
    ):
        folder, path = evaluate([attempts], tmp_path / name, name), tmp_path / f"{name}.json"
        assert gate(folder, {}, few, first=True, out=path).verdict == "PROMOTE"
        verification = verify(
            path, {"candidate": folder}, few, (), datetime.now(UTC), checkpoint=weights, unsigned=True, fingerprint=True
        )
        found[name] = (verification.exit_code, verification.checks[-1].name, verification.checks[-1].said)
    assert found["honest"][:2] == (0, "fingerprint")
    assert found["forged"][:2] == (3, "fingerprint")
    apart = float(found["forged"][2].split()[0])
    assert apart > 2 * OTHER_PRECISION
    assert found["silent"] == (3, "fingerprint", "the profile does not say whose weights drew its attempts")


def test_a_fingerprint_without_a_checkpoint_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        verify(tmp_path, {"candidate": tmp_path}, None, (), datetime.now(UTC), unsigned=True, fingerprint=True)


def test_a_profile_from_before_the_weights_were_stated_is_still_read(
    profile: Maker, policy: Maker, tmp_path: Path
) -> None:
    folder = profile("old", GOOD)
    document = json.loads((folder / PROFILE_FILE).read_text())
    del document["served"]
    (folder / PROFILE_FILE).write_text(json.dumps(document))
    assert "served" not in read_header(folder / ATTEMPTS_FILE, Attempt)
    assert read_profile(folder).served is None
    assert judged(profile("new", GOOD), policy(), base=folder).verdict == "PROMOTE"
