"""The members of an inspect `.eval` log: a ZIP file of JSON documents, deflated by old versions, in zstd by new ones.

Python's own zipfile reads zstd members (method 93) from 3.14 on only, so these are found through the ZIP's directory
and unpacked with Arrow. What a member says of its size is not trusted: unpacking ends at a limit.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ratchet.errors import InputError
from ratchet.jsonl import first_line
from ratchet.storage import unreadable

LARGEST_MEMBER = 256 * 2**20  # bytes unpacked: one sample is read whole
LARGEST_ARCHIVE = 64 * 2**30  # bytes unpacked in all: more is no log that was run
LARGEST_RATIO = 500  # times the file's own size; logs unpack to some 3 to 30 times
MOST_MEMBERS = 4_000_000
EXPECTED = "an .eval log of inspect"
ZSTANDARD = 93
LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, then after fields that the directory repeats: two lengths
ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Archive:
    """An open log; a name that comes twice stands for its last member, as inspect reads it."""

    path: Path
    stream: BinaryIO
    zip: zipfile.ZipFile

    def names(self) -> list[str]:
        """The names of all members, each once."""
        return list(self.zip.NameToInfo)

    def read(self, name: str) -> bytes:
        """The content of a member, checked against its length and CRC."""
        info = self.zip.NameToInfo[name]
        if info.flag_bits & ENCRYPTED:
            raise InputError(f"{name} is encrypted", where=self.path, expected=EXPECTED)
        if info.file_size > LARGEST_MEMBER:
            raise self._too_large(name)
        try:
            content = self._unpacked(info)
        except (
            OSError,
            ValueError,
            EOFError,
            NotImplementedError,
            zlib.error,
            struct.error,
            zipfile.BadZipFile,
        ) as error:
            raise self._damaged(name, first_line(error)) from None
        if len(content) > LARGEST_MEMBER:
            raise self._too_large(name)
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise self._damaged(name, "its length or CRC isn't what the directory says")
        return content

    def _unpacked(self, info: zipfile.ZipInfo) -> bytes:
        if info.compress_type != ZSTANDARD:
            with self.zip.open(info) as member:
                return member.read(LARGEST_MEMBER + 1)
        import pyarrow as pa

        self.stream.seek(info.header_offset)
        signature, name_length, extra_length = LOCAL_HEADER.unpack(self.stream.read(LOCAL_HEADER.size))
        if signature != b"PK\x03\x04":
            raise zipfile.BadZipFile("no member where the directory says")
        self.stream.seek(name_length + extra_length, 1)
        # the file's own size bounds what is read: the directory may claim anything
        packed = pa.BufferReader(self.stream.read(min(info.compress_size, self.path.stat().st_size)))
        with pa.CompressedInputStream(packed, "zstd") as member:
            content: bytes = member.read(LARGEST_MEMBER + 1)
            return content

    def _too_large(self, name: str) -> InputError:
        return InputError(f"{name} unpacks to over {LARGEST_MEMBER} bytes", where=self.path, expected="smaller samples")

    def _damaged(self, name: str, found: str) -> InputError:
        return InputError(
            f"{name} can't be unpacked ({found})", where=self.path, expected=EXPECTED, next="get the whole file"
        )


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """The log at `path`, refused where it is no ZIP or claims to unpack to more than any log would."""
    try:
        with path.open("rb") as stream:
            try:
                archive = zipfile.ZipFile(stream)
            except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
                found = f"not a ZIP file ({first_line(error)})"
                raise InputError(found, where=path, expected=EXPECTED, next="get the whole file") from None
            with archive:
                _check_size(path, archive.infolist())
                yield Archive(path, stream, archive)
    except OSError as error:
        raise unreadable(path, error) from None


def _check_size(path: Path, members: list[zipfile.ZipInfo]) -> None:
    claimed = sum(info.file_size for info in members)
    most = min(LARGEST_ARCHIVE, LARGEST_RATIO * path.stat().st_size)
    if len(members) > MOST_MEMBERS or claimed > most:
        found = f"{len(members)} members that unpack to {claimed} bytes"
        raise InputError(found, where=path, expected=f"at most {most} bytes in a log of this size")
