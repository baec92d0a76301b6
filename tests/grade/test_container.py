"""Whether the grader runs in a container is seen, and said in the grades of programs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratchet.grade import code
from ratchet.grade.code import grade_programs, in_container
from ratchet.grade.sandbox.limits import LEVELS
from ratchet.records import Problem

SIGNS = ("KUBERNETES_SERVICE_HOST", "container")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A host that shows none of the signs of a container, whatever these tests run in; its one file would be a sign."""
    for name in SIGNS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(code, "_CONTAINER_FILES", (str(tmp_path / "containerenv"),))
    monkeypatch.setattr(code, "_CONTAINER_GROUPS", code.re.compile("no group of any process"))
    in_container.cache_clear()
    yield tmp_path / "containerenv"
    in_container.cache_clear()


def test_a_host_without_any_sign_is_no_container(bare: Path) -> None:
    assert not in_container()


@pytest.mark.parametrize("name", SIGNS)
def test_what_a_container_has_in_its_environment_is_a_sign(
    bare: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "podman")
    assert in_container()


def test_a_file_that_a_container_has_is_a_sign(bare: Path) -> None:
    bare.touch()
    assert in_container()


@pytest.mark.parametrize(
    ("group", "inside"),
    [
        ("0::/", False),
        ("4:memory:/user.slice/user-1000.slice", False),
        ("0::/init.scope", False),
        ("4:memory:/docker/3f1", True),
        ("4:memory:/kubepods/besteffort/pod7", True),
        ("0::/system.slice/containerd.service", True),
        ("0::/machine.slice/libpod-3f1.scope", True),
        ("0::/machine.slice/crio-3f1.scope", True),
    ],
)
def test_a_control_group_of_a_container_is_a_sign(group: str, inside: bool) -> None:
    assert bool(code._CONTAINER_GROUPS.search(group)) == inside


@pytest.mark.parametrize(("sign", "suffix"), [(None, ""), ("1", ", container")])
def test_a_programs_grade_says_its_level_and_whether_it_was_in_a_container(
    bare: Path, monkeypatch: pytest.MonkeyPatch, sign: str | None, suffix: str
) -> None:
    if sign is not None:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", sign)
    problem = Problem("1", "f?", "", kind="code", tests="assert f(1) == 2", entry_point="f")
    (grade,) = grade_programs([(problem, "def f(x):\n    return x + 1")], workers=1)
    assert grade.outcome == "correct"
    assert grade.isolation in [f"{level}{suffix}" for level in LEVELS]


def test_a_process_sees_the_sign_that_it_is_started_with() -> None:
    environment = {**os.environ, "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    program = "from ratchet.grade.code import in_container; print(in_container())"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
