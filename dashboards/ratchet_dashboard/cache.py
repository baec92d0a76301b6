"""A cache of folders on disk, bounded in bytes: what is made once for a key is found again by every later request."""

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ratchet.errors import InputError

PATIENCE_S = 30.0


class Busy(InputError):
    """Somebody else is making the same thing, or too much is being made at once: it may be there in a moment."""


@dataclass(slots=True)
class _Slot:
    """One key: `users` have the folder open, `used` is when it was last asked for, in order of asking."""

    making: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    used: int = 0
    size: int | None = None


class Cache:
    """Folders below `folder`, of `most_bytes` together at most, what is in use and being made aside."""

    def __init__(self, folder: Path, most_bytes: int, patience_s: float = PATIENCE_S) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self.patience_s = patience_s
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()
        self._asked = 0

    @property
    def held_bytes(self) -> int:
        """What the folders take on disk."""
        with self._lock:
            return sum(slot.size or 0 for slot in self._slots.values())

    @contextmanager
    def entry(self, key: str, make: Callable[[Path], None]) -> Iterator[Path]:
        """The folder of the key, which stays while the block runs; `make` fills it where there is none.

        Of two that ask at once one makes it and the other waits. What fails leaves nothing behind.
        """
        slot = self._taken(key)
        try:
            if not slot.making.acquire(timeout=self.patience_s):
                raise Busy("it is being made", next="look again in a moment")
            try:
                if slot.size is None or not self._path(key).is_dir():
                    slot.size = self._made(key, make)
            finally:
                slot.making.release()
            yield self._path(key)
        finally:
            self._left(slot)

    def _taken(self, key: str) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._asked += 1
            slot.users, slot.used = slot.users + 1, self._asked
            return slot

    def _left(self, slot: _Slot) -> None:
        """Give the slot back; what was asked for longest ago goes first where there is too much."""
        with self._lock:
            slot.users -= 1
            idle = sorted((key for key, each in self._slots.items() if not each.users), key=self._last_used)
            held = sum(each.size or 0 for each in self._slots.values())
            for key in idle:
                size = self._slots[key].size
                if size is None or held > self.most_bytes:
                    shutil.rmtree(self._path(key), ignore_errors=True)
                    del self._slots[key]
                    held -= size or 0

    def _last_used(self, key: str) -> int:
        return self._slots[key].used

    def _made(self, key: str, make: Callable[[Path], None]) -> int:
        path = self._path(key)
        unfinished = path.with_name(f"{path.name}.new")
        unfinished.mkdir(parents=True)
        try:
            make(unfinished)
            unfinished.replace(path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())

    def _path(self, key: str) -> Path:
        return self.folder / hashlib.sha256(key.encode()).hexdigest()
