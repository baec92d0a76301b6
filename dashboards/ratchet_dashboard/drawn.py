"""The library's own pages: the profile of a version, and two versions side by side. Each is drawn once and kept."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.compare.compare import compare
from ratchet.compare.page import page as comparison_page
from ratchet.errors import InputError
from ratchet.evaluate.page import page as profile_page
from ratchet.evaluate.profile import ATTEMPTS_FILE, Profile
from ratchet.registry.champion import fetch_profile
from ratchet.registry.registered import Version
from ratchet.storage import arrow_file
from ratchet_dashboard.cache import PATIENCE_S, Busy, Cache
from ratchet_dashboard.evidence import AGAIN, HOLDS, LARGEST_PROFILE, MIB, NOT_CHECKED, Evidence, reading_files
from ratchet_dashboard.faults import Unfit
from ratchet_dashboard.origin import Origin, registered

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 2  # pages that are drawn, and versions whose files are fetched, at the same time, whoever asks
LARGEST_UNPACKED = 2048 * MIB  # of attempts, in memory
ROWS_AT_ONCE = 4096  # while they are counted
PAGE_FILE = "page.html"


class Drawing:
    """Draws pages, few at a time, and keeps them under the digests of what they show.

    Files are fetched before a turn at drawing is taken, so that a slow store keeps nobody else's page waiting.
    """

    def __init__(self, origin: Origin, cache: Cache) -> None:
        self.origin = origin
        self.cache = cache
        self._draws, self._fetches = threading.BoundedSemaphore(AT_ONCE), threading.BoundedSemaphore(AT_ONCE)

    def profile(self, version: Version, evidence: Evidence) -> str:
        """The profile's page as the library draws it."""
        found = _shown(version, evidence)

        def draw() -> str:
            with _turn(self._draws):
                return profile_page(found)

        return self._kept(f"profile {_digest(evidence)}", draw)

    def comparison(self, name: str, before: tuple[Version, Evidence], after: tuple[Version, Evidence]) -> str:
        """The comparison's page as the library draws it: the first of the two is what came before."""
        for version, evidence in (before, after):
            _shown(version, evidence)
        key = f"compare {_digest(before[1])} {_digest(after[1])}"
        return self._kept(key, lambda: self._compared(name, before, after))

    def _kept(self, key: str, draw: Callable[[], str]) -> str:
        def make(folder: Path) -> None:
            (folder / PAGE_FILE).write_text(draw(), encoding="utf-8")

        with self.cache.entry(key, make) as folder:
            return (folder / PAGE_FILE).read_text(encoding="utf-8")

    def _compared(self, name: str, *sides: tuple[Version, Evidence]) -> str:
        with ExitStack() as stack:
            earlier, later = [
                stack.enter_context(self.cache.entry(f"files {_digest(side[1])}", self._fetching(name, *side)))
                for side in sides
            ]
            with _turn(self._draws):
                try:
                    return comparison_page(compare(earlier, later))
                except InputError as error:  # without the places in the cache that it names
                    raise Unfit(f"the two versions can't be compared: {error.found}") from None

    def _fetching(self, name: str, version: Version, evidence: Evidence) -> Callable[[Path], None]:
        def fetch(folder: Path) -> None:
            with _turn(self._fetches):
                with registered(self.origin, name) as model, reading_files(model, version):
                    fetch_profile(model, version.number, version.source, _digest(evidence), folder, LARGEST_PROFILE)
                _require_unpacked(folder / ATTEMPTS_FILE, version)

        return fetch


@contextmanager
def _turn(turns: threading.BoundedSemaphore) -> Iterator[None]:
    if not turns.acquire(timeout=PATIENCE_S):
        raise Busy("too much is being fetched and drawn", next="look again in a moment")
    try:
        yield
    finally:
        turns.release()


def _shown(version: Version, evidence: Evidence) -> Profile:
    """The profile that the verdict is on; `Unfit` where it can't be shown, or where no trusted key names its files."""
    if evidence.verdict is not None and evidence.signature not in (HOLDS, NOT_CHECKED):
        said = f"the verdict on version {version.number} is not signed by a trusted key"
        raise Unfit(f"{said}, so the files that it names are not opened", next=AGAIN)
    if evidence.profile is None:
        raise Unfit(f"version {version.number} has no profile that can be shown: {'; '.join(evidence.faults)}")
    return evidence.profile


def _digest(evidence: Evidence) -> str:
    """The digest of the profile, which names its attempts' digest in turn."""
    assert evidence.verdict is not None, "a profile that is shown is the one that a verdict is on"
    return evidence.verdict.profile_digests["candidate"]


def _require_unpacked(path: Path, version: Version) -> None:
    """A small file may unpack to a large table: how large is found out before it is read."""
    import pyarrow as pa

    try:
        with arrow_file(path) as stream:
            size = unpacked_bytes(stream, LARGEST_UNPACKED)
    except (pa.ArrowException, OSError):
        raise Unfit(f"version {version.number}: {ATTEMPTS_FILE} is no Parquet file") from None
    if size > LARGEST_UNPACKED:
        raise Unfit(f"version {version.number}: {size:,} bytes of attempts or more", expected="fewer than 2 GiB")


def unpacked_bytes(stream: "pa.NativeFile", enough: int) -> int:
    """What the rows of a Parquet file take in memory; of more than `enough`, as far as it was counted.

    What the file says of its columns is their encoded size: a text that stands in it once may stand in every row. So
    texts are read as numbers of a dictionary's entries, and each counts as long as its entry.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from pyarrow import types

    footer = pq.ParquetFile(stream)
    texts = [field.name for field in footer.schema_arrow if types.is_string(field.type) or types.is_binary(field.type)]
    groups = footer.metadata
    size = int(sum(groups.row_group(i).total_byte_size for i in range(groups.num_row_groups)))
    if size > enough:
        return size
    size = 0
    for batch in pq.ParquetFile(stream, read_dictionary=texts).iter_batches(batch_size=ROWS_AT_ONCE):
        for column in batch.columns:
            size += column.nbytes
            if types.is_dictionary(column.type):
                size += int(pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0)
        if size > enough:
            break
    return size
