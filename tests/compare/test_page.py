"""The comparison's page: what was lost first, changes judged by their intervals, answers side by side and harmless."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ratchet.compare.compare import Comparison, Row, Side, compare
from ratchet.compare.flips import Flip, FlipCounts
from ratchet.compare.page import page, write_page
from ratchet.compare.pictures import Judgement, judged, pictures
from ratchet.evaluate.build import evaluate
from ratchet.records import Attempt
from ratchet.storage import write_records

HOSTILE = "\"'><script>alert(1)</script>&amp; \u202e\x1b[2J\U0001f600 \u0645\u0631\u062d\u0628\u0627 " + "long" * 60


class Text(HTMLParser):
    """The words of a page and its tags, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.tags = " ", []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the words."""
        self.words += "".join(f"{word} " for word in data.split())


def row(name: str, low: float, high: float, suite: str = "sums") -> Row:
    change = (low + high) / 2
    return Row(suite, name, 0.5, 0.5 + change, change, low, high)


ROWS = (
    row("pass@1", 0.02, 0.08),
    row("pass@16", -0.12, -0.06),
    row("calibration.ece", -0.05, -0.01),
    row("disparity", 0.01, 0.2),
    row("diversity.vendi.incorrect", 0.1, 0.2),
    row("diversity.vendi.correct", -0.01, 0.03),
    Row("sums", "crossover", 7.0, 4.0, None, None, None, "no paired change is defined for it"),
)
LOST = Flip("sums", "p7", "hard", (4, 4), (0, 4), 1 / 35, "It is 12.\n#### 12", "It is 13.\n#### 13")
WON = Flip("sums", "p9", None, (1, 4), (4, 4), 1 / 7, None, "word " * 500)


def made(rows: tuple[Row, ...] = ROWS, flips: tuple[Flip, ...] = (LOST, WON), suite: str = "sums") -> Comparison:
    sides = Side("M_1", "sha256:1", "sha256:one"), Side("M_3", None, "sha256:three")
    return Comparison(*sides, rows, (FlipCounts(suite, 500, 97, 12),), flips, ("equal sampling is assumed",))


@pytest.mark.parametrize(
    ("name", "low", "high", "judgement"),
    [
        ("pass@1", 0.01, 0.05, "better"),
        ("pass@1", -0.05, -0.01, "worse"),
        ("calibration.brier", -0.05, -0.01, "better"),
        ("calibration.brier", 0.01, 0.05, "worse"),
        ("disparity", 0.01, 0.05, "worse"),
        ("pass@4[group=1]", -0.05, -0.01, "worse"),
        ("diversity.distinct_2.incorrect", -0.05, -0.01, "moved"),
        ("pass@1", -0.01, 0.05, "not clear"),
        ("pass@1", 0.0, 0.05, "not clear"),
    ],
)
def test_a_change_is_judged_by_its_interval_and_by_what_is_better(
    name: str, low: float, high: float, judgement: Judgement
) -> None:
    assert judged(row(name, low, high)) == judgement


def test_a_change_that_is_unknown_is_not_judged_and_not_drawn() -> None:
    assert judged(ROWS[-1]) == "unknown"
    assert "crossover" not in "".join(picture.chart for picture in pictures(ROWS))
    html = page(made())
    cells = re.findall(r">([^<>]*)</td>", html[html.index("<td>crossover</td>") :])[:7]
    assert cells == ["crossover", "7", "4", "-", "-", "unknown", "no paired change is defined for it"]


def test_what_was_lost_and_won_comes_first_then_the_changes_then_the_problems() -> None:
    words = Text(page(made())).words
    order = ["M_3", "after M_1", "equal sampling is assumed", "Problems lost and won", " 97 ", " 12 ", "Clearly worse"]
    later = [
        "Better when higher",
        "Better when lower",
        "Neither better",
        "All changes of sums",
        "less often",
        "more often",
    ]
    places = [words.index(part) for part in (*order, *later, "sha256:three")]
    assert places == sorted(places)


def test_changes_for_the_better_and_for_the_worse_are_named() -> None:
    words = Text(page(made())).words
    assert "Clearly worse: pass@16, disparity." in words
    assert "Clearly better: pass@1, calibration.ece." in words
    assert "Clearly moved: diversity.vendi.incorrect." in words
    assert "Nothing clearly changed" in Text(page(made(ROWS[5:]))).words


def test_what_is_better_lower_has_a_picture_of_its_own() -> None:
    found = {picture.title: re.findall(r">([^<>]+)</text>", picture.chart) for picture in pictures(ROWS)}
    assert {name for name in found["Better when lower"] if name in {r.name for r in ROWS}} == {
        "calibration.ece",
        "disparity",
    }
    assert "change from before to after (left is better)" in found["Better when lower"]
    assert "pass@16" in found["Better when higher"] and "disparity" not in found["Better when higher"]


def test_the_page_says_how_many_intervals_would_miss_0_by_chance() -> None:
    rows = tuple(row(f"pass@{k}", -0.1, 0.1) for k in range(1, 41))  # 40 intervals of 95 %: 2
    assert "Of all 40 intervals on this page about 2 would miss 0 by chance alone" in Text(page(made(rows))).words


def test_answers_stand_side_by_side_with_the_counts_of_their_problem() -> None:
    html = page(made())
    assert "<pre>It is 12.\n#### 12</pre>" in html and "<pre>It is 13.\n#### 13</pre>" in html
    words = Text(html).words
    assert "p7 group hard right before 4 of 4, after 0 of 4; by chance about 1 time in 35" in words
    assert words.index("before, a right answer") < words.index("It is 12.") < words.index("It is 13.")
    assert "No text was kept." in words and "[… 1,300 characters left out …]" in words  # of 2,500, 1,200 are shown


def test_a_page_has_so_many_problems_and_says_how_many_are_left_out() -> None:
    flips = tuple(Flip("sums", f"p{i}", None, (4, 4), (0, 4), 0.01, "a", "b") for i in range(100))
    html = page(made(flips=flips))
    assert html.count('<section class="flip">') == 60  # half of the 120 for what was lost
    assert "40 more are left out to keep this page short." in Text(html).words


def test_forty_suites_make_a_page_that_can_be_read() -> None:
    suites = [f"suite-{i:02}" for i in range(45)]
    rows = tuple(row(f"pass@{k}", -0.1, 0.1, suite) for suite in suites for k in range(1, 251))
    flips = tuple(
        Flip(suite, f"p{i}", None, (4, 4), (0, 4), 0.01, "<" * 5_000, "&" * 5_000)
        for suite in suites
        for i in range(20)
    )
    counts = tuple(FlipCounts(suite, 500, 9, 1) for suite in suites)
    html = page(Comparison(Side("a", None, "b"), Side("c", None, "d"), rows, counts, flips, ()))
    words = Text(html).words
    assert len(html.encode()) < 4_000_000
    assert "The first 40 of 45 suites are on this page." in words and "The first 10 suites have pictures" in words
    assert "The first 200 of 250 changes are shown." in words and "210 more changes are in the table only." in words
    assert "suite-39" in words and "suite-40" not in words


def test_texts_from_files_are_text_and_the_page_needs_nothing_beside_it() -> None:
    side = Side(HOSTILE, HOSTILE, HOSTILE)
    rows = (row(f"pass@1[group={HOSTILE}]", 0.1, 0.2, HOSTILE), Row(HOSTILE, HOSTILE, 1, 2, None, None, None, HOSTILE))
    flips = (Flip(HOSTILE, HOSTILE, HOSTILE, (4, 4), (0, 4), 0.01, HOSTILE, HOSTILE),)
    html = page(Comparison(side, side, rows, (FlipCounts(HOSTILE, 5, 1, 0),), flips, (HOSTILE,)))
    tags = Text(html).tags
    assert {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"} == set()
    for _, attributes in tags:
        assert not {"src", "href", "xlink:href", "srcset", "data"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert html.count("<svg") == 1 and "<script" not in html and "\u202e" not in html and "\x1b" not in html
    assert "http" not in html.replace("http-equiv", "") and "url(" not in html and "@import" not in html
    assert "<script>alert(1)</script>&amp; <U+202E><U+001B>[2J" in Text(html).words


def test_two_real_profiles_have_a_page(tmp_path: Path) -> None:
    folders = []
    for name, right in (("a", [4, 0, 3, 2] * 5), ("b", [0, 4, 2, 2] * 5)):
        rows = [
            Attempt(f"p{i}", "correct" if j < c else "incorrect", attempt=j, text=f"{name} {i} {j}", group=str(i % 2))
            for i, c in enumerate(right)
            for j in range(4)
        ]
        write_records(tmp_path / f"{name}.jsonl", rows, Attempt)
        folders.append(evaluate([tmp_path / f"{name}.jsonl"], tmp_path / name, name))
    found = compare(*folders)
    write_page(tmp_path / "page.html", found)
    words = Text((tmp_path / "page.html").read_text(encoding="utf-8")).words
    # five problems fell from 4 of 4 to 0, and as many rose
    assert re.search(r"default 20 5 5 ", words)
    assert "p0 group 0 right before 4 of 4, after 0 of 4; by chance about 1 time in 35" in words  # 2 / C(8, 4)
    assert not [r.name for r in found.rows if f" {r.name} " not in words]
