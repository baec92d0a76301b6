"""`ratchet show`: the numbers of a profile."""

from pathlib import Path

import click

from ratchet.cli.options import form

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(epilog="\b\nExample:\n  ratchet show profiles/round-2 --metric 'pass@' --suite gsm8k")
@click.argument("profile", type=FOLDER)
@click.option("--suite", help="Only this suite.")
@click.option("--metric", default="", help="Only metrics whose name begins so.")
@form
def show(profile: Path, suite: str | None, metric: str, form: str) -> None:
    """Print the metrics of a profile, each with its 95% interval."""
    from ratchet.cli.profiles import print_metrics
    from ratchet.errors import InputError
    from ratchet.evaluate.profile import read_profile

    found = read_profile(profile)
    if suite is not None and suite not in found.suites:
        raise InputError(f"suite {suite!r}", where=profile, expected="one of " + ", ".join(found.suites))
    chosen = [m for m in found.metrics if suite in (None, m.suite) and m.name.startswith(metric)]
    if not chosen:
        names = ", ".join(dict.fromkeys(m.name for m in found.metrics))
        raise InputError(f"no metric whose name begins with {metric!r}", where=profile, expected=f"one of {names}")
    print_metrics(chosen, form)
