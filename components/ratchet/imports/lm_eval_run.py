"""What lm-evaluation-harness writes beside its samples: `results_*.json`, one a run."""

import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.imports.parsing import parse_json
from ratchet.storage import read_bytes

# samples_TASK_DATE.jsonl, the date as Python's isoformat writes it with "-" for ":"
SAMPLES_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.jsonl")
KEEPS_FIRST = ["take_first"]  # what the harness does where a task names no filters


@dataclass(frozen=True, slots=True)
class Run:
    """One task of one run, as far as its results file tells; all None without one."""

    task: str | None = None
    model: str | None = None
    backend: str | None = None
    num_fewshot: int | None = None
    task_version: str | None = None
    documents: int | None = None
    output_type: str | None = None
    filters: dict[str, list[str]] | None = None
    lower_is_better: frozenset[str] = frozenset()

    def kept(self, filter_name: str) -> str | None:
        """What a filter makes of several responses: `first`, `vote` or, where that isn't known, None."""
        functions = None if self.filters is None else self.filters.get(filter_name)
        if functions is None:
            return None
        if "majority_vote" in functions:
            return "vote"
        # only filters that treat each response alike may stand before it
        return "first" if "take_first" in functions and "custom" not in functions else None


def read_run(samples: Path) -> Run:
    """The run that wrote a samples file, from the results file of the same date beside it."""
    name = SAMPLES_NAME.fullmatch(samples.name)
    if name is None:
        return Run()
    date = glob.escape(name["date"])
    beside = sorted(path for path in samples.parent.glob(f"*_{date}.json"))
    if not beside:
        return Run(task=name["task"])
    return _run(name["task"], beside[0])


def _run(task: str, path: Path) -> Run:
    about = parse_json(read_bytes(path), path, "the results file of lm-evaluation-harness")
    config = _of_task(about, "configs", task, path) or {}
    counts = _of_task(about, "n-samples", task, path) or {}
    better = _of_task(about, "higher_is_better", task, path) or {}
    shots, version = (about.get(key) or {} for key in ("n-shot", "versions"))
    if not all(isinstance(value, dict) for value in (config, counts, better, shots, version)):
        raise InputError("other values than mappings", where=path, expected="results as lm-evaluation-harness writes")
    return Run(
        task=task,
        model=_text(about.get("model_name")),
        backend=_text(about.get("model_source")),
        num_fewshot=shots.get(task) if isinstance(shots.get(task), int) else None,
        task_version=None if version.get(task) is None else str(version[task]),
        documents=counts.get("effective") if isinstance(counts.get("effective"), int) else None,
        output_type=_text(config.get("output_type")),
        filters=_filters(config.get("filter_list")) if config else None,
        lower_is_better=frozenset(name for name, higher in better.items() if higher is False),
    )


def _of_task(about: dict[str, Any], key: str, task: str, path: Path) -> Any:
    part = about.get(key) or {}
    if not isinstance(part, dict):
        raise InputError(f"{key} is no mapping", where=path, expected="results as lm-evaluation-harness writes them")
    return part.get(task)


def _filters(value: Any) -> dict[str, list[str]] | None:
    """The functions of each filter by its name; None where the list isn't as the harness writes it."""
    if value is None:
        return {"none": KEEPS_FIRST}
    try:
        return {entry["name"]: [str(step["function"]) for step in entry["filter"]] for entry in value}
    except (TypeError, KeyError):
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
