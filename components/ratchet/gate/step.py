"""The gate as one call: for the command line and other programs (`gate`), and as a pipeline's step (`gate_step`)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet.evaluate.profile import PROFILE_FILE
from ratchet.evaluate.step import history_of
from ratchet.gate.case import Case, load_case
from ratchet.gate.decide import decide
from ratchet.gate.keys import signing_key
from ratchet.gate.report import write_report
from ratchet.gate.signing import sign
from ratchet.gate.verdict import Verdict, read_verdict, write_verdict
from ratchet.gate.wording import as_markdown
from ratchet.steps import publish, run_step
from ratchet.storage import file_digest, write_text

VERDICT_FILE, REPORT_FILE, SUMMARY_FILE, POLICY_FILE = "verdict.json", "report.html", "verdict.md", "policy.yaml"
CHAMPION_FOLDER = "champion"


def gate(
    candidate: Path,
    references: Mapping[str, Path],
    policy: Path,
    first: bool = False,
    out: Path | None = None,
    report: Path | None = None,
    key: Ed25519PrivateKey | None = None,
    history: Sequence[Path] = (),
) -> Verdict:
    """The verdict on a candidate's profile against the profiles of `base` and `champion`, written where asked.

    `history` holds the profiles of the rounds before it, oldest first. The verdict is signed where a key is given.
    """
    case = load_case(candidate, references, policy, first, history)
    return _decided(case, out, report, key)


def gate_step(
    candidate: str,
    references: Mapping[str, str | None],
    policy_text: str,
    first: bool,
    out: Path,
    history: str | None = None,
) -> Verdict:
    """The verdict, with everything that a pipeline hands on in the folder `out`.

    It holds `verdict.json`, `report.html`, `verdict.md`, the `policy.yaml` that was applied and in `champion/` the
    profile that stands from now on: the candidate's after PROMOTE, else the champion's (the base's where there is none
    yet; empty where nothing was ever promoted). `history` is a folder of the earlier rounds' profiles, as `evaluate`
    hands it on. The verdict is signed where `RATCHET_SIGNING_KEY` holds a key. Started
    again, it gives back the verdict that is there.
    """
    key, past = signing_key(), history_of(history)
    given = {name: Path(path) for name, path in references.items() if path is not None}
    sides = {"candidate": Path(candidate), **given, **{path.name: path for path in past}}
    profiles = {name: file_digest(path / PROFILE_FILE) for name, path in sides.items()}

    def work(partial: Path) -> None:
        write_text(partial / POLICY_FILE, policy_text)
        case = load_case(Path(candidate), given, partial / POLICY_FILE, first, past)
        verdict = _decided(case, partial / VERDICT_FILE, partial / REPORT_FILE, key)
        write_text(partial / SUMMARY_FILE, as_markdown(verdict))
        standing = Path(candidate) if verdict.verdict == "PROMOTE" else given.get("champion", given.get("base"))
        if standing is None:
            (partial / CHAMPION_FOLDER).mkdir(exist_ok=True)
        else:
            publish(standing, partial / CHAMPION_FOLDER)

    run_step(out, {"profiles": profiles, "policy": policy_text, "first": first}, work)
    return read_verdict(out / VERDICT_FILE)


def hand_on(out: Path, champion: str, report: str, summary: str) -> dict[str, float]:
    """The numbers of the verdict in `out`, after its champion, page and summary were copied to a step's artifacts."""
    publish(out / CHAMPION_FOLDER, Path(champion))
    for name, artifact in ((REPORT_FILE, report), (SUMMARY_FILE, summary)):
        write_text(Path(artifact), (out / name).read_text(encoding="utf-8"))
    return step_metrics(read_verdict(out / VERDICT_FILE))


def step_metrics(verdict: Verdict) -> dict[str, float]:
    """Numbers for a pipeline's metrics: each axis' estimate, difference and bounds, and nothing that isn't there."""
    numbers: dict[str, float] = {"promoted": float(verdict.verdict == "PROMOTE")}
    for result in verdict.axes:
        axis = result.axis.replace("@", "_at_").replace("^", "_hat_")
        if result.candidate_estimate is not None:
            numbers[axis] = result.candidate_estimate
        prefix = f"{axis}.{(result.reference or '').replace(' = ', '_')}"
        compared = {"difference": result.difference, "low": result.low, "high": result.high}
        numbers |= {f"{prefix}.{name}": value for name, value in compared.items() if value is not None}
    return numbers


def _decided(case: Case, out: Path | None, report: Path | None, key: Ed25519PrivateKey | None) -> Verdict:
    verdict = decide(case, datetime.now(UTC))
    if key is not None:
        verdict = sign(verdict, key)
    if report is not None:
        write_report(report, case, verdict)
    if out is not None:
        write_verdict(out, verdict)
    return verdict
