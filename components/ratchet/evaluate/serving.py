"""Whose weights drew the attempts of a profile: one model's in all of its files, and in words."""

from collections.abc import Sequence
from pathlib import Path

from ratchet.errors import InputError
from ratchet.identity import fingerprint_distance, tolerance
from ratchet.records import Served

_ALIKE = ("backend", "weights", "tokens")


def require_one_model(paths: Sequence[Path], served: Sequence[Served | None]) -> None:
    """Refuse files of which two say that different models drew them, by what they state or by their fingerprints.

    A file that says nothing of it is no contradiction.
    """
    stated = [(path, one) for path, one in zip(paths, served, strict=True) if one is not None]
    for path, other in stated[1:]:
        first, one = stated[0]
        for field in _ALIKE:
            if getattr(other, field) != getattr(one, field):
                _refuse(f"served.{field} = {getattr(other, field)}", f"{getattr(one, field)} as in {first}", path)
        apart, most = fingerprint_distance(other, one), tolerance(other.precision, one.precision)
        if apart is None or not apart <= most:
            shown = "other tokens" if apart is None else f"log-probabilities {apart:.3g} a token away"
            _refuse(f"a fingerprint with {shown}", f"that of {first}, at most {most:g} a token away", path)


def least_sure(served: Sequence[Served | None]) -> Served | None:
    """What can be said of attempts from several files: None where one says nothing, else what the least sure one says.

    That is one whose fingerprint was compared with nothing, else the one furthest from what it was compared with.
    """
    known = [one for one in served if one is not None]
    if len(known) < len(served):
        return None
    return max(known, key=_doubt, default=None)


def told(served: Served | None) -> str:
    """Whose weights drew the attempts, in words."""
    if served is None:
        return "not recorded"
    drawn = {"openai": "a server", "vllm": "vLLM"}.get(served.backend, served.backend)
    if served.distance is None:
        loaded = served.backend != "openai"
        return f"{drawn}, weights loaded from the checkpoint's files" if loaded else f"{drawn}, never compared"
    most = "" if served.at_most is None else f", at most {served.at_most:g} is the same model"
    return f"{drawn}, fingerprint {served.distance:.2g} a token from the checkpoint's{most}"


def _doubt(served: Served) -> float:
    return float("inf") if served.distance is None else served.distance / (served.at_most or 1.0)


def _refuse(found: str, expected: str, where: Path) -> None:
    raise InputError(found, where=where, expected=expected, next="a profile speaks of one checkpoint, served as it is")
