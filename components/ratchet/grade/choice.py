"""Multiple choice: the label of an option (`B`, `(B)`, `Answer: B`) or its text; what names two is no answer.

The options are the lines of the prompt that begin with a label: `A. bank`, `(B) library`, `C) mall`.
"""

import re
from collections.abc import Mapping

from ratchet.grade.exact import folded
from ratchet.grade.marks import Judged, first_line_of, last_line_of, last_mark

_OPTION = re.compile(r"^[ \t]*\(?([A-J1-9])[).:][ \t]*(\S.*)$", re.MULTILINE)
_GOLD = re.compile(r"\(?([A-Ja-j1-9])[).:]?")
_WORD = re.compile(r"[^\W_]+")
_LETTERS = "ABCDE"  # where the prompt lists no options
NONE, AMBIGUOUS = "no option in the text", "more than one option in the text"

Options = Mapping[str, str]  # label -> folded text, empty where the prompt doesn't say


def options_in(prompt: str, numbered: bool = False) -> Options:
    """The options that the prompt lists, by label: letters, or digits where the problem is `numbered`."""
    found = {label: folded(text) for label, text in _OPTION.findall(prompt) if label.isdigit() == numbered}
    return found or dict.fromkeys("12345" if numbered else _LETTERS, "")


def grade_choice(text: str, gold: str, prompt: str) -> Judged:
    """The outcome, the label found, and the reason where there is not exactly one."""
    label = _GOLD.fullmatch(gold.strip())
    options = options_in(prompt, numbered=label is not None and label[1].isdigit())
    expected = label[1].upper() if label else _by_text(gold, options)
    if expected is None or expected not in options:
        return "ungradable", None, f"the gold answer {gold[:40]!r} is none of the options"
    named = _chosen(text, options)
    if len(named) != 1:
        return "incorrect", None, AMBIGUOUS if named else NONE
    (answer,) = named
    return ("correct" if answer == expected else "incorrect"), answer, None


def _chosen(text: str, options: Options) -> set[str]:
    """The labels that the text names where it gives its answer: one is an answer, none or several are not."""
    mark = last_mark(text)
    if mark is not None:
        first = mark.content.partition("\n")[0]
        named = _leading(first, options) or _mentioned(first, options)
        if named or mark.kind != "phrase":
            return named
    first, last = first_line_of(text), last_line_of(text)
    named = _leading(first, options, alone=True) | _leading(last, options, alone=True)
    return named or _mentioned(last, options) or _mentioned(text, options)


def _leading(place: str, options: Options, alone: bool = False) -> set[str]:
    """The label that `place` begins with and those joined to it by `or` and `and`, and the option whose text follows.

    `alone`: a letter that is followed by words counts only where a bracket, stop or colon sets it off: `A dog barks`
    begins with no label.
    """
    bare = place.lstrip("*_$\"' \t")
    bare = re.sub(r"^\\(?:text|textbf|mathrm|mathbf)\s?\{", "", bare)
    bare = re.sub(r"^(?:the )?(?:option|choice|letter)\s+", "", bare, flags=re.IGNORECASE)
    whole = _by_text(bare, options)
    if whole is not None and folded(bare).upper() not in options:  # an option may be the letter of another
        return {whole}
    match = re.match(rf"\(?([{''.join(options)}])(?![\w'’])([).:]*)", bare) or re.fullmatch(
        rf"\(?([{''.join(options).lower()}])([).:]*+)[.*_$}}\s]*+", bare
    )
    if match is None:
        return set()
    rest = bare[match.end() :]
    joined = re.match(rf"(?:\s*+(?:,|/|&|or|and)\s*+)++\(?([{''.join(options)}])(?!\w)", rest)
    if alone and not match[2] and not joined and folded(rest.strip("}*_$ ")):
        return set()
    text_named = _by_text(rest.lstrip("-–—:*_ "), options)
    named = {match[1].upper(), joined[1] if joined else None, text_named}
    return {label for label in named if label} | (_bracketed(rest, options) if alone else set())


def _bracketed(place: str, options: Options) -> set[str]:
    return set(re.findall(rf"(?:\(|\*\*)([{''.join(options)}])(?:\)|\*\*|[.:] )", place))


def _mentioned(place: str, options: Options) -> set[str]:
    """The labels in brackets or emphasis, else the letters that stand alone, else the options whose texts are there.

    `A` and `I` are words where another word follows, but for `or` and `and`.
    """
    labels = "".join(options)
    named = _bracketed(place, options) or set(re.findall(rf"\b(?:[Oo]ption|[Cc]hoice) ([{labels}])(?!\w)", place))
    if not named and not labels.isdigit():
        named = set(re.findall(rf"(?<![\w'’])(?![AI] (?!or\b|and\b)\w)([{labels}])(?![\w'’])", place))
    if named:
        return named
    spoken = _words(place)
    texts = {label: _words(text) for label, text in options.items() if text}
    found = {label: text for label, text in texts.items() if text.strip() and text in spoken}
    return {a for a, text in found.items() if not any(text in other for b, other in found.items() if b != a)}


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(folded(text)))} "


def _by_text(place: str, options: Options) -> str | None:
    """The label of the only option whose text `place` is."""
    wanted = folded(place)
    labels = [label for label, text in options.items() if text and text == wanted]
    return labels[0] if len(labels) == 1 else None
