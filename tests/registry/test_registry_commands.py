"""The registry's commands as a user meets them: what they print, and their exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ratchet.cli import invoke
from ratchet.gate.keys import public_pem


@pytest.fixture
def keyed(room: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A room whose keys and MLflow are in the environment."""
    private = room.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    monkeypatch.setenv("RATCHET_SIGNING_KEY", private)
    monkeypatch.setenv("RATCHET_VERIFY_KEY", public_pem(room.key.public_key()))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", room.tracking_uri)
    return room


def promotion(room: Any, name: str, *against: str, **changed: Any) -> list[str]:
    room.log(name)
    files = ["--verdict", room.verdict(name, *against, **changed), "--candidate", room.profile(name)]
    files += ["--checkpoint", room.checkpoint(name), "--policy", room.policy, "--experiment", room.experiment]
    return ["promote", "--model", "solver", *map(str, files)]


def test_promote_review_reconcile_and_rollback(keyed: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert invoke(["keys", "new", "--out", str(tmp_path / "ada.pem")]) == 0
    line = (tmp_path / "ada.pem.pub").read_text().splitlines()[1]
    (tmp_path / "reviewers.txt").write_text(f"ada {line}\n")
    review = ["--review", str(tmp_path / "reviewers.txt")]
    first = promotion(keyed, "m1")
    capsys.readouterr()
    assert invoke([*first, *review]) == 2
    assert capsys.readouterr().out.startswith("WAITING: solver version 1: it waits for a review\nnext: ratchet review ")
    who = ["--version", "1", "--by", "ada", "--reason", "read it", "--key", str(tmp_path / "ada.pem")]
    assert invoke(["review", "approve", "--model", "solver", *who]) == 0
    assert capsys.readouterr().out == "approve: solver version 1 by ada\n"
    assert invoke([*first, *review, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == "champion"
    assert invoke(promotion(keyed, "m2", "m1")) == 0
    capsys.readouterr()
    assert invoke(["review", "show", "--model", "solver", "--version", "1", "--reviewers", review[1]]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("solver version 1  @rollback\n") and "approve by ada (holds): read it" in shown
    keyed.client.set_registered_model_alias("solver", "champion", "1")
    assert invoke(["reconcile", "--model", "solver"]) == 1
    event = json.loads(capsys.readouterr().out)
    assert (event["did"], event["found"], event["version"]) == ("restored", "1", "2")
    assert invoke(["reconcile", "--model", "solver", "--once"]) == 0
    assert capsys.readouterr().out == ""
    assert invoke(["rollback", "--model", "solver", "--reason", "wrong units"]) == 0
    assert capsys.readouterr().out == "CHAMPION: solver version 1: it takes the place of version 2\n"
    assert invoke(["review", "list", "--model", "solver", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["version"], one["aliases"]) for one in listed] == [("2", []), ("1", ["champion"])]


def test_what_is_refused_is_said_in_a_line_with_what_to_do(keyed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(promotion(keyed, "m1", verdict="BLOCK", kind="regression")) == 1
    assert capsys.readouterr().out == "REFUSED: solver: the verdict is BLOCK; It is within every margin.\n"
    call = promotion(keyed, "m1")
    assert invoke([*call, "--four-eyes"]) == 64
    assert "--four-eyes without --review" in capsys.readouterr().err
    assert invoke(["reconcile", "--model", "solver", "--once", "--every", "5"]) == 64
    assert "--once with --every or --listen" in capsys.readouterr().err


def test_without_keys_nothing_is_done(
    keyed: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = promotion(keyed, "m1")
    monkeypatch.delenv("RATCHET_SIGNING_KEY")
    assert invoke(call) == 64
    assert "no private key; expected --key, or RATCHET_SIGNING_KEY" in capsys.readouterr().err
    monkeypatch.delenv("RATCHET_VERIFY_KEY")
    assert invoke(["reconcile", "--model", "solver"]) == 64
    assert "no public key; expected --public-key, or RATCHET_VERIFY_KEY" in capsys.readouterr().err
