"""The profile's page and its summary: what they say is what the profile holds, and nothing in it is markup."""

import json
import random
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ratchet.evaluate.build import Beside, evaluate
from ratchet.evaluate.page import page, write_page
from ratchet.evaluate.profile import Metric, Profile, Relative, SuiteCounts, read_profile
from ratchet.evaluate.summary import as_markdown
from ratchet.metrics.calibration import Bin
from ratchet.metrics.intervals import Estimate
from ratchet.metrics.suggestion import suggested_method
from ratchet.pages.meanings import OTHERS, family
from ratchet.records import Attempt
from ratchet.storage import write_records

HOSTILE = "\"'><script>alert(1)</script>&amp;| `x` \u202e\U0001f600 \u0645\u0631\u062d\u0628\u0627 " + "long" * 60
LEGEND = 1  # mark of each line in the legend
TITLES = {
    "attempts": "What more attempts reach",
    "rounds": "Round by round",
    "improvement": "Where the new solutions come from",
    "groups": "By group of problems",
    "certainty": "Is it right as often as it says?",
}


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


def metric(
    name: str, value: float | None, low: float | None = None, high: float | None = None, **more: object
) -> Metric:
    suite = str(more.pop("suite", "sums"))
    numbers = {"numerator": None if value is None else value * 200, "denominator": 200, "ungradable": 3, "errors": 1}
    return Metric(suite, name, value, low, high, **{**numbers, **more})  # type: ignore[arg-type]


CURVE = (
    metric("pass@1", 0.43, 0.40, 0.46),
    metric("pass@2", 0.60, 0.56, 0.64),
    metric("pass@4", 0.72, 0.68, 0.76),
    metric("pass@8", None, reason="12 of 200 problems have fewer than 8 graded attempts", left_out=200),
    metric("pass^4", 0.11, 0.08, 0.14),
)


def made(metrics: Iterable[Metric] = CURVE, **changed: object) -> Profile:
    """A profile of the suite `sums` made by hand."""
    stated = {
        "name": "M_3",
        "checkpoint": "sha256:abc",
        "sampling": {"temperature": 0.8},
        "suites": {"sums": SuiteCounts(200, 800, 4, 344, 452, 3, 1)},
        "metrics": tuple(metrics),
        "attempts_digest": "sha256:def",
        "confidence_level": 0.95,
    }
    return Profile(**{**stated, **changed})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """A profile that `evaluate` made, with everything there is: base, history, groups, confidences, texts."""
    folder = tmp_path_factory.mktemp("real")
    chance = random.Random(1)
    for number, skill in enumerate((0.4, 0.6)):
        rows = [
            Attempt(
                problem_id=f"p{i}",
                outcome="correct" if chance.random() < skill * (i % 5) / 3 else "incorrect",
                suite="sums",
                attempt=j,
                text=f"{i} + {j} = {i + j}, then {chance.randint(1, 9)}",
                answer=str(i),
                confidence=(i % 5 + 1) / 6,
                group=str(i % 5),
            )
            for i in range(40)
            for j in range(8)
        ]
        path = folder / f"{number}.parquet"
        write_records(path, rows, Attempt, {"checkpoint": f"sha256:{number}", "sampling": {"temperature": 1.0}})
        before = folder / "profile-0"
        beside = Beside(base=before, history=(before,)) if number else Beside()
        evaluate([path], folder / f"profile-{number}", f"M_{number + 1}", beside=beside)
    return read_profile(folder / "profile-1")


def test_the_numbers_to_read_first_come_before_the_pictures_and_those_before_the_table(real: Profile) -> None:
    words = Text(page(real)).words
    order = ["M_2", "At a glance", "sums", *TITLES.values(), "What is not known", "All numbers of sums", "The evidence"]
    places = [words.index(part) for part in order]
    assert places == sorted(places)


def test_every_number_of_a_real_profile_is_on_its_page_and_explained(real: Profile) -> None:
    words = Text(page(real)).words
    assert len(real.metrics) > 60
    for found in real.metrics:
        assert f" {found.name} " in words
        assert family(found.name) is not OTHERS, found.name
        if found.estimate is not None and found.name != "crossover" and not found.name.startswith("dynamics."):
            assert f" {found.estimate:.3f} " in words


def test_all_six_kinds_of_charts_are_drawn_of_a_real_profile(real: Profile) -> None:
    html = page(real)
    assert html.count("<svg") == 6  # attempts, diversity and pass by round, improvement, groups, certainty
    legends = re.findall(r">([^<>]+)</text>", html)
    wanted = [
        "pass@k: right at least once",
        "pass^k: right every time",
        "pass@k of the base, M_1",
        "distinct-2",
        "vendi",
    ]
    assert not [name for name in (*wanted, "null: gained by chance", "group 4", "confidence") if name not in legends]


def test_the_caption_says_in_words_what_the_curve_shows() -> None:
    words = Text(page(made())).words
    assert "One attempt solves 43 % of the problems; 4 attempts solve 72 % at least once and 11 % every time." in words
    assert "Asked once, the model is right 43 % of the time; in 4 attempts it solves 72 % of the problems." in words


def test_right_every_time_starts_where_right_once_does() -> None:
    curves = page(made())
    marks = re.findall(r'<path transform="translate\(([\d.]+),([\d.]+)\)"[^>]*fill="(#\w+)"', curves)
    orange, blue = (
        [(float(x), float(y)) for x, y, fill in marks if fill == colour] for colour in ("#D55E00", "#0072B2")
    )
    # pass@1, 2 and 4, and pass^4, to which pass@1 is added: of one attempt, once is every time
    assert min(orange) == min(blue) and (len(orange), len(blue)) == (3 + LEGEND, 2 + LEGEND)


def test_each_row_says_what_its_number_is_made_of() -> None:
    html = page(made())
    row = html[html.index("<td>pass@2</td>") :]
    assert re.findall(r">([^<>]+)</td>", row[: row.index("</tr>")]) == [
        *("pass@2", "0.600", "[0.560, 0.640]", "120 / 200", "0", "3", "1")
    ]


def test_what_is_undefined_is_a_dash_with_its_reason_and_never_0() -> None:
    html = page(made())
    row = html[html.index("<td>pass@8</td>") :]
    cells = re.findall(r">([^<>]*)</td>", row[: row.index("</tr>")])
    assert cells == ["pass@8", "-", "-", "-", "200", "3", "1", "12 of 200 problems have fewer than 8 graded attempts"]
    assert "pass@8: 12 of 200 problems have fewer than 8 graded attempts" in Text(html).words


def test_what_there_is_nothing_to_draw_of_is_left_out_with_a_sentence() -> None:
    words = Text(page(made(CURVE[:1]))).words
    assert not [title for title in TITLES.values() if title in words]
    for why in (
        "No curve over attempts",
        "No lines over rounds",
        "No picture of the improvement set",
        "No picture by group",
    ):
        assert why in words
    assert "no graded attempt came with a confidence" in words
    assert "not recorded" in Text(page(made(sampling=None))).words


def test_a_suite_in_which_nothing_was_graded_has_a_page() -> None:
    empty = made((metric("pass@1", None, reason="no graded attempts", denominator=0),))
    assert "Nothing was graded here, so nothing is known." in Text(page(empty)).words
    assert "<svg" not in page(empty)


def test_calibration_names_its_source_and_says_whether_the_model_is_too_sure() -> None:
    bins = (
        Bin(0.6, 0.7, 300, 80, 0.65, Estimate(0.50, 0.4, 0.6)),
        Bin(0.7, 0.8, 0, 0, None, Estimate(None)),
        Bin(0.9, 1.0, 100, 40, 0.95, Estimate(0.90, 0.8, 0.97)),
    )
    stated = made(
        (*CURVE, metric("calibration.ece", 0.125, 0.1, 0.2)), reliability={"sums": bins}, confidence="agreement"
    )
    words = Text(page(stated)).words
    # (300 * .65 + 100 * .95) / 400 = .725 and (300 * .5 + 100 * .9) / 400 = .6
    assert "On average the model was 72 % sure, and 60 % of the attempts were right." in words
    assert "Source of the confidence: agreement." in words and "0.125 [0.100, 0.200]" in words
    assert "Source of the confidence: not recorded." in Text(page(replace(stated, confidence=None))).words


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ((0.5, 0.45, 0.55), "some of the new solutions are new ability"),
        ((0.88, 0.8, 0.95), "nothing here shows new ability"),
    ],
)
def test_selection_is_judged_beside_the_null(selection: tuple[float, float, float], said: str) -> None:
    curves = [metric(f"{kind}.base_pass@{k}", 0.5) for kind in ("improvement", "control", "null") for k in (1, 2)]
    judged = [metric("attribution.selection", *selection), metric("attribution.selection.null", 0.9, 0.85, 0.95)]
    assert said in Text(page(made([*CURVE, *curves, *judged]))).words


def test_the_first_of_the_history_stands_in_where_no_base_is_named() -> None:
    past = Relative("M_1", None, "sha256:1", {"sums/pass@1": (0.3, 0.2, 0.4), "sums/pass@4": (0.8, 0.7, 0.9)})
    html = page(made(history=(past, replace(past, name="M_2", profile_digest="sha256:2"))))
    assert ">pass@k of the first checkpoint, M_1</text>" in html
    assert "1 is M_1, 2 is M_2; 3 is this checkpoint" in Text(html).words


def test_a_crossover_out_of_sight_and_one_with_an_open_end_are_told() -> None:
    censored = metric("crossover", None, 5.0, None, reason="right-censored: at k = 4 the base is still behind")
    assert "The base does not catch up" in Text(page(made([*CURVE, censored]))).words
    assert (
        "From 3 attempts on (from 2) the base solves" in Text(page(made([*CURVE, metric("crossover", 3.0, 2.0)]))).words
    )


def test_the_suggestion_is_called_advice_and_its_doubt_is_told() -> None:
    unsure, sure = ({"sums": suggested_method(*ends)} for ends in ((0.43, 0.38, 0.52), (0.7, 0.6, 0.8)))
    words = Text(page(made(suggestions=unsure))).words
    assert "SFT next. This is advice from the literature, not a rule. Its interval holds one half" in words
    words = Text(page(made(suggestions=sure))).words
    assert "more than half" in words and "with DPO" in words and "Its interval holds one half" not in words


def hostile() -> Profile:
    """A profile in which every text is an attack."""
    curves = [replace(m, suite=HOSTILE, reason=m.reason and HOSTILE) for m in CURVE]
    groups = [metric(f"pass@1[group={HOSTILE}{i}]", 0.5, 0.4, 0.6, suite=HOSTILE) for i in range(3)]
    past = Relative(HOSTILE, HOSTILE, HOSTILE, {f"{HOSTILE}/{n}": (0.3, 0.2, 0.4) for n in ("pass@1", "pass@4")})
    return made(
        [*curves, *groups, metric(HOSTILE, None, suite=HOSTILE, reason=HOSTILE)],
        name=HOSTILE,
        checkpoint=HOSTILE,
        sampling={HOSTILE: [HOSTILE]},
        suites={HOSTILE: SuiteCounts(200, 800, 4, 344, 452, 3, 1)},
        attempts_digest=HOSTILE,
        confidence=HOSTILE,
        reliability={HOSTILE: (Bin(0.6, 0.7, 300, 80, 0.65, Estimate(0.50, 0.4, 0.6)),)},
        base=past,
        history=(past, past),
    )


def test_the_page_needs_nothing_beside_it_and_runs_nothing(real: Profile) -> None:
    for html in (page(real), page(hostile())):
        tags = Text(html).tags
        assert {tag for tag, _ in tags} & {
            "script",
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "base",
            "form",
        } == set()
        for _, attributes in tags:
            assert not {"src", "href", "xlink:href", "srcset", "data"} & set(attributes)
            assert not [name for name in attributes if name.startswith("on")]
        elsewhere = html.replace("http-equiv", "")
        assert "http" not in elsewhere and "url(" not in elsewhere and "@import" not in elsewhere


def test_texts_from_files_are_shown_as_text_in_the_page_and_in_its_pictures() -> None:
    html = page(hostile())
    assert "<script" not in html and "\u202e" not in html
    assert html.count("<svg") == 4  # attempts, pass by round, groups, certainty
    assert "<script>alert(1)</script>&amp;|" in Text(html).words and "<U+202E>" in Text(html).words
    assert max(map(len, Text(html).words.split())) < 600


def test_forty_suites_of_sixty_groups_make_a_page_of_a_few_megabytes_that_says_what_it_leaves_out() -> None:
    names = [f"suite-{i:02}" for i in range(45)]
    rows = [
        metric(name, 0.5, 0.4, 0.6, suite=suite)
        for suite in names
        for name in ("pass@1", "pass@4", *(f"pass@{k}[group={g}]" for g in range(120) for k in (1, 4)))
    ]
    html = page(made(rows, suites=dict.fromkeys(names, SuiteCounts(200, 800, 4, 344, 452, 3, 1))))
    words = Text(html).words
    assert len(html.encode()) < 4_000_000
    assert "The first 40 of 45 suites are on this page" in words and "suite-39" in words and "suite-40" not in words
    assert "The first 10 suites have pictures" in words and html.count("<svg") == 2 * 10
    assert "The first 30 of 120 groups are drawn." in words
    assert "The first 200 of 242 numbers are shown" in words
    assert sum(tag == "details" and "open" in attributes for tag, attributes in Text(html).tags) == 3


def test_the_summary_is_a_small_table_and_the_first_reasons(real: Profile) -> None:
    lines = as_markdown(made()).splitlines()
    assert "| sums | 200 | 4 | 0.430 \\[0.400, 0.460\\] | 0.720 \\[0.680, 0.760\\] | - | - |" in lines
    assert "- pass@8: 12 of 200 problems have fewer than 8 graded attempts" in lines
    assert len(as_markdown(real).splitlines()) < 25


def test_the_summary_has_no_markup_from_files() -> None:
    text = as_markdown(hostile())
    assert "<script" not in text and "\u202e" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 3 and len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_the_page_is_written_to_a_file(tmp_path: Path) -> None:
    write_page(tmp_path / "a" / "profile.html", made())
    assert (tmp_path / "a" / "profile.html").read_text(encoding="utf-8") == page(made())


def test_one_profile_makes_one_page(real: Profile) -> None:
    assert page(real) == page(replace(real, sampling=json.loads(json.dumps(real.sampling))))


@pytest.mark.browser
def test_a_browser_shows_the_page_without_a_word_of_complaint(real: Profile, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs headless Chromium")
    path, picture = tmp_path / "profile.html", tmp_path / "profile.png"
    write_page(path, real)
    quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", *quiet, "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'u'}"]
        + [f"--screenshot={picture}", "--window-size=1100,3000", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert picture.stat().st_size > 50_000
    assert "CONSOLE" not in done.stderr
