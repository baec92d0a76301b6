"""YAML files read into pydantic models: what is wrong is said with its line number and the nearest known name."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from ratchet.errors import InputError
from ratchet.storage import read_bytes

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """Base of every configuration: unknown keys are refused, values are never coerced from another type silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FieldError(ValueError):
    """What a model's validator finds wrong at a place below the model; `location` leads to its line in the file."""

    def __init__(self, found: str, *, expected: str, location: tuple[str | int, ...], next: str = "") -> None:
        super().__init__(found)
        self.found, self.expected, self.location, self.next = found, expected, location, next


def load_yaml(path: Path, model: type[Model]) -> Model:
    """The file as `model`; the first thing wrong with it is an InputError with its line."""
    import yaml

    text = read_bytes(path)
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date or a number that is none
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be parsed"
        line = mark.line + 1 if mark else None
        raise InputError(f"not YAML ({problem})", where=path, line=line, expected="a YAML mapping") from None
    if not isinstance(value, dict):
        found = "nothing" if value is None else f"a {type(value).__name__}"
        raise InputError(found, where=path, line=1, expected="a YAML mapping")
    _refuse_duplicate_keys(tree, path)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _explained(error, model, tree, path) from None


def _explained(error: ValidationError, model: type[BaseModel], tree: Any, path: Path) -> InputError:
    errors = error.errors()
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])  # a misspelt key is missing as well
    location = first["loc"]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, FieldError):
        line = _line_of(tree, location + cause.location)
        return InputError(cause.found, where=path, line=line, expected=cause.expected, next=cause.next)
    line = _line_of(tree, location)
    name = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        return InputError(
            f"unknown key {name!r}", where=path, line=line, expected="one of " + ", ".join(known), next=hint
        )
    if first["type"] == "missing":
        return InputError(f"no {name!r}", where=path, line=line, expected=f"a value for {name!r}")
    message = first["msg"].removeprefix("Value error, ")
    found = f"{name} = {first['input']!r}"[:200]
    return InputError(found, where=path, line=line, expected=message[:1].lower() + message[1:])


def _keys_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that the model knows at a location; parts that name no field (union tags, keys) are passed over."""
    current = model
    for part in location:
        field = current.model_fields.get(str(part))
        inner = [m for m in _models_in(field.annotation)] if field is not None else []
        if inner:
            tags = list(location)
            current = next((m for m in inner if _tag(m) in tags), inner[0])
    return list(current.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arg in get_args(annotation) for model in _models_in(arg)]


def _tag(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("type")
    return get_args(field.annotation)[0] if field is not None and get_args(field.annotation) else None


def _line_of(tree: Any, location: Sequence[int | str]) -> int:
    """The line of the deepest part of the location that the file has; a key's own line where the last part is a key."""
    import yaml

    node = tree
    line: int = tree.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is not None:
                line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _refuse_duplicate_keys(node: Any, path: Path) -> None:
    import yaml

    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            if key.value in seen:
                raise InputError(
                    f"key {key.value!r} again (first on line {seen[key.value]})",
                    where=path,
                    line=key.start_mark.line + 1,
                    expected="each key once",
                )
            seen[key.value] = key.start_mark.line + 1
            _refuse_duplicate_keys(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicate_keys(item, path)
