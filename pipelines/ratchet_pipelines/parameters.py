"""The parameters of a pipeline as a user gives them: names and types are checked before anything is sent."""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ratchet.errors import InputError
from ratchet.storage import read_bytes

TYPES = {
    "STRING": (str, "text"),
    "NUMBER_INTEGER": (int, "a whole number"),
    "NUMBER_DOUBLE": (float, "a number"),
    "BOOLEAN": (bool, "true or false"),
    "LIST": (list, "a list"),
    "STRUCT": (dict, "a mapping"),
}


def pipeline_spec(path: Path) -> dict[str, Any]:
    """The pipeline specification in a compiled YAML file."""
    try:
        found = next(iter(yaml.safe_load_all(read_bytes(path))), None)
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict) or "pipelineInfo" not in found or "root" not in found:
        raise InputError("no compiled pipeline", where=path, expected="the YAML that `ratchet pipeline compile` writes")
    return found


def read_parameters(file: Path | None, given: Sequence[str]) -> dict[str, Any]:
    """The parameters in a YAML file, with those of `name=value` over them; a value `@FILE` is that file's text."""
    values: Any = yaml.safe_load(read_bytes(file)) if file is not None else {}
    if not isinstance(values, dict):
        raise InputError("no parameters", where=str(file), expected="a YAML mapping of names to values")
    return {str(name): value for name, value in values.items()} | dict(_pair(text) for text in given)


def _pair(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InputError(f"{text!r}", where="--param", expected="name=value, or name=@FILE for a file's text")
    return name, read_bytes(Path(value[1:])).decode() if value.startswith("@") else value


def checked(spec: Mapping[str, Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The parameters in the types that the pipeline declares; unknown, missing and ill-typed ones are refused."""
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            raise InputError(
                f"unknown parameter {name!r}",
                where=where,
                expected="one of " + ", ".join(sorted(declared)),
                next=f"did you mean {near[0]!r}?" if near else "",
            )
    missing = [name for name, about in declared.items() if not about.get("isOptional") and name not in given]
    if missing:
        about = declared[missing[0]].get("description", "")
        raise InputError(
            f"no {missing[0]!r}", where=where, expected=about or "a value", next=f"give --param {missing[0]}=…"
        )
    return {name: _typed(name, value, declared[name]["parameterType"], where) for name, value in given.items()}


def _typed(name: str, value: Any, declared: str, where: str) -> Any:
    """The value in the declared type; a text from the command line is read as YAML where another type is wanted."""
    kind, words = TYPES[declared]
    if kind is str:
        return value if isinstance(value, str) else json.dumps(value)
    found = yaml.safe_load(value) if isinstance(value, str) else value
    if kind is float and isinstance(found, str):
        found = _number(found)
    if kind is float and isinstance(found, int) and not isinstance(found, bool):
        found = float(found)
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise InputError(f"{name} = {value!r}"[:200], where=where, expected=words)
    return found


def _number(text: str) -> float | str:
    """The number that YAML takes for a text, such as 1e-5, or the text."""
    try:
        return float(text)
    except ValueError:
        return text
