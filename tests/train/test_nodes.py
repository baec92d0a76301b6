"""The step that trains over several nodes: what it needs, and what it copies into the workspace."""

from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.train import SFT, trained_on
from ratchet.train.nodes import _within

SETTINGS = SFT(epochs=1, batch_size=4, learning_rate=1e-3)


def test_several_nodes_need_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InputError, match=r"nodes: no Kubernetes API .*; expected a pod with a service account's token"):
        trained_on(tmp_path / "m0", tmp_path / "e.parquet", tmp_path / "m1", SETTINGS, nodes=2)


def test_a_mistake_in_the_settings_of_the_job_is_found_with_one_node_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train_job: gpu = '8'"):
        trained_on(tmp_path / "m0", tmp_path / "e.parquet", tmp_path / "m1", SETTINGS, nodes=1, job={"gpu": "8"})


def test_what_all_nodes_see_is_not_copied(tmp_path: Path) -> None:
    assert _within(tmp_path, tmp_path / "m0", tmp_path / "given", "sha256:1") == tmp_path / "m0"
    assert not (tmp_path / "given").exists()


def test_what_the_step_alone_has_is_copied_once_and_anew_when_it_is_another(tmp_path: Path) -> None:
    mount, own = tmp_path / "workspace", tmp_path / "own"
    (own / "m0").mkdir(parents=True)
    (own / "m0" / "config.json").write_text("{}")
    (own / "e.parquet").write_text("first")
    model = _within(mount, own / "m0", mount / "given", "sha256:" + 64 * "a")
    first = _within(mount, own / "e.parquet", mount / "given", "sha256:" + 64 * "b")
    assert ((model / "config.json").read_text(), first.read_text()) == ("{}", "first")
    assert first.name == 16 * "b" + "-e.parquet"
    (own / "e.parquet").write_text("second")
    assert _within(mount, own / "e.parquet", mount / "given", "sha256:" + 64 * "b") == first
    assert first.read_text() == "first"
    assert _within(mount, own / "e.parquet", mount / "given", "sha256:" + 64 * "c").read_text() == "second"


def test_a_copy_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    mount, own = tmp_path / "workspace", tmp_path / "own"
    (own / "m0").mkdir(parents=True)
    (own / "m0" / "config.json").write_text("{}")
    half = mount / "given" / (16 * "a" + "-m0.partial")
    half.mkdir(parents=True)
    (half / "stale").write_text("")
    whole = _within(mount, own / "m0", mount / "given", "sha256:" + 64 * "a")
    assert [path.name for path in whole.iterdir()] == ["config.json"]
