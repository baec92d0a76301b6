"""Writes the table of values into the chart's README, from the comments in values.yaml.

`python charts/readme.py` writes it; `make golden` runs that.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

CHART = Path(__file__).parent / "ratchet"
BEGIN, END = "<!-- values: written by charts/readme.py -->", "<!-- end of values -->"


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the chart: where it is, what it is unless set, and its comment; `group` where it only holds others."""

    path: str
    default: str
    comment: str
    group: bool


def values(text: str) -> list[Value]:
    """All values in order. A mapping whose keys have no comments is one value; a comment is the lines right above."""
    return list(_under(yaml.compose(text), text.splitlines(), ""))


def table(text: str) -> str:
    """The values as Markdown: a heading and a table for each group at the top."""
    found, parts = values(text), []
    alone = [one for one in found if not one.group and "." not in one.path]
    if alone:
        parts.append(_rows(alone))
    for group in (one for one in found if one.group and "." not in one.path):
        inside = [one for one in found if one.path.startswith(f"{group.path}.")]
        parts.append(f"### {group.path}\n\n{group.comment}\n\n{_rows(inside)}")
    return "\n\n".join(parts)


def written(readme: str, text: str) -> str:
    """The README with the table of these values between its markers."""
    head, _, rest = readme.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{table(text)}\n\n{END}{rest.partition(END)[2]}"


def _under(node: yaml.Node | None, lines: list[str], prefix: str) -> Iterator[Value]:
    assert isinstance(node, yaml.MappingNode)
    for key, value in node.value:
        path, comment = f"{prefix}{key.value}", _comment(lines, key.start_mark.line)
        block = isinstance(value, yaml.MappingNode) and bool(value.value)
        group = (
            block and all(_comment(lines, inner.start_mark.line) for inner, _ in value.value) and not value.flow_style
        )
        yield Value(path, "" if group else _default(value), comment, group)
        if group:
            yield from _under(value, lines, f"{path}.")


def _comment(lines: list[str], line: int) -> str:
    """The comment right above a line."""
    words: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        words.insert(0, lines[line].lstrip(" #"))
    return " ".join(words)


def _default(node: yaml.Node) -> str:
    loader = yaml.SafeLoader("")
    return json.dumps(loader.construct_object(node, deep=True))


def _rows(some: list[Value]) -> str:
    rows = [f"| `{one.path}` | {f'`{one.default}`' if one.default else ''} | {one.comment} |" for one in some]
    return "\n".join(["| value | unless set | what |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    page = CHART / "README.md"
    new = written(page.read_text(encoding="utf-8"), (CHART / "values.yaml").read_text(encoding="utf-8"))
    page.write_text(new, encoding="utf-8")
    sys.stdout.write(f"{page}\n")
