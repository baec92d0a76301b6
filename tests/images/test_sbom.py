"""The bill of materials says what is installed: of Debian and of Python."""

import importlib.util
import json
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "infra" / "images" / "sbom.py"
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library: Shared libraries
 Version: of a continued line, which is no field

Package: vim
Status: deinstall ok config-files
Architecture: amd64
Version: 2:9.0
"""


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sbom", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_installed_debian_package_is_listed_and_a_removed_one_is_not(sbom: ModuleType) -> None:
    found = sbom.bill("host/name:1.2", STATUS, iter(()))["components"]
    # The purl of Debian's packages escapes the plus sign of the version: %2B.
    purl = "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64"
    assert found == [
        {"type": "library", "bom-ref": purl, "name": "libc6", "version": "2.36-9+deb12u10", "purl": purl},
    ]


def test_a_distribution_is_listed_by_its_normal_name_with_the_licence_that_it_declares(sbom: ModuleType) -> None:
    declared = distribution("typing_extensions")
    (found,) = sbom.bill("name:1", "", iter([declared]))["components"]
    assert found["purl"] == f"pkg:pypi/typing-extensions@{declared.version}"
    assert found["licenses"] == [{"expression": "PSF-2.0"}]


def test_the_same_packages_give_the_same_bill_in_whatever_order_they_are_found(sbom: ModuleType) -> None:
    found: list[Distribution] = [distribution(name) for name in ("numpy", "scipy", "click")]
    assert sbom.bill("n:1", STATUS, iter(found)) == sbom.bill("n:1", STATUS, iter(reversed(found)))


def test_the_image_is_named_with_its_version(sbom: ModuleType) -> None:
    component = sbom.bill("ratchet-mlops/ratchet-python-grade:0.1.0", "", iter(()))["metadata"]["component"]
    assert (component["name"], component["version"]) == ("ratchet-mlops/ratchet-python-grade", "0.1.0")


def test_run_as_a_script_it_lists_each_package_of_this_environment_once() -> None:
    said = subprocess.run([sys.executable, SCRIPT, "image:1"], capture_output=True, text=True, check=True, timeout=60)
    bill = json.loads(said.stdout)
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(set(references)) == len(references)
    assert {"pytest", "numpy"} <= {component["name"] for component in bill["components"]}
