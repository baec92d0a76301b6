"""Text from elsewhere: what a reader can't see is shown, what is too long is cut, what is markup is not."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ratchet.pages.text import columns, excerpt, markdown, short, visible


def test_what_turns_or_hides_text_is_shown_as_its_code() -> None:
    assert visible("a\u202eb") == "a<U+202E>b"  # right-to-left override
    assert visible("\x1b[31mred\x00") == "<U+001B>[31mred<U+0000>"
    assert visible("pay\u200bpal \u2066x\u2069") == "pay<U+200B>pal <U+2066>x<U+2069>"
    assert visible("\U000e0041") == "<U+E0041>"


def test_lines_tabs_letters_of_any_script_and_joined_emoji_stay() -> None:
    text = "a\tb\n\u0645\u0631\u062d\u0628\u0627 \u4e2d \U0001f469\u200d\U0001f52c e\u0301"
    assert visible(text) == text
    assert visible("one\r\ntwo\rthree") == "one\ntwo<U+000D>three"


@given(st.text(st.characters()))
def test_nothing_that_is_shown_controls_the_page_and_all_of_it_can_be_written(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert not {unicodedata.bidirectional(c) for c in shown} & {
        "RLO",
        "LRO",
        "RLE",
        "LRE",
        "PDF",
        "RLI",
        "LRI",
        "FSI",
        "PDI",
    }
    assert visible(shown) == shown


def test_a_long_name_keeps_both_its_ends() -> None:
    # 20 columns: half of them for the end, one for the mark, nine for the beginning
    assert short("checkpoint-of-the-run-number-17", 20) == "checkpoin…-number-17"
    assert short("fits", 4) == "fits"
    assert short("two\nlines\t here") == "two lines here"


def test_characters_of_two_columns_count_twice_and_accents_not_at_all() -> None:
    assert columns("\u4e2d\u6587") == 4
    assert columns("e\u0301") == 1
    assert short("\u4e2d" * 10, 9) == "\u4e2d\u4e2d…\u4e2d\u4e2d"


@given(st.text(st.characters(), max_size=200), st.integers(4, 60))
def test_a_short_name_never_is_wider_than_asked(name: str, most: int) -> None:
    assert columns(short(name, most)) <= most
    assert "\n" not in short(name, most)


def test_an_excerpt_says_how_much_is_left_out() -> None:
    text = "a" * 700 + "b" * 2000 + "c" * 300  # of 900 characters: the first 600 and the last 300
    shown = excerpt(text, 900)
    assert shown == "a" * 600 + "\n[… 2,100 characters left out …]\n" + "c" * 300
    assert excerpt(text, 3000) == text


def test_markdown_has_no_markup_in_it() -> None:
    assert markdown("a|b `c` [d](e) *f* <g> & h_i\n# j") == (r"a\|b \`c\` \[d\](e) \*f\* &lt;g&gt; &amp; h\_i \# j")
