"""Policies to start from: commented YAML with places for the suites' names."""

import json
import re
from collections.abc import Sequence
from importlib.resources import files

from ratchet.errors import InputError

PRESETS = ("strict", "default", "exploratory")
_MAIN, _OOD, _ALL_OOD = "MAIN_SUITE", "OOD_SUITE", "OOD_SUITES"


def preset(name: str, main: str, ood: Sequence[str] = ()) -> str:
    """The preset's text for these suites; its lines for an `ood` suite are repeated for each, or left out."""
    _require_names(main, ood)
    text = files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    lines = [line for old in text.splitlines() for line in _for_each(old, ood)]
    return "\n".join(lines).replace(_MAIN, _quoted(main)) + "\n"


def _for_each(line: str, ood: Sequence[str]) -> list[str]:
    if _ALL_OOD in line:
        return [line.replace(f'"{_ALL_OOD}"', ", ".join(f'"{_quoted(name)}"' for name in ood))]
    if re.search(rf"\b{_OOD}\b", line):
        return [line.replace(_OOD, _quoted(name)) for name in ood]
    return [line]


def _quoted(name: str) -> str:
    """The name as it stands between double quotes in YAML, which reads JSON's escapes."""
    return json.dumps(name, ensure_ascii=False)[1:-1]


def _require_names(main: str, ood: Sequence[str]) -> None:
    names = [main, *ood]
    for index, name in enumerate(names):
        if not (name and name.isprintable()):
            raise InputError(f"suite {name!r}", expected="a name of printable characters")
        if name in names[:index]:
            raise InputError(f"suite {name!r} again", expected="each suite once")
