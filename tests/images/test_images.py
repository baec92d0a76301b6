"""Containerfiles, pinned requirements, names of images and components say the same."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ratchet import __version__
from ratchet.images import COMPILES, EXTRAS, IMAGES, SCRATCH, SERVERS, USER
from ratchet_pipelines.catalogue import COMPONENTS, README, load

ROOT = Path(__file__).parents[2]
FOLDERS = ROOT / "components" / "images"
LOCKED = ("base", "train", "grade", "dashboard")  # by infra/images/lock.sh
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)


def _instructions(name: str) -> list[str]:
    """The instructions of a Containerfile, one an item, without comments."""
    text = (FOLDERS / name / "Containerfile").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line.strip() for line in lines.replace("\\\n", " ").splitlines() if line.strip()]


def _last_stage(name: str) -> list[str]:
    instructions = _instructions(name)
    last = max(place for place, line in enumerate(instructions) if line.startswith("FROM "))
    return instructions[last:]


def _pins(path: Path) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in PIN.findall(path.read_text())}


def test_each_image_has_a_folder_and_each_folder_is_of_an_image() -> None:
    assert {path.parent.name for path in FOLDERS.glob("*/Containerfile")} == set(IMAGES)


def test_each_image_is_tagged_with_the_version_of_the_package() -> None:
    assert {image.rpartition(":")[2] for image in IMAGES.values()} == {__version__}


def test_each_component_runs_in_an_image_that_is_built_and_the_table_says_which() -> None:
    steps = [(room, name) for room, names in COMPONENTS.items() for name in names]
    used = {name: load(room, name).component_spec.implementation.container.image for room, name in steps}
    assert set(used.values()) == {image for name, image in IMAGES.items() if name not in SERVERS}
    rows = [line.split(" | ") for line in README.read_text().splitlines() if line.startswith("| [")]
    assert {row[0].split("[")[1].split("]")[0]: row[2] for row in rows} == {
        name: image.rpartition("/")[2].partition(":")[0] for name, image in used.items()
    }


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_says_its_name_and_runs_as_a_numeric_user_that_writes_to_one_folder(name: str) -> None:
    stage = " \n".join(_last_stage(name))
    assert f'org.opencontainers.image.title="{IMAGES[name].rpartition("/")[2].partition(":")[0]}"' in stage
    assert 'org.opencontainers.image.version="${VERSION}"' in stage
    assert 'org.opencontainers.image.revision="${REVISION}"' in stage
    assert f"USER {USER}:{USER}" in stage
    assert f"HOME={SCRATCH} TMPDIR={SCRATCH}" in stage


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_gets_what_is_pinned_to_the_hash_and_the_library_and_nothing_else(name: str) -> None:
    *before, run = [line for line in _last_stage(name) if line.startswith("RUN ")]
    assert len(before) == (name in COMPILES)
    assert "--require-hashes -r /opt/ratchet/requirements.txt" in run
    assert run.endswith("rm -rf /tmp/* /opt/ratchet/.lock"), "the installer is in /tmp"
    assert not re.search(r"apt|curl|wget|gcc|build-essential", run)
    assert [line for line in _last_stage(name) if line.startswith(("COPY ", "ADD "))] == [
        f"COPY components/images/{name}/requirements.txt /opt/ratchet/requirements.txt",
        "COPY --from=library /library /opt/ratchet",
    ]


@pytest.mark.parametrize("name", IMAGES)
def test_no_image_names_a_registry_or_the_tag_latest(name: str) -> None:
    started = [line.removeprefix("ARG BASE=") for line in _instructions(name) if line.startswith("ARG BASE=")]
    assert started
    assert all(":" in image and "/" not in image and not image.endswith(":latest") for image in started)


@pytest.mark.parametrize("name", LOCKED)
def test_the_images_that_differ_in_their_packages_alone_are_built_alike(name: str) -> None:
    # All but the name of the image, and the line that describes it.
    built = [line for line in _instructions(name) if not line.startswith("LABEL ")]
    assert [line.replace(f"/{name}/", "/base/") for line in built] == [
        line for line in _instructions("base") if not line.startswith("LABEL ")
    ]


@pytest.mark.parametrize("name", LOCKED)
def test_an_image_has_what_its_extras_ask_for(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    asked = [Requirement(text) for text in [*project["dependencies"], *(r for e in EXTRAS[name] for r in optional[e])]]
    pins = _pins(FOLDERS / name / "requirements.txt")
    assert [str(r) for r in asked if not r.specifier.contains(pins.get(canonicalize_name(r.name), "0"))] == []


@pytest.mark.parametrize("name", LOCKED)
def test_an_image_has_the_versions_that_the_tests_ran_with(name: str) -> None:
    pins, tested = _pins(FOLDERS / name / "requirements.txt"), _pins(ROOT / "requirements.txt")
    assert {package: version for package, version in pins.items() if tested.get(package) != version} == {}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_has_no_package_that_only_steps_or_other_servers_need(name: str) -> None:
    pins = _pins(FOLDERS / name / "requirements.txt")
    assert not {"kfp", "great-expectations", "torch", "mlflow", "flask", "scikit-learn", "pandas"} & set(pins)


@pytest.mark.parametrize(
    ("script", "start", "left_out"),
    [
        ("Makefile", "\tinfra/images/build.sh", set()),
        ("infra/images/build.sh", "ALL=", set()),
        ("infra/images/lock.sh", "for image in", {"sample"}),  # which has pins of its own
        ("infra/ci/cluster-tests.sh", "read -ra IMAGES", {"sample"}),  # which on processors is that of train
    ],
)
def test_every_image_is_in_the_lists_of_the_scripts(script: str, start: str, left_out: set[str]) -> None:
    (line,) = [line for line in (ROOT / script).read_text().splitlines() if line.startswith(start)]
    assert set(IMAGES) - set(re.findall(r"[a-z]+", line)) == left_out


@pytest.mark.parametrize("path", sorted(FOLDERS.glob("*/requirements*.txt")), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_pin_has_hashes_and_no_file_names_an_index(path: Path) -> None:
    lines = path.read_text().splitlines()
    pinned = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert pinned
    assert [line for line in pinned if not re.match(r"[A-Za-z0-9._\[\],-]+==\S+.* \\$", line)] == []
    hashed = sum(before.endswith("\\") and "--hash=sha256:" in line for before, line in pairwise(lines))
    assert hashed >= len(pinned)
    assert "://" not in path.read_text()
