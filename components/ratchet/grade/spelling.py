r"""Numbers in one spelling: `−\$1{,}000`, `\frac{3}{4}` and `½` become `-$1,000`, `3/4` and `1/2`.

No rule gives back what it has read to try it otherwise, so the time grows with the length of the text.
"""

import re
import unicodedata

_FRACTION = r"\\[dtc]?frac\s?(?:\{\s?([-\d.,]++)\s?\}\s?\{\s?([\d.,]++)\s?\}|(\d)(\d))"
_CHARACTERS = str.maketrans(
    dict.fromkeys("−–﹣-", "-") | {"⁄": "/", "∕": "/", "×": "*", "\u00a0": " ", "\u202f": "\u2009", "％": "%"}
    | {half: f" {unicodedata.normalize('NFKC', half).replace(chr(0x2044), '/')}" for half in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
)  # fmt: skip
_RULES = (  # what a text must hold for the rule to find anything, rule, spelling
    ("\\", re.compile(r"\\([$%])"), r"\1"),
    ("{", re.compile(r"(?<=\d)\{,\}(?=\d)"), ","),
    ("\\", re.compile(r"(?<=\d)(,?)\\[!,;: ](?=\d{3})"), r"\1"),
    ("\u2009", re.compile(r"(?<=\d)\u2009(?=\d{3}(?!\d))"), ""),
    ("frac", re.compile(_FRACTION), lambda m: f" {m[1] or m[3]}/{m[2] or m[4]} "),
    ("-", re.compile(r"- (?=\d++/)"), "-"),
    ("\\", re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s?\{([^{}]{0,200}+)\}"), r" \1 "),
    ("\\", re.compile(r"\\(?:times|cdot)(?![a-z])"), "*"),
    ("^", re.compile(r"(?<=\d) ?[*x] ?10 ?(?:\^|\*\*) ?(?:\{ ?([-+]?\d++) ?\}|\(([-+]?\d++)\)|([-+]?\d++))"),
     lambda m: f"e{m[1] or m[2] or m[3]}"),
)  # fmt: skip


def plain_spelling(text: str) -> str:
    """The text with its numbers in the spelling that `ratchet.grade.numeric` reads."""
    if not text.isascii():
        text = text.translate(_CHARACTERS)
    for needed, rule, spelling in _RULES:
        if needed in text:
            text = rule.sub(spelling, text)
    return text
