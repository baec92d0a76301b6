"""The cache: made once for all who ask, never more than its bound when nobody reads, nothing left of what failed."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ratchet_dashboard.cache import Busy, Cache


def of_bytes(count: int) -> Any:
    return lambda folder: (folder / "file").write_bytes(b"x" * count) and None


def test_of_many_who_ask_at_once_one_makes_it(tmp_path: Path) -> None:
    cache, made, read = Cache(tmp_path, 1000), [], []

    def make(folder: Path) -> None:
        made.append(folder)
        time.sleep(0.1)
        (folder / "file").write_text("here")

    def ask() -> None:
        with cache.entry("key", make) as folder:
            read.append((folder / "file").read_text())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), read) == (1, ["here"] * 8)


def test_what_was_asked_for_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 250)
    for key in ("a", "b", "a", "c"):  # after c there are 300 bytes, and b is the oldest
        with cache.entry(key, of_bytes(100)):
            pass
    again = []
    for key in ("a", "c"):
        with cache.entry(key, again.append):
            pass
    assert again == [] and cache.held_bytes == 200
    with cache.entry("b", lambda folder: again.append(folder)):
        pass
    assert len(again) == 1


def test_what_is_in_use_stays_and_goes_when_it_is_given_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 50)
    with cache.entry("large", of_bytes(100)) as folder:
        with cache.entry("other", of_bytes(10)):
            pass
        assert (folder / "file").stat().st_size == 100
    assert not folder.exists() and cache.held_bytes <= 50


def test_what_failed_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)

    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), cache.entry("key", fail):
        pass
    assert list(tmp_path.iterdir()) == []
    with cache.entry("key", of_bytes(3)) as folder:
        assert [path.name for path in folder.iterdir()] == ["file"]


def test_who_waits_too_long_is_told_so(tmp_path: Path) -> None:
    cache, begun, end = Cache(tmp_path, 1000, patience_s=0.05), threading.Event(), threading.Event()

    def make(folder: Path) -> None:
        begun.set()
        end.wait(10)

    def ask() -> None:
        with cache.entry("key", make):
            pass

    thread = threading.Thread(target=ask)
    thread.start()
    begun.wait(10)
    with pytest.raises(Busy), cache.entry("key", make):
        pass
    end.set()
    thread.join()


def test_a_name_in_a_key_is_no_path(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 1000)
    with cache.entry("../../x", of_bytes(1)) as folder:
        assert folder.parent == tmp_path / "cache"
