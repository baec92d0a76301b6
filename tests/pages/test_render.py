"""Templates: whatever is put into one is shown as text, and nothing is left open."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from ratchet.pages.render import rendered

TEMPLATE = """{% extends "base.html.j2" %}
{% block title %}{{ name }}{% endblock %}
{% block body %}<p title="{{ name }}">{{ name }} {{ number }}</p>{{ picture | safe }}{% endblock %}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A package with a template of its own, `page.html.j2`."""
    name = f"pages_of_{request.node.name}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / name / "page.html.j2").write_text(TEMPLATE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_value_is_escaped_and_what_it_hides_is_shown(package: str) -> None:
    html = rendered(package, "page.html.j2", name="\"'><b>\u202e\x00&", number=3, picture="<svg></svg>")
    shown = "&#34;&#39;&gt;&lt;b&gt;&lt;U+202E&gt;&lt;U+0000&gt;&amp;"
    assert f'<p title="{shown}">{shown} 3</p><svg></svg>' in html
    assert f"<title>{shown}</title>" in html


def test_every_page_has_the_shared_look_and_forbids_what_it_does_not_bring(package: str) -> None:
    html = rendered(package, "page.html.j2", name="a", number=1, picture="")
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert "@media print" in html and html.startswith("<!doctype html>")


def test_a_value_that_is_missing_is_an_error_and_not_a_gap(package: str) -> None:
    with pytest.raises(UndefinedError):
        rendered(package, "page.html.j2", name="a", picture="")
