"""Samples in an object store: drawn in a scratch folder whose every change is sent on, and gone on with from there."""

import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ratchet.objects import Place, get_file, list_names, put_file, remove_object
from ratchet.sample.parts import PARTS, Mirror
from ratchet.steps import PARTIAL, STAMP


def in_object_store(place: Place, draw: Callable[[Path, Mirror], Path]) -> Place:
    """The place, with the files of the folder that `draw` fills.

    `draw` is given the folder, as an earlier start left it, and what to tell of its changes. Finished attempts are
    sent in the background while others are drawn. The stamp `step.json` is sent last: a place that has it is whole.
    """
    partial = Place(place.bucket, place.prefix + PARTIAL)
    with tempfile.TemporaryDirectory() as scratch, Sender(partial) as sender:
        out = Path(scratch, "samples")
        if STAMP in list_names(place):
            _fetch(place, out)
        else:
            _fetch(partial, out.with_name(out.name + PARTIAL))
        draw(out, sender)
        sender.finish()
        for path in sorted(out.iterdir(), key=lambda path: (path.name == STAMP, path.name)):
            put_file(place, path.name, path)
        for name in list_names(partial):
            remove_object(partial, name)
    return place


class Sender:
    """Sends what changes in a partial result to a place, one change after the other, in the background."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._pool = ThreadPoolExecutor(1)
        self._sent: list[Future[None]] = []
        self._failed = False

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *error: Any) -> None:
        self._pool.shutdown(cancel_futures=False)

    def begun(self, partial: Path) -> None:
        """Send the stamp: what is sent from now on was made from what it says."""
        put_file(self._place, STAMP, partial / STAMP)

    def written(self, path: Path) -> None:
        """Send a part."""
        content = path.read_bytes()  # now: it may be renamed before its turn comes
        self._later(lambda: self._put(path.name, content))

    def removed(self, path: Path) -> None:
        """Remove a part."""
        self._later(lambda: remove_object(self._place, f"{PARTS}/{path.name}"))

    def finish(self) -> None:
        """Wait until all is sent."""
        for future in self._sent:
            future.result()
        self._sent = []

    def _put(self, name: str, content: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            put_file(self._place, f"{PARTS}/{name}", Path(file.name))

    def _later(self, action: Callable[[], None]) -> None:
        for future in [future for future in self._sent if future.done()]:
            future.result()  # what failed there is said here, before more is drawn
            self._sent.remove(future)
        self._sent.append(self._pool.submit(self._once, action))

    def _once(self, action: Callable[[], None]) -> None:
        """Do it, unless the store has been given up: then nobody waits for it again."""
        if not self._failed:
            try:
                action()
            except BaseException:
                self._failed = True
                raise


def _fetch(place: Place, folder: Path) -> None:
    for name in list_names(place):
        get_file(place, name, folder / name)
