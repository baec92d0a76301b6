"""The one way in for results, wherever they were made: attempts files (JSONL or Parquet) into one checked file.

Everything that the metrics take for granted is checked here: outcomes are known, no attempt is there twice, a problem
stays in one group and one cluster, and all files speak of one checkpoint sampled in one way. Files are read once, a
batch at a time; what is kept of each attempt is in `ratchet.evaluate.ledger`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ConfigDict

from ratchet.batches import read_header, written_in_batches
from ratchet.errors import InputError
from ratchet.evaluate.columns import parquet_attempts
from ratchet.evaluate.ledger import Clash, Ledger
from ratchet.evaluate.lines import AttemptLine, jsonl_attempts, jsonl_header, line_of
from ratchet.evaluate.serving import least_sure, require_one_model
from ratchet.jsonl import first_line
from ratchet.records import Attempt, Isolation, Served
from ratchet.storage import as_record, file_digest, header_metadata, is_parquet, read_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["AttemptLine", "AttemptsHeader", "gather", "read_light", "weakest"]

HEADER_EXPECTED = (
    "a header of 'checkpoint' (text), 'sampling' (a mapping), 'confidence' (text), 'isolation' ("
    + ", ".join(get_args(Isolation))
    + ") and 'served' (what `ratchet sample` writes there)"
)
ENCODED = ("suite", "problem_id", "outcome", "group", "cluster")  # texts that come back row after row


@dataclass(frozen=True, slots=True)
class AttemptsHeader:
    """Whose attempts these are, how they were sampled, where their confidences come from; None: the file doesn't say.

    `confidence` names one source for all attempts: agreement of the attempts, sequence probability, the model's own
    words and so on. Confidences of different sources must not be mixed in one calibration. `isolation` is the weakest
    level at which any program of these attempts was run, `none` where there was none to run. `served` says whose
    weights drew them.
    """

    checkpoint: str | None = None
    sampling: dict[str, Any] | None = None
    confidence: str | None = None
    isolation: Isolation | None = None
    served: Served | None = None

    __pydantic_config__ = ConfigDict(extra="forbid")


def gather(paths: Sequence[Path], out: Path) -> AttemptsHeader:
    """The header that the files agree on, after all their attempts were written to the Parquet file `out`.

    Its isolation is the weakest of the files', `served` that of the file whose model is least sure. Attempts stay in
    the order of the files. Those without a number are numbered by their order of appearance within their problem. Where
    something is refused, `out` is not written.
    """
    _refuse_repeated_files(paths)
    headers = [_header(path) for path in paths]
    _require_one_header(paths, headers)
    served = [header.served for header in headers]
    require_one_model(paths, served)
    weakest_level = weakest([header.isolation for header in headers])
    header = replace(headers[0], isolation=weakest_level, served=least_sure(served))
    ledger = Ledger()
    starts: list[int] = []
    with written_in_batches(out, Attempt, asdict(header), unlike=("text",)) as writer:
        try:
            for path in paths:
                starts.append(ledger.rows)
                for table in _attempts(path):
                    writer.write(ledger.enter(table))
            ledger.refuse_duplicates()
        except Clash as clash:
            raise _located(clash, paths, starts) from None
        if ledger.rows == 0:
            raise InputError("no attempts", where=paths[0], expected="at least one attempt")
    return header


def weakest(levels: Sequence[Isolation | None]) -> Isolation | None:
    """The weakest of some levels of isolation: None, an unknown one, is weaker than all."""
    return None if None in levels else max(levels, key=get_args(Isolation).index)


def read_light(path: Path) -> "pa.Table":
    """All columns but `text` of a file that `gather` wrote; texts that repeat come as codes of one dictionary.

    Such a column compares, filters and groups like text; `column.combine_chunks()` gives its codes as `indices`.
    """
    return read_table(path, Attempt, leave_out=("text",), encoded=ENCODED)[0]


def _attempts(path: Path) -> Iterator["pa.Table"]:
    return parquet_attempts(path) if is_parquet(path) else jsonl_attempts(path)


def _header(path: Path) -> AttemptsHeader:
    """A header that can't be written again (a number that JSON has none for) is refused as well."""
    header, line = (read_header(path, Attempt), None) if is_parquet(path) else jsonl_header(path)
    try:
        header_metadata(header)
    except ValueError as error:
        raise InputError(f"a header with {first_line(error)}", where=path, line=line, expected="JSON numbers") from None
    return as_record(header, AttemptsHeader, path, HEADER_EXPECTED, line)


def _refuse_repeated_files(paths: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in paths if len(paths) > 1 else ():
        first = seen.setdefault(file_digest(path), path)
        if first is not path and any(table.num_rows for table in _attempts(path)):  # shards may be empty alike
            raise InputError(f"the same content as {first}", where=path, expected="each attempts file once")


def _require_one_header(paths: Sequence[Path], headers: Sequence[AttemptsHeader]) -> None:
    for path, header in zip(paths, headers, strict=True):
        same = replace(headers[0], isolation=header.isolation, served=header.served)
        differing = (f.name for f in fields(header) if getattr(header, f.name) != getattr(same, f.name))
        for field in differing:
            mixed = "mixed confidence sources can't be judged together"
            raise InputError(
                f"{field} = {getattr(header, field)}",
                where=path,
                expected=f"{field} = {getattr(headers[0], field)} as in {paths[0]}",
                next=mixed if field == "confidence" else "a profile speaks of one checkpoint, sampled in one way",
            )


def _located(clash: Clash, paths: Sequence[Path], starts: Sequence[int]) -> InputError:
    """The error for a row among all attempts, with the file and, in JSONL, the line that it came from."""
    path, start = [(path, start) for path, start in zip(paths, starts, strict=False) if start <= clash.row][-1]
    row = clash.row - start
    if is_parquet(path):
        return InputError(f"{clash.found} (row {row})", where=path, expected=clash.expected)
    return InputError(clash.found, where=path, line=line_of(path, row), expected=clash.expected)
