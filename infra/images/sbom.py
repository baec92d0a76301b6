"""The bill of materials of the image that this runs in, as CycloneDX 1.6 JSON on the standard output.

Run inside the image with its name as the argument (`infra/images/build.sh` does): it looks at what is installed there,
not at what was asked for. Only Python's own library is used. Licences are what the packages themselves declare.
"""

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

DPKG = Path("/var/lib/dpkg/status")


def bill(image: str, dpkg: str, installed: Iterator[Distribution]) -> dict[str, Any]:
    """The bill of materials of an image: Debian's packages from dpkg's status file, and Python's distributions.

    It says no time and no serial number, so the same image always has the same bill.
    """
    name, _, version = image.rpartition(":")
    components = [*_debian(dpkg), *_python(installed)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": image, "name": name, "version": version}},
        "components": sorted(components, key=lambda found: str(found["bom-ref"])),
    }


def _debian(dpkg: str) -> Iterator[dict[str, Any]]:
    for entry in dpkg.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", entry, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            where = f"?arch={fields['Architecture']}"
            yield _component("deb/debian", fields["Package"], fields["Version"], where)


def _python(installed: Iterator[Distribution]) -> Iterator[dict[str, Any]]:
    found = {re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower(): each for each in installed}
    for name, distribution in found.items():
        metadata = distribution.metadata
        component = _component("pypi", name, distribution.version)
        declared = metadata.get("License-Expression") or metadata.get("License", "").strip().partition("\n")[0]
        licence = {"expression": declared} if metadata.get("License-Expression") else {"license": {"name": declared}}
        yield {**component, "licenses": [licence]} if declared else component


def _component(kind: str, name: str, version: str, qualifiers: str = "") -> dict[str, Any]:
    purl = f"pkg:{kind}/{quote(name, safe='+')}@{quote(version, safe='')}{qualifiers}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    status = DPKG.read_text() if DPKG.exists() else ""
    print(json.dumps(bill(sys.argv[1], status, distributions()), indent=1))
