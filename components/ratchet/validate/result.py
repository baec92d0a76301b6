"""What a validation found, and the file that keeps it."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict

from ratchet.errors import InputError
from ratchet.shards import shards_for
from ratchet.storage import as_record, read_json

RESULT_FILE = "validation.json"
RESULT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Offender:
    """A problem that fails a check (`suite/id`; empty where the file as a whole fails) and the value that does."""

    problem: str
    value: str

    def __str__(self) -> str:
        """The problem and, in brackets, its value."""
        return f"{self.problem} ({self.value})" if self.problem and self.value else self.problem or self.value


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check: how many rows (or, of the whole file, values) offend, and the first of them."""

    name: str
    success: bool
    expected: str
    found: int
    offenders: tuple[Offender, ...]


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What `validation.json` holds; `problems` counts the problems of each split."""

    success: bool
    problems: dict[str, int]
    problems_digest: str
    checks: tuple[CheckResult, ...]
    version: int = RESULT_VERSION

    __pydantic_config__ = ConfigDict(extra="forbid")


def read_validation(folder: Path) -> ValidationResult:
    """The result in a folder that `ratchet validate` wrote."""
    path = folder / RESULT_FILE
    return as_record(read_json(path), ValidationResult, path, "a result that `ratchet validate` wrote")


def shards_of(result: ValidationResult, pods: int, limit: int = 0) -> list[str]:
    """The shards that `pods` pods share the problems in: training problems at most `limit` of them, the others all.

    Pods without a problem are refused.
    """
    train = result.problems.get("train", 0)
    tried = (min(train, limit or train), sum(result.problems.values()) - train)
    return shards_for(pods, min((count for count in tried if count), default=0))


def require_valid(result: ValidationResult, where: Path | str = "") -> None:
    """Refuse problems that failed a check, naming the failures and their first offenders."""
    failed = [check for check in result.checks if not check.success]
    if failed:
        found = ", ".join(f"{check.name}: {check.found} (first {check.offenders[0]})" for check in failed)
        raise InputError(
            f"{len(failed)} of {len(result.checks)} checks failed: {found}",
            where=where,
            expected="; ".join(check.expected for check in failed),
            next="the report names the problems",
        )
