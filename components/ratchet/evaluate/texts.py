"""The few texts that are compared or shown, taken from a file of any size: only those that are chosen are ever held."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ratchet.batches import read_batches
from ratchet.evaluate.ledger import appearances, encoded
from ratchet.records import Attempt

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_TEXT = 2**16  # characters: more than a model's answer has; a longer text is a loop, and could fill the memory
NOT_NEEDED = ("answer", "confidence", "group", "cluster", "concepts")
KEYS = ("suite", "outcome", "problem_id")
Texts = Mapping[tuple[str, str], Mapping[str, list[str]]]  # (suite, outcome) -> problem -> its texts


def chosen_texts(path: Path, count: int, half: int | None = None) -> Texts:
    """For each suite and outcome `correct` or `incorrect` the texts of each problem's first `count` such attempts.

    First by attempt number, so that the choice depends neither on what the texts say nor on the order of the rows. An
    attempt whose text was not kept is passed over, a problem with fewer than `count` texts is left out. With a `half` 0
    or 1, only attempts with even or odd numbers count. Texts are cut to their first LONGEST_TEXT characters. `path` is
    a file that `gather` wrote, and it is read once.
    """
    import pyarrow as pa

    if count < 1:
        raise ValueError(f"count = {count}: at least one text is chosen")
    kept: pa.Table | None = None
    for batch in read_batches(path, Attempt, leave_out=NOT_NEEDED):
        found = _first_of_each(_with_text(batch, half), count)
        kept = found if kept is None else _first_of_each(pa.concat_tables([kept, found]), count)
    texts: dict[tuple[str, str], dict[str, list[str]]] = {}
    if kept is None:
        return texts
    kept = kept.sort_by([(key, "ascending") for key in (*KEYS, "attempt")])
    columns = (kept[column].to_pylist() for column in (*KEYS, "text"))
    for suite, outcome, problem_id, text in zip(*columns, strict=True):
        texts.setdefault((suite, outcome), {}).setdefault(problem_id, []).append(text)
    return {key: {name: found for name, found in of.items() if len(found) == count} for key, of in texts.items()}


def _with_text(batch: "pa.Table", half: int | None) -> "pa.Table":
    """The graded rows that have a text, of one half of the attempts where it is named, with their texts cut."""
    import pyarrow as pa
    import pyarrow.compute as pc

    usable = pc.and_(
        pc.is_in(batch["outcome"], value_set=pa.array(["correct", "incorrect"])), pc.is_valid(batch["text"])
    )
    if half is not None:
        usable = pc.and_(usable, pc.equal(pc.bit_wise_and(batch["attempt"], 1), half))
    rows = batch.select([*KEYS, "attempt", "text"]).filter(usable)
    if (pc.max(pc.binary_length(rows["text"])).as_py() or 0) <= LONGEST_TEXT:
        return rows
    return rows.set_column(4, "text", pc.utf8_slice_codeunits(rows["text"], 0, LONGEST_TEXT))


def _first_of_each(rows: "pa.Table", count: int) -> "pa.Table":
    """The rows of the `count` lowest attempt numbers of each problem and outcome."""
    if not rows.num_rows:
        return rows
    names = np.zeros(rows.num_rows, dtype=np.int64)
    for key in KEYS:
        values, places = encoded(rows[key])
        names = np.unique(names * len(values) + places, return_inverse=True)[1].reshape(-1)
    order = np.lexsort((rows["attempt"].to_numpy(), names))
    return rows.take(np.sort(order[appearances(names[order]) < count]))
