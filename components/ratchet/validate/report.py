"""The validation as one HTML page that needs no other file and no network."""

from functools import cache
from pathlib import Path
from typing import Any

from ratchet.validate.result import ValidationResult


def render(result: ValidationResult, name: str) -> str:
    """The page for a result on the problem file called `name`; whatever a problem says is shown as text."""
    return str(_template().render(result=result, name=name, total=sum(result.problems.values())))


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8"))
