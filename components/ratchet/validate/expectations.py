"""Checks run as Great Expectations, in this process and without a network, with its data docs beside the result."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.validate.checks import Check
from ratchet.validate.result import CheckResult, Offender

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 5  # offenders that a result names, of each check
NAME = "problems"


def run_checks(rows: "pd.DataFrame", checks: Sequence[Check], docs: Path) -> tuple[CheckResult, ...]:
    """What came of each check, in their order; the folder `docs` gets Great Expectations' data docs site."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read on import by the releases that report usage
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    context.delete_data_docs_site("local_site")  # its default, in a temporary folder that nobody would remove
    context.add_data_docs_site(NAME, _site(docs))
    suite = context.suites.add(gx.ExpectationSuite(name=NAME))
    for check in checks:
        kind = getattr(gx.expectations, check.expectation)
        suite.add_expectation(kind(**check.arguments, meta={"check": check.name}, notes=check.expected))
    batch = context.data_sources.add_pandas(NAME).add_dataframe_asset(NAME).add_batch_definition_whole_dataframe("all")
    validation = context.validation_definitions.add(gx.ValidationDefinition(name=NAME, data=batch, suite=suite))
    result_format = {
        "result_format": "SUMMARY",
        "partial_unexpected_count": EXAMPLES,
        "unexpected_index_column_names": ["problem"],
    }
    checkpoint = gx.Checkpoint(name=NAME, validation_definitions=[validation], result_format=result_format)
    outcome = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": rows})
    context.build_data_docs()
    (run,) = outcome.run_results.values()
    by_name = {found.expectation_config.meta["check"]: found for found in run.results}
    return tuple(_result(check, by_name[check.name]) for check in checks)


def _site(docs: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.absolute())},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


def _result(check: Check, found: Any) -> CheckResult:
    raised = [info for info in _exceptions(found.exception_info) if info.get("raised_exception")]
    if raised:
        raise RuntimeError(f"check {check.name} could not be computed: {raised[0].get('exception_message')}")
    missing = _missing_values(check, found.result)
    return CheckResult(
        name=check.name,
        success=bool(found.success),
        expected=check.expected,
        found=len(missing) or int(found.result.get("unexpected_count", 0)),
        offenders=missing or _offenders(check, found.result),
    )


def _exceptions(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Great Expectations gives one exception, or one for each metric that a check is computed from."""
    return [info] if "raised_exception" in info else [inner for inner in info.values() if isinstance(inner, Mapping)]


def _missing_values(check: Check, result: Mapping[str, Any]) -> tuple[Offender, ...]:
    """For a check of a whole column: which values it lacks."""
    missing = result.get("partial_missing_list", [])
    return tuple(Offender(problem="", value=f"no {check.arguments['column']} {value}") for value in missing)


def _offenders(check: Check, result: Mapping[str, Any]) -> tuple[Offender, ...]:
    column = check.arguments.get("column")
    rows = result.get("partial_unexpected_index_list") or []
    named = [Offender(row["problem"], str(row[column]) if column else "") for row in rows]
    return tuple(dict.fromkeys(named))[:EXAMPLES]
