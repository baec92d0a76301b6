"""Finished attempts on disk."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ratchet.records import Sample
from ratchet.sample import parts as module
from ratchet.sample.parts import Parts


def _samples(*numbers: int) -> list[Sample]:
    return [Sample("p", "s", number, "x", "stop", 1, -1.0) for number in numbers]


def test_attempts_are_on_disk_a_second_after_they_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    clock = SimpleNamespace(monotonic=lambda: now, time_ns=time.time_ns)
    monkeypatch.setattr(module, "time", clock)
    parts = Parts(tmp_path / "parts", sure=True)
    parts.add(_samples(1))
    now += 0.9
    parts.add(_samples(0))
    assert Parts(tmp_path / "parts", sure=True).read() == []
    now += 0.2
    parts.add([])
    assert Parts(tmp_path / "parts", sure=True).read() == _samples(0, 1)


def test_unchecked_attempts_are_kept_or_removed_together(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts", sure=False)
    parts.add(_samples(0))
    parts.confirm()
    parts.add(_samples(1, 2))
    assert parts.reject() == 2
    assert parts.read() == _samples(0)
    assert not parts.unsure()


def test_what_a_kill_left_of_a_part_is_no_part(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "parts", sure=True)
    parts.add(_samples(0))
    parts.flush()
    (tmp_path / "parts" / ".part-1.parquet.abc.tmp").write_bytes(b"PAR1")
    assert Parts(tmp_path / "parts", sure=True).read() == _samples(0)
    parts.remove()
    assert not (tmp_path / "parts").exists()
