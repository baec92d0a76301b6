"""What a page can't show and why: each kind of error is an answer of its own."""

from ratchet.errors import InputError
from ratchet.registry.store import Unavailable
from ratchet_dashboard.cache import Busy

LOOK_AGAIN_S = 15


class Unknown(InputError):
    """There is no such model, version or page."""


class Unfit(InputError):
    """It is there, and it is not what it should be: files that are missing, altered or too large."""


def status_of(error: InputError) -> int:
    """The HTTP status: 404 unknown, 503 where the same request may go through later, else 409."""
    if isinstance(error, Unknown):
        return 404
    return 503 if isinstance(error, (Unavailable, Busy)) else 409


def told(error: InputError) -> list[str]:
    """What the page says: what was found, what was expected, what to do.

    Nothing of MLflow's own words, which name hosts and accounts, and no place on this machine: the log has both.
    """
    if isinstance(error, Unavailable):
        return ["MLflow does not answer, or refuses. Nothing can be shown.", "The page may be there in a moment."]
    expected = f"Expected: {error.expected}." if error.expected else ""
    sentences = [f"{error.found[:1].upper()}{error.found[1:]}.", expected, f"{error.next}." if error.next else ""]
    return [sentence for sentence in sentences if sentence]
