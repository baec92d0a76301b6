"""When are two prompts the same question? The normal form that leakage is judged by."""

import re
import unicodedata

# Punctuation between two digits is part of a number (3.5, 1,000, 3:2). What calculates (+, -, =, brackets) is kept:
# folding it would make "7 - 2" and "7 + 2" one question. A hyphen between letters only joins words.
_PARTS = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+|(?<![^\W\d_])-|-(?![^\W\d_])|[^\w\s.,;:!?'\"`´‘’“”„«»…—-]")
_MINUS_SIGNS = str.maketrans({"−": "-", "–": "-"})


def normal_form(prompt: str) -> str:
    """The prompt with case, whitespace and punctuation folded, and the same characters in one spelling (NFKC)."""
    text = unicodedata.normalize("NFKC", prompt).casefold().translate(_MINUS_SIGNS)
    return " ".join(_PARTS.findall(text))
