import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet.gate.case import Case, load_case
from ratchet.gate.decide import decide
from ratchet.gate.keys import key_id
from ratchet.gate.report import page
from ratchet.gate.signing import sign
from ratchet.gate.verdict import HarmKind, Verdict
from ratchet.gate.wording import as_markdown, as_text

Maker = Callable[..., Path]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script>'
HIDDEN = HOSTILE + "\u202e\x1b[2J"


def judged(
    candidate: Path, policy: Path, *history: Path, first: bool = False, **references: Path
) -> tuple[Case, Verdict]:
    case = load_case(candidate, references, policy, first, history)
    return case, decide(case, NOON)


def drawn(candidate: Path, policy: Path, *history: Path, first: bool = False, **references: Path) -> str:
    return page(*judged(candidate, policy, *history, first=first, **references))


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
        self.words += "".join(f"{word} " for word in data.split())


@pytest.fixture
def told(rows: Maker, write: Maker, tmp_path: Path) -> Maker:
    """`told("new", right, says)`: a profile whose every attempt says `says` and the name of its problem."""

    def make(name: str, right: list[int], says: str, group: str | None = None, prefix: str = "p") -> Path:
        made = [
            replace(row, text=f"{says} {row.problem_id}", group=group) for row in rows("sums", right, prefix=prefix)
        ]
        return write(tmp_path / f"p{len(list(tmp_path.iterdir()))}", made, f"sha256:{name}", name=name)

    return make


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
    order = ["BLOCK", "reversal", "Do not promote", "Asked once", "pass@16 fell by 0.400", "Keep champion", "The axes"]
    later = ["What may fall", "pass@k on sums", "Problems lost and won against champion", "Solved less often"]
    last = ["By group", "The evidence", "How sure this is", "Not signed", "What this verdict speaks of"]
    places = [words.index(part) for part in [*order, *later, *last[:3], last[4], last[3]]]
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


def test_the_curves_are_drawn_of_every_side(reversal: str) -> None:
    assert reversal.count("<svg") == 2  # one kind of margin, one suite
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


@pytest.mark.parametrize("kind", get_args(HarmKind))
def test_whatever_was_found_has_words_of_its_own(kind: HarmKind, profile: Maker, policy: Maker) -> None:
    case, verdict = judged(profile("new", [0] * 200), policy(), base=profile("base", [8] * 200))
    words = Text(page(case, replace(verdict, kind=kind))).words
    assert words.count(f"BLOCK {kind} ") == (kind != "none")


def test_an_inconclusive_page_says_what_is_missing(profile: Maker, policy: Maker) -> None:
    less = policy("min_problems: 100", "min_problems: 50")
    words = Text(drawn(profile("new", [8] * 50), less, base=profile("base", [8] * 50))).words
    assert "INCONCLUSIVE" in words and "about 59 problems" in words and "undecided" in words


def test_refused_evidence_is_not_drawn(profile: Maker, write: Maker, policy: Maker, tmp_path: Path) -> None:
    html = drawn(write(tmp_path / "empty", [], None), policy(), base=profile("base", [8] * 100))
    assert "nothing was measured" in Text(html).words
    assert "<svg" not in html


def overriding(policy: Maker, by: str = "ada", reason: str = "new tokenizer") -> Path:
    text = f"{{reason: {json.dumps(reason)}, by: {json.dumps(by)}, expires: 2026-02-01}}"
    return policy("against:", f"override: {text}\nagainst:")


def test_an_override_stands_above_what_the_gate_said(profile: Maker, policy: Maker) -> None:
    html = drawn(profile("new", [0] * 200), overriding(policy), base=profile("base", [8] * 200))
    words = Text(html).words
    order = ["PROMOTE by override", "A person decided this", "ada", "new tokenizer", "2026-02-01", "the gate said"]
    places = [words.index(part) for part in [*order, "BLOCK regression", "Do not promote", "What the gate advises"]]
    assert places == sorted(places)
    assert 'class="verdict OVERRIDDEN"' in html and 'class="verdict BLOCK"' in html


def test_an_override_of_an_error_draws_nothing_of_the_refused_evidence(profile: Maker, policy: Maker) -> None:
    case, verdict = judged(profile("new", [8] * 200), overriding(policy))
    html = page(case, verdict)
    assert verdict.verdict == "PROMOTE" and "the gate said ERROR" in Text(html).words
    assert "<svg" not in html and "How sure this is" not in html and "Problems lost" not in html


def test_text_and_markdown_say_at_once_that_a_person_decided(profile: Maker, policy: Maker) -> None:
    rules = overriding(policy, by="a*d*a <b>")
    _, verdict = judged(profile("new", [0] * 200), rules, base=profile("base", [8] * 200))
    first = "PROMOTE by override, the gate said BLOCK (regression)"
    assert as_text(verdict).startswith(f"{first}: Promoted by a*d*a <b>, against")
    lines = as_markdown(verdict).splitlines()
    assert lines[0] == f"## ✓ {first}"
    assert lines[2] == r"**Promoted by a\*d\*a &lt;b&gt;, against the gate's verdict of BLOCK.**"


def test_a_reversal_is_said_in_words_that_need_no_statistics(reversal: str) -> None:
    words = Text(reversal).words
    assert "Asked once, the candidate is right more often than base: pass@1 rose by 0.050." in words
    assert "But pass@16 fell from 1.000 to 0.600, by more than the policy tolerates." in words
    assert "would come about 1 time in 130." in words  # p = 0.0077
    assert words.count("both at once, p = 0.0077") == 1


def test_what_could_not_be_measured_says_why_everywhere(profile: Maker, policy: Maker) -> None:
    rules = policy(
        "  pass@16: {tier: critical", "  disparity: {tier: supporting, max_rise: 0.1}\n  pass@16: {tier: critical"
    )
    case, verdict = judged(profile("new", [8] * 200), rules, base=profile("base", [8] * 200))
    why = "fewer than two groups with graded attempts"
    assert f"not measured Not measured: {why}." in Text(page(case, verdict)).words
    assert f"Not measured: disparity against base: {why}" in as_text(verdict).splitlines()
    assert f"- Not measured: disparity against base: {why}" in as_markdown(verdict).splitlines()


def test_margins_say_which_way_and_of_what(profile: Maker, policy: Maker) -> None:
    more = "  pass@4: {tier: advisory, max_relative_drop: 0.3}\n  disparity: {tier: advisory, max_rise: 0.1}\nagainst:"
    new, base = profile("new", [9] * 200, groups=2), profile("base", [8] * 200, groups=2)
    words = Text(
        drawn(
            new,
            policy("against:", more, "max_drop: 0.05}\n  pass@16", "max_drop: 0.05, must_improve: true}\n  pass@16"),
            base=base,
        )
    ).words
    assert "fall of 0.050, and must improve" in words and "fall by 30.0%" in words and "rise of 0.100" in words
    assert words.index("What may fall ") < words.index("What may fall, in %") < words.index("What may rise")


def test_retained_says_what_chance_alone_would_lose(profile: Maker, policy: Maker) -> None:
    rules = policy("  pass@16: {tier: critical", "  retained: {tier: critical")
    words = Text(drawn(profile("new", [8] * 100 + [0] * 100), rules, base=profile("base", [16] * 200))).words
    # 12 of 24 attempts are right where 16 of 16 were: far below anything that splits of equal attempts give
    assert re.search(
        r"chance alone would give a change between -0\.\d+ and \+0\.\d+ in 9 of 10 cases; this one lies below", words
    )
    assert "reliably solves (75% of one half of its attempts or more)" in words


def test_lost_problems_stand_with_counts_and_answers_side_by_side(told: Maker, policy: Maker) -> None:
    base, new = told("base", [16] * 10 + [8] * 190, "old says"), told("new", [0] * 10 + [8] * 189 + [16], "new says")
    words = Text(html := drawn(new, policy(), base=base)).words
    assert "sums 200 10 0" in words  # ten lost their last right attempt; no problem got its first one
    assert "right base 16 of 16, candidate 0 of 16; by chance about 1 time in 300,000,000" in words  # 2 / C(32, 16)
    assert "<pre>old says p0</pre>" in html and "<pre>new says p0</pre>" in html
    assert words.index("Solved less often than by base") < words.index("Solved more often than by base")
    assert "right base 8 of 16, candidate 16 of 16" in words


def test_of_many_lost_problems_the_page_shows_some(told: Maker, policy: Maker) -> None:
    html = drawn(told("new", [0] * 200, "x" * 5_000), policy(), base=told("base", [16] * 200, "y" * 5_000))
    assert html.count('<section class="flip">') == 12 and "sums 200 200 0" in Text(html).words
    assert len(html.encode()) < 200_000


def test_the_champion_is_what_problems_were_lost_against(told: Maker, policy: Maker) -> None:
    rules = policy("against: [base]", "against: [base, champion]")
    html = drawn(
        told("new", [8] * 200, "n"), rules, base=told("base", [8] * 200, "b"), champion=told("c", [9] * 200, "c")
    )
    assert "Problems lost and won against champion" in Text(html).words and "<pre>c p0</pre>" in html


def test_against_the_best_of_the_history_problems_are_lost_by_all_of_its_attempts(told: Maker, policy: Maker) -> None:
    rules = policy("  pass@16: {tier: critical, max_drop: 0.05}\n", "", "[base]", "[best]")
    words = Text(drawn(told("new", [0] * 200, "n"), rules, told("one", [8] * 200, "o"))).words
    assert "right best 8 of 16, candidate 0 of 16" in words


def test_the_page_says_how_often_the_gate_errs_and_what_the_lineage_spends(profile: Maker, policy: Maker) -> None:
    base, two, new = profile("base", [8] * 200), profile("two", [8] * 200), profile("new", [8] * 200)
    spending = policy("against:", "lineage: {spend: equal, rounds: 10}\nagainst:")
    words = Text(drawn(new, spending, base, two, base=base)).words
    assert "a chance of 0.005 at most (alpha)" in words
    assert "spends 0.05 over all 10 gates of a lineage in equal parts; this is number 2." in words
    alone = Text(drawn(new, policy(), base=base)).words
    assert "a chance of 0.05 at most (alpha)" in alone and "That holds for each gate alone" in alone


def test_the_page_names_the_key_that_signed(profile: Maker, policy: Maker) -> None:
    case, verdict = judged(profile("new", [8] * 100), policy(), first=True)
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    signed = Text(page(case, sign(verdict, key))).words
    assert f"Signed (Ed25519) with the key {key_id(key.public_key())}." in signed and "Not signed" not in signed
    assert "Not signed: anyone could have written this verdict." in Text(page(case, verdict)).words


def test_every_text_that_others_wrote_is_shown_and_none_of_it_works(told: Maker, policy: Maker) -> None:
    rules = overriding(policy, HIDDEN, HIDDEN)
    base = told(HIDDEN, [16] * 200, HIDDEN, HIDDEN, HIDDEN)
    case, verdict = judged(told("n" + HIDDEN, [0] * 200, HIDDEN, HIDDEN, HIDDEN), rules, base, base=base)
    verdict = replace(verdict, reasons=(HIDDEN,), advice=(HIDDEN,), axes=(replace(verdict.axes[0], reason=HIDDEN),))
    html = page(case, verdict)
    found = Text(html)
    assert "script" not in {tag for tag, _ in found.tags} and HOSTILE not in html
    assert "\u202e" not in html and "\x1b" not in html
    # name, override's author and reason, reason, advice, axis' reason, problem, group, both answers
    assert found.words.count(f"{HOSTILE}<U+202E><U+001B>[2J") >= 10
    for said in (as_text(verdict), as_markdown(verdict)):
        assert "\u202e" not in said and "\x1b" not in said
    assert "<script" not in as_markdown(verdict)


def test_twenty_axes_against_three_references_stay_one_small_page(told: Maker, policy: Maker) -> None:
    names = [name for k in range(2, 9) for name in (f"pass^{k}", f"pass@8-{k}")]
    many = "".join(f"  {name}: {{tier: critical, max_drop: 0.05}}\n" for name in names)
    more = "".join(f"  pass@{k}: {{tier: critical, max_drop: 0.05}}\n" for k in range(2, 6))
    rules = policy("against: [base]", f"{more}{many}against: [base, champion, best]", "pass@16:", "pass@8:")
    rounds = [told(f"r{i}", [8 - i] * 100, "It is. " * 1000) for i in range(3)]
    html = drawn(told("new", [2] * 100, "It is. " * 1000), rules, *rounds, base=rounds[1], champion=rounds[2])
    assert "24 more are in the table only." in Text(html).words  # 60 pairs, 36 of them drawn
    assert len(html.encode()) < 500_000


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
