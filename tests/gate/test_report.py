import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ratchet.gate.case import load_case
from ratchet.gate.decide import decide
from ratchet.gate.report import page

Maker = Callable[..., Path]
HOSTILE = '"><script>alert(1)</script>'


def drawn(candidate: Path, policy: Path, first: bool = False, **references: Path) -> str:
    case = load_case(candidate, references, policy, first)
    return page(case, decide(case, datetime(2026, 1, 1, tzinfo=UTC)))


class Text(HTMLParser):
    """The words of a page and its tags, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.tags, self.open = "", [], []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the words."""
        self.words += " " + " ".join(data.split())


@pytest.fixture
def reversal(profile: Maker, policy: Maker) -> str:
    """The page on a candidate that reversed, with a base and a champion."""
    return drawn(
        profile("new", [8] * 120 + [0] * 80, groups=4),
        policy("against: [base]", "against: [base, champion]"),
        base=profile("base", [4] * 200, groups=4),
        champion=profile("champion", [5] * 200, groups=4),
    )


def test_the_verdict_comes_before_the_reasons_and_those_before_the_axes(reversal: str) -> None:
    words = Text(reversal).words
    order = ["BLOCK", "reversal", "Do not promote", "pass@16 fell by 0.400", "Keep champion", "The axes"]
    later = ["pass@k on sums", "By group", "The evidence", "What this verdict speaks of"]
    places = [words.index(part) for part in order + later]
    assert places == sorted(places)


def test_the_page_shows_the_numbers_that_were_decided_on(reversal: str) -> None:
    words = Text(reversal).words
    assert "-0.400" in words and "0.600" in words and "1.000" in words and "3,200" in words
    assert "sha256:new" in words and "max_drop: 0.05" in words


def test_the_page_needs_nothing_beside_it(reversal: str) -> None:
    tags = Text(reversal).tags
    assert {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"} == set()
    for _, attributes in tags:
        assert not {"src", "href", "xlink:href", "srcset", "data"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    elsewhere = re.sub(r'xmlns(:\w+)?="[^"]*"', "", reversal).replace("http-equiv", "")
    assert "http" not in elsewhere and "url(" not in elsewhere and "@import" not in elsewhere


def test_both_charts_are_drawn_with_every_side(reversal: str) -> None:
    assert reversal.count("<svg") == 2
    curves = reversal[reversal.rindex("<svg") :]
    assert all(f">{side}<" in curves for side in ("candidate", "champion", "base"))


def test_names_from_profiles_and_attempts_are_text_and_never_markup(
    rows: Maker, write: Maker, policy: Maker, tmp_path: Path
) -> None:
    suite = "su<script>x"
    named = policy("{main: sums}", f"{{main: '{suite}'}}")
    new = write(tmp_path / "new", rows(suite, [9] * 100, groups=2), HOSTILE, name=HOSTILE)
    base = write(tmp_path / "base", rows(suite, [8] * 100, groups=2), "sha256:b", sampling={"t": HOSTILE})
    for html in (drawn(new, named, base=base), drawn(new, policy(), base=base)):
        assert "script" not in {tag for tag, _ in Text(html).tags}
        assert HOSTILE not in html and HOSTILE in Text(html).words


def test_a_first_checkpoint_has_a_page_without_a_reference(profile: Maker, policy: Maker) -> None:
    words = Text(drawn(profile("m1", [8] * 100), policy(), first=True)).words
    assert "PROMOTE" in words and "it is the first" in words and "pass@k on sums" in words


def test_an_inconclusive_page_says_what_is_missing(profile: Maker, policy: Maker) -> None:
    less = policy("min_problems: 100", "min_problems: 50")
    words = Text(drawn(profile("new", [8] * 50), less, base=profile("base", [8] * 50))).words
    assert "INCONCLUSIVE" in words and "about 59 problems" in words and "undecided" in words


def test_refused_evidence_is_not_drawn(profile: Maker, write: Maker, policy: Maker, tmp_path: Path) -> None:
    html = drawn(write(tmp_path / "empty", [], None), policy(), base=profile("base", [8] * 100))
    assert "nothing was measured" in Text(html).words
    assert "<svg" not in html


def test_groups_are_in_the_order_of_their_numbers(profile: Maker, policy: Maker) -> None:
    words = Text(drawn(profile("m1", [8] * 110, groups=11), policy(), first=True)).words
    table = words[words.index("By group") : words.index("The evidence")]
    assert re.findall(r" (\d+) 10 0\.500", " ".join(table.split())) == [str(i) for i in range(1, 12)]


@pytest.mark.browser
def test_a_browser_shows_the_page_without_a_word_of_complaint(reversal: str, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs headless Chromium")
    path, picture = tmp_path / "report.html", tmp_path / "report.png"
    path.write_text(reversal, encoding="utf-8")
    quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", *quiet, "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'u'}"]
        + [f"--screenshot={picture}", "--window-size=1100,1700", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert picture.stat().st_size > 20_000
    assert "CONSOLE" not in done.stderr
