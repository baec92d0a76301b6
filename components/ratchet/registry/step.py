"""The promotion as a pipeline's step: keys from the environment, the gate's folder as it was handed on."""

from pathlib import Path
from tempfile import TemporaryDirectory

from ratchet.errors import InputError
from ratchet.gate.keys import SIGNING_VARIABLE, signing_key, verifying_keys
from ratchet.gate.step import POLICY_FILE, VERDICT_FILE
from ratchet.gate.verdict import read_verdict
from ratchet.registry.promote import promote
from ratchet.registry.promotion import BY_VERDICT, Request, Result
from ratchet.registry.review import ReviewRule, read_reviewers
from ratchet.storage import write_text


def promote_step(
    tracking_uri: str,
    experiment: str,
    registered_model: str,
    checkpoint: Path,
    profile: Path,
    verdict: Path,
    reviewers: str = "",
    four_eyes: bool = False,
) -> Result:
    """What came of the promotion; a verdict that is not PROMOTE is no error of the step.

    `verdict` is the folder that the gate step wrote, with the policy in it. Without public keys in the environment the
    signing key's own public half is trusted.
    """
    decided = read_verdict(verdict / VERDICT_FILE)
    if decided.verdict != "PROMOTE":
        return BY_VERDICT[decided.verdict]
    key = signing_key()
    if key is None:
        raise InputError("no private key", expected=SIGNING_VARIABLE, next="mount the secret that the gate signs with")
    request = Request(
        model=registered_model,
        verdict=verdict / VERDICT_FILE,
        candidate=profile,
        checkpoint=checkpoint,
        policy=verdict / POLICY_FILE,
        key=key,
        keys=verifying_keys(key),
        review=_rule(reviewers, four_eyes),
        by="the pipeline",
    )
    outcome = promote(tracking_uri, experiment, request)
    print(f"{outcome.result}: {'; '.join(outcome.reasons)}")
    return outcome.result


def _rule(reviewers: str, four_eyes: bool) -> ReviewRule | None:
    if not reviewers.strip():
        return None
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "reviewers")
        write_text(path, reviewers)
        return ReviewRule(read_reviewers(path), four_eyes)
