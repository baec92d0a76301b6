"""What a scheduled retraining fetches: the champion's weights and profiles, each the very one that was promoted."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ratchet.errors import InputError
from ratchet.evaluate.profile import read_profile
from ratchet.registry.champion import Champion, fetch_champion, hand_on_champion
from ratchet.registry.registered import versions
from ratchet.steps import located


def _fetched(room: Any) -> Champion | None:
    keys = [room.key.public_key()]
    return fetch_champion(room.tracking_uri, room.name, keys, room.folder / "fetched")


def _stored(room: Any, version: int) -> Path:
    """Where the embedded MLflow keeps the files of a version."""
    return Path(urlsplit(versions(room.client, room.name)[version - 1].source).path)


def test_there_is_no_champion_before_the_first_promotion(room: Any) -> None:
    room.log("m1")
    assert _fetched(room) is None


def test_the_champion_comes_with_the_profiles_of_all_champions_before_it(room: Any) -> None:
    room.promote("m1")
    room.promote("m2", "m1")
    found = _fetched(room)
    assert found is not None
    assert (found.version, found.checkpoint) == ("2", room.checkpoint("m2"))
    assert [read_profile(folder).checkpoint for folder in found.profiles] == [room.digest("m1"), room.digest("m2")]
    assert all((folder / "attempts.parquet").is_file() for folder in found.profiles)


def test_uploaded_weights_are_fetched(room: Any) -> None:
    room.log("m1", weights="upload")
    room.promote("m1")
    found = _fetched(room)
    assert found is not None
    assert found.checkpoint == room.folder / "fetched" / "checkpoint"
    assert (found.checkpoint / "model.safetensors").read_bytes() == (
        room.checkpoint("m1") / "model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("profile.json", "another profile than the one that was promoted"), ("attempts.parquet", "another profile")],
)
def test_a_profile_that_somebody_changed_is_refused(room: Any, name: str, complaint: str) -> None:
    room.promote("m1")
    path = _stored(room, 1) / name
    room.checkpoint("m2")
    path.write_bytes((room.profile("m2") / name).read_bytes())
    with pytest.raises(InputError, match=complaint):
        _fetched(room)


def test_weights_that_somebody_changed_are_refused_even_with_another_digest_beside_them(room: Any) -> None:
    room.promote("m1")
    weights = room.checkpoint("m1") / "model.safetensors"
    weights.write_bytes(b"other weights")
    with pytest.raises(InputError, match="as it was logged"):
        _fetched(room)
    pointer = _stored(room, 1) / "model" / "checkpoint.json"
    from ratchet.identity import checkpoint_digest
    from ratchet.storage import write_json

    folder = room.checkpoint("m1")
    write_json(pointer, {"digest": checkpoint_digest(folder), "location": str(folder)})
    with pytest.raises(InputError, match="other weights; expected checkpoint sha256:.*, as it was promoted"):
        _fetched(room)


def test_the_step_hands_on_pointers_and_says_where_there_is_no_champion_yet(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ratchet.gate.keys import public_pem

    artifacts = [str(room.folder / name) for name in ("checkpoint", "base", "champion", "history")]
    out = room.folder / "step"
    with pytest.raises(InputError, match="no public key"):
        hand_on_champion(room.tracking_uri, room.name, out, *artifacts)
    monkeypatch.setenv("RATCHET_VERIFY_KEY", public_pem(room.key.public_key()))
    assert hand_on_champion(room.tracking_uri, room.name, out, *artifacts) == "none"
    room.promote("m1")
    room.promote("m2", "m1")
    assert hand_on_champion(room.tracking_uri, room.name, out, *artifacts) == "champion"
    assert located(artifacts[0]) == room.checkpoint("m2")
    profiles = [read_profile(Path(folder)).checkpoint for folder in (artifacts[1], artifacts[2])]
    assert profiles == [room.digest("m1"), room.digest("m2")]
    assert sorted(path.name for path in Path(artifacts[3]).iterdir()) == ["0000", "0001"]
