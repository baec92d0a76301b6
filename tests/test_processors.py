"""How many processors a process may use: those it is let run on, within the quota of its control groups."""

import os
from pathlib import Path

import pytest

from ratchet.processors import processors


@pytest.fixture(autouse=True)
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))


def _files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),  # a container's: 2.5 processors
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "6400000 100000\n"}, 16),  # a quota of 64 on a machine of 16
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "max 100000\n"}, 4),  # the group around it
        ("0::/kubepods/x\n", {"cpu.max": "200000 100000\n"}, 2),  # mounted at the top, another path outside
        (
            "4:cpu,cpuacct:/\n1:name=systemd:/\n",
            {"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"},
            2,
        ),
        ("4:cpu,cpuacct:/pod\n", {"cpu/pod/cpu.cfs_quota_us": "-1", "cpu/pod/cpu.cfs_period_us": "100000"}, 16),
        ("4:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 16),
        ("garbage", {}, 16),
    ],
)
def test_the_smallest_quota_counts(own: str, files: dict[str, str], expected: int, tmp_path: Path) -> None:
    (tmp_path / "own").write_text(own)
    assert processors(_files(tmp_path / "groups", files), tmp_path / "own") == expected


def test_a_machine_without_control_groups_has_what_it_may_run_on(tmp_path: Path) -> None:
    assert processors(tmp_path / "none", tmp_path / "neither") == 16
