"""`ratchet plan`: the evidence that a policy needs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ratchet.cli.gate import FILE, FOLDER
from ratchet.cli.options import form, seed

if TYPE_CHECKING:
    from ratchet.plan.result import Plan

POSITIVE = click.FloatRange(min=0.0, min_open=True)


@click.command(
    epilog="\b\nExample:\n  ratchet plan --policy policy.yaml --base profiles/base --power 0.9"
    " \\\n    --tokens-per-attempt 300 --tokens-per-second 2500 --report plan.html"
)
@click.option("--policy", type=FILE, required=True, help="The policy to plan for (YAML).")
@click.option("--base", type=FOLDER, help="Profile whose problems are reckoned with.")
@click.option("--difficulty", help="Without a base: beta:A,B or beta:A,B,never:S (S is the share never solved).")
@click.option("--problems", type=click.IntRange(min=1), help="A budget: problems of each suite.")
@click.option("--attempts", type=click.IntRange(min=1), help="Attempts a problem; 8 to 64 are tried if not given.")
@click.option("--power", type=click.FloatRange(0.5, 0.999), default=0.9, show_default=True, help="Chance to promote.")
@click.option(
    "--change", type=float, default=0.0, show_default=True, help="True change of pass@1; -0.01 is a point less."
)
@click.option("--churn", type=click.FloatRange(min=0.0), default=0.0, help="SD of problems' own changes, both ways.")
@click.option("--references", help="Which of the policy's references, with commas; all if not given.")
@click.option("--tokens-per-attempt", type=POSITIVE, help="Mean tokens of an attempt, for the cost.")
@click.option("--tokens-per-second", type=POSITIVE, help="Tokens that a GPU writes in a second, for GPU hours.")
@click.option("--report", type=FILE, help="Write a page (.html) or the curve alone (.svg).")
@seed
@form
def plan(
    policy: Path,
    base: Path | None,
    difficulty: str | None,
    problems: int | None,
    attempts: int | None,
    power: float,
    change: float,
    churn: float,
    references: str | None,
    tokens_per_attempt: float | None,
    tokens_per_second: float | None,
    report: Path | None,
    seed: int,
    form: str,
) -> None:
    """Say how many problems and attempts a policy needs, what a budget decides, and what they cost.

    Comparisons are simulated and judged by the gate's own tests, so each number comes with what simulation leaves open.
    """
    from ratchet.errors import InputError
    from ratchet.gate.policy import read_policy
    from ratchet.plan import plan as library
    from ratchet.plan.cost import Prices
    from ratchet.plan.decisions import Truth
    from ratchet.plan.difficulty import read_difficulty
    from ratchet.plan.page import require_page, write_page
    from ratchet.plan.result import Request

    if (base is None) == (difficulty is None):
        raise InputError(
            "--base and --difficulty" if base else "neither --base nor --difficulty", expected="one of them"
        )
    if report is not None:
        require_page(report)
    request = Request(
        power=power,
        truth=Truth(change, churn),
        problems=problems,
        attempts=attempts,
        prices=Prices(tokens_per_attempt, tokens_per_second),
        curve=report is not None,
    )
    names = None if references is None else [name.strip() for name in references.split(",")]
    made = library.plan(read_policy(policy), base or read_difficulty(difficulty or ""), request, names, seed)
    if report is not None:
        write_page(report, made)
    if form == "json":
        click.echo(json.dumps(asdict(made), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _print(made)


def _print(found: "Plan") -> None:
    from ratchet.cli.tables import print_table
    from ratchet.plan import wording

    click.echo(wording.headline(found) + "\n")
    print_table(wording.NEED_COLUMNS, wording.need_rows(found), numeric=wording.NEED_COLUMNS[:-1])
    click.echo("\n" + wording.budget_title(found.budget) + "\n")
    print_table(wording.BUDGET_COLUMNS, wording.budget_rows(found.budget), numeric=wording.BUDGET_COLUMNS)
    click.echo("\n" + "\n".join([wording.least_blocked(found), *wording.remarks(found)]))
