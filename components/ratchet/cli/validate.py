"""`ratchet validate`."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ratchet.cli.options import file

if TYPE_CHECKING:
    from ratchet.validate.result import ValidationResult


@click.command(epilog="Example: ratchet validate problems.jsonl --out validation")
@click.argument("data", type=file)
@click.option("--out", type=file, help="Folder for the result: validation.json, report.html and data docs.")
@click.option(
    "--split",
    "splits",
    type=click.Choice(["train", "eval", "ood"]),
    multiple=True,
    default=("train", "eval"),
    show_default=True,
    help="A split that must not be empty; may be given several times.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def validate(data: Path, out: Path | None, splits: tuple[str, ...], form: str) -> int:
    """Check a problem file before anything learns from it.

    DATA is .jsonl or .parquet. Looks for unanswerable golds, leakage from training into evaluation, duplicates, empty
    splits and empty or endless prompts. Exits 1 if a check fails.
    """
    from ratchet.validate.result import RESULT_FILE
    from ratchet.validate.validate import validate as check

    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch, "validation")
        result = check(data, folder, splits)  # type: ignore[arg-type]
        if form == "json":
            click.echo((folder / RESULT_FILE).read_text(), nl=False)
        else:
            _print(result, data, out)
    return 0 if result.success else 1


def _print(result: "ValidationResult", data: Path, out: Path | None) -> None:
    from ratchet.cli.tables import print_table

    rows = [
        (check.name, "pass" if check.success else "FAIL", str(check.found), ", ".join(map(str, check.offenders)))
        for check in result.checks
    ]
    print_table(("check", "result", "found", "first of them"), rows, ("found",))
    failed = sum(not check.success for check in result.checks)
    verdict = f"{failed} of {len(result.checks)} checks failed" if failed else "valid"
    click.echo(f"{data}: {verdict}" + (f", report in {out / 'report.html'}" if out else ""))
