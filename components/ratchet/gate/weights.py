"""Whose weights drew a side's attempts: every reason to refuse them as not the checkpoint's, and the weights asked."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.errors import InputError
from ratchet.evaluate.profile import Profile
from ratchet.identity import OTHER_PRECISION, fingerprint_distance, tolerance

if TYPE_CHECKING:
    from ratchet.gate.evidence import Evidence


def foreign(profile: Profile) -> Iterator[str]:
    """Why the attempts are not those of the profile's checkpoint; nothing where they don't say whose they are.

    The distance is held against what the sampler allowed, and never against more than any two precisions of one model
    differ by. A model that a server loaded must have been compared; one that was loaded from the checkpoint's own files
    need not.
    """
    served = profile.served
    if served is None:
        return
    if served.weights != profile.checkpoint:
        yield (
            f"its attempts were drawn by {served.weights}, the profile is of {profile.checkpoint or 'no checkpoint'}; "
            "sample that checkpoint and evaluate it again"
        )
    most = OTHER_PRECISION if served.at_most is None else min(served.at_most, OTHER_PRECISION)
    if served.distance is None:
        if served.backend == "openai":
            yield "a server drew its attempts and nobody compared its fingerprint; sample it with `ratchet sample`"
    elif not served.distance <= most:  # so that no number at all is refused as well
        yield (
            f"the model that drew its attempts is not the checkpoint: its fingerprint is {served.distance:.3g} a token "
            f"away, at most {most:g} is the same model; serve the checkpoint's weights and sample it again"
        )


def same_weights(profile: Profile, checkpoint: Path) -> tuple[bool, str]:
    """Whether the fingerprint in the profile is that of the weights in a folder, and what they say once loaded."""
    if profile.served is None:
        return False, "the profile does not say whose weights drew its attempts"
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise InputError(
            "no transformers here to load the checkpoint with",
            where=checkpoint,
            expected="the extra `sample`",
            next="install it, or verify without --fingerprint",
        )
    from ratchet.sample.identity import loaded_identity

    own = loaded_identity(checkpoint).served("transformers")
    apart, most = fingerprint_distance(profile.served, own), tolerance(profile.served.precision, own.precision)
    if apart is None:
        return False, f"the weights in {checkpoint} read the fixed texts in other tokens"
    return apart <= most, f"{apart:.2g} a token from that of the weights in {checkpoint}, at most {most:g} is the same"


def contradictions(sides: "Sequence[Evidence]") -> Iterator[str]:
    """Sides that state one checkpoint and have the fingerprints of two models, each pair once."""
    for one, other in combinations({side.profile_digest: side for side in sides}.values(), 2):
        mine, theirs = one.profile.served, other.profile.served
        if mine is None or theirs is None or mine.weights != theirs.weights:
            continue
        apart, most = fingerprint_distance(mine, theirs), tolerance(mine.precision, theirs.precision)
        if apart is not None and not apart <= most:
            yield (
                f"{one.name} and {other.name} state the same checkpoint, and their fingerprints are {apart:.3g} a "
                f"token apart, at most {most:g} is the same model; sample both again"
            )
