"""A checkpoint that MLflow loads: by reference or uploaded, and never other weights than those that were logged."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import InputError
from ratchet.evaluate.build import evaluate
from ratchet.identity import checkpoint_digest
from ratchet.records import Attempt
from ratchet.registry.log import log_checkpoint
from ratchet.registry.weights import located, stored_weights_fault
from ratchet.storage import write_records


def logged(room: Any, checkpoint: Path, weights: str) -> Any:
    rows = [Attempt("a", "correct", suite="arithmetic", attempt=0)]
    attempts = room.folder / "attempts.parquet"
    write_records(attempts, rows, Attempt, {"checkpoint": checkpoint_digest(checkpoint), "sampling": {"seed": 1}})
    profile = evaluate([attempts], room.folder / "profile", "M_1")
    where = (room.tracking_uri, room.experiment, weights)
    identity = log_checkpoint(*where, checkpoint, profile, 1, weights=weights)
    return room.client.get_logged_model(identity)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["reference", "upload"])
def test_a_checkpoint_loads_through_mlflow_and_generates(
    room: Any, untrained: Path, weights: str, tmp_path: Path
) -> None:
    import mlflow
    from transformers import AutoModelForCausalLM, AutoTokenizer

    checkpoint = Path(shutil.copytree(untrained, tmp_path / "checkpoint"))
    model = logged(room, checkpoint, weights)
    if weights == "upload":
        shutil.rmtree(checkpoint)
    loaded = mlflow.pyfunc.load_model(model.artifact_location)
    (said,) = loaded.predict(["2 + 2 ="], params={"max_new_tokens": 1})
    tokenizer, plain = (kind.from_pretrained(untrained) for kind in (AutoTokenizer, AutoModelForCausalLM))
    given = tokenizer("2 + 2 =", return_tensors="pt", return_token_type_ids=False)
    drawn = plain(**given).logits[0, -1].argmax()  # greedy decoding of one token, by hand
    assert said == tokenizer.decode(drawn, skip_special_tokens=True)


def test_weights_that_changed_are_not_loaded(room: Any) -> None:
    model = logged(room, room.checkpoint("m1"), "reference")
    folder = Path(model.artifact_location.removeprefix("file://")) / "model"
    assert located(folder) == room.checkpoint("m1")
    (room.checkpoint("m1") / "model.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match="as it was logged"):
        located(folder)


def test_uploaded_weights_that_changed_are_found(room: Any) -> None:
    digest = room.digest("m1")
    model = logged(room, room.checkpoint("m1"), "upload")
    source = model.artifact_location
    assert stored_weights_fault(room.registered, source, digest) is None
    assert str(stored_weights_fault(room.registered, source, "sha256:x")).endswith(f"has the digest {digest}")
    (Path(source.removeprefix("file://")) / "model" / "model.safetensors").write_bytes(b"other")
    assert "the uploaded checkpoint has the digest sha256:" in str(
        stored_weights_fault(room.registered, source, digest)
    )


def test_a_promotion_refuses_an_upload_that_was_changed(room: Any) -> None:
    room.log("m1", weights="upload")
    for path in room.folder.rglob("models/*/artifacts/model/model.safetensors"):
        path.write_bytes(b"other")
    outcome = room.promote("m1")
    assert outcome.exit_code == 3 and outcome.reasons[0].startswith("the uploaded checkpoint has the digest")


def test_a_reference_holds_no_weights(room: Any) -> None:
    model = logged(room, room.checkpoint("m1"), "reference")
    assert not list(Path(model.artifact_location.removeprefix("file://")).rglob("*.safetensors"))
    assert stored_weights_fault(room.registered, model.artifact_location, "sha256:x") is None
