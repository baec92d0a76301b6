"""`ratchet gate`: the verdict on a checkpoint."""

import json
from dataclasses import asdict
from pathlib import Path

import click

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    epilog="\b\nExample:\n  ratchet gate --candidate profiles/round-3 --base profiles/base --champion profiles/round-2"
    " \\\n    --history profiles/round-1 --history profiles/round-2"
    " \\\n    --policy policy.yaml --report round-3.html --out verdict.json"
)
@click.option("--candidate", type=FOLDER, required=True, help="Profile of the checkpoint to judge.")
@click.option("--base", type=FOLDER, help="Profile of the model that the run started from.")
@click.option("--champion", type=FOLDER, help="Profile of the checkpoint in use.")
@click.option("--history", type=FOLDER, multiple=True, help="Profile of an earlier round, oldest first; repeat.")
@click.option("--first", is_flag=True, help="There is no reference yet: check the evidence only.")
@click.option("--policy", type=FILE, required=True, help="Axes, margins and evidence asked for (YAML).")
@click.option("--report", type=FILE, help="Write a self-contained HTML page.")
@click.option("--out", type=FILE, help="Write verdict.json.")
@click.option(
    "--key", type=FILE, help="Sign the verdict with this private key. Else: RATCHET_SIGNING_KEY, if it is set."
)
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
def gate(
    candidate: Path,
    base: Path | None,
    champion: Path | None,
    history: tuple[Path, ...],
    first: bool,
    policy: Path,
    report: Path | None,
    out: Path | None,
    key: Path | None,
    form: str,
) -> int:
    """Decide whether a checkpoint may be promoted.

    Exits 0 PROMOTE, 1 BLOCK, 2 INCONCLUSIVE, 3 ERROR (evidence that was read and refused), 64 for a usage or input
    error.
    """
    from ratchet import gate as library
    from ratchet.gate.keys import signing_key
    from ratchet.gate.wording import as_markdown, as_text

    references = {name: path for name, path in (("base", base), ("champion", champion)) if path is not None}
    verdict = library.gate(candidate, references, policy, first, out, report, signing_key(key), history)
    printed = {
        "text": lambda: as_text(verdict),
        "json": lambda: json.dumps(asdict(verdict), indent=2, ensure_ascii=False, allow_nan=False),
        "markdown": lambda: as_markdown(verdict).rstrip(),
    }
    click.echo(printed[form]())
    return verdict.exit_code
