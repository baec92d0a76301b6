"""The pipeline's step `promote`, from the gate step's folder, with the keys in the environment."""

import base64
import shutil
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet.errors import InputError
from ratchet.registry.step import promote_step


def gated(room: Any, name: str, *against: str, **changed: Any) -> dict[str, Any]:
    """The arguments of the step after the gate decided on a logged checkpoint."""
    room.log(name)
    folder = room.folder / f"{name}-gate"
    folder.mkdir(exist_ok=True)
    shutil.copy(room.verdict(name, *against, **changed), folder / "verdict.json")
    shutil.copy(room.policy, folder / "policy.yaml")
    where = {"tracking_uri": room.tracking_uri, "experiment": room.experiment, "registered_model": "solver"}
    return {**where, "checkpoint": room.checkpoint(name), "profile": room.profile(name), "verdict": folder}


@pytest.fixture(autouse=True)
def signing(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RATCHET_VERIFY_KEY", raising=False)
    monkeypatch.setenv("RATCHET_SIGNING_KEY", base64.b64encode(room.key.private_bytes_raw()).decode())


def test_the_step_promotes_and_says_so(room: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert promote_step(**gated(room, "m1")) == "champion"
    assert room.aliases == {"champion": "1"}
    assert capsys.readouterr().out == "champion: it is the first\n"


@pytest.mark.parametrize(("verdict", "result"), [("BLOCK", "refused"), ("INCONCLUSIVE", "waiting"), ("ERROR", "error")])
def test_a_verdict_that_is_not_promote_is_no_error_of_the_step(room: Any, verdict: str, result: str) -> None:
    assert promote_step(**gated(room, "m1", verdict=verdict)) == result
    assert room.aliases == {}


def test_with_reviewers_it_waits(room: Any) -> None:
    key = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    assert promote_step(**gated(room, "m1"), reviewers=f"ada {key}\n") == "waiting"
    assert room.aliases == {"challenger": "1"}


def test_without_a_key_nothing_is_promoted(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RATCHET_SIGNING_KEY")
    with pytest.raises(InputError, match="no private key"):
        promote_step(**gated(room, "m1"))
