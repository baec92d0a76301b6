"""Messages of bounded length over a stream: eight bytes say how long the next one is."""

import os
import struct

HEADER = struct.Struct(">Q")
READ_AHEAD = 1 << 16


def framed(message: bytes) -> bytes:
    """The message with its length before it."""
    return HEADER.pack(len(message)) + message


def send(descriptor: int, message: bytes) -> None:
    """Writes one message, however long that takes."""
    whole = framed(message)
    sent = os.write(descriptor, whole)
    while sent < len(whole):
        sent += os.write(descriptor, memoryview(whole)[sent:])


def receive(descriptor: int) -> bytes | None:
    """The next message, however long that takes, or None where the stream ends."""
    header = exactly(descriptor, HEADER.size)
    return None if header is None else exactly(descriptor, HEADER.unpack(header)[0])


class Reader:
    """The messages of a descriptor that nothing else reads, with as few calls of the system as they come in."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.ahead = b""

    def receive(self) -> bytes | None:
        """The next message, however long that takes, or None where the stream ends."""
        if not self.ahead:
            self.ahead = os.read(self.descriptor, READ_AHEAD)
            whole = len(self.ahead) >= HEADER.size and HEADER.unpack_from(self.ahead)[0] + HEADER.size
            if whole == len(self.ahead):  # most are that short, and alone
                said, self.ahead = self.ahead[HEADER.size :], b""
                return said
        header = self._exactly(HEADER.size)
        return None if header is None else self._exactly(HEADER.unpack(header)[0])

    def _exactly(self, size: int) -> bytes | None:
        if len(self.ahead) < size:
            found = bytearray(self.ahead)
            while len(found) < size:
                piece = os.read(self.descriptor, max(size - len(found), READ_AHEAD))
                if not piece:
                    return None
                found += piece
            self.ahead = bytes(found)
        said, self.ahead = self.ahead[:size], self.ahead[size:]
        return said


def exactly(descriptor: int, size: int) -> bytes | None:
    """As many bytes as that, however long that takes, or None where the stream ends before."""
    found = bytearray()
    while len(found) < size:
        piece = os.read(descriptor, min(size - len(found), 1 << 20))
        if not piece:
            return None
        found += piece
    return bytes(found)
