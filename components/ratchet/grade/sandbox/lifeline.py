"""The tester's end of the channel to a child: whole messages, bounded in size, and in the time that the child idles."""

import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ratchet.grade.sandbox import wire
from ratchet.grade.sandbox.child import READY
from ratchet.grade.sandbox.limits import Limits

LOOK_S = 0.1  # how often a child that doesn't answer is looked at
PASSED_OVER = 4  # times the limit, for a child that is found ready to run whenever it is looked at
READ_AHEAD = wire.READ_AHEAD
_Found = TypeVar("_Found")
_CREDENTIALS = struct.Struct("3i")


def new_channel() -> tuple[socket.socket, socket.socket]:
    """The tester's end of a new channel, and the child's.

    Before the child can send anything: the kernel says with each message which process it is from, and no call on the
    tester's end takes longer than `LOOK_S`.
    """
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    patience = struct.pack("ll", 0, int(LOOK_S * 1e6))
    for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        ours.setsockopt(socket.SOL_SOCKET, way, patience)
    return ours, theirs


class Lost(BaseException):
    """The child is gone or has broken a limit; the reason, or None where only its end can tell.

    No Exception, so that tests that expect one don't take it for theirs.
    """

    def __init__(self, reason: str | None):
        super().__init__(reason)
        self.reason = reason


class Failed(BaseException):
    """This side failed, not the program: no verdict."""


class Lifeline:
    """One child's channel. Whatever the child writes, a method returns bytes or raises Lost."""

    def __init__(self, channel: socket.socket, limits: Limits):
        self.channel = channel
        self.limits = limits
        self.pid = 0
        self.ahead = b""  # received and not yet asked for
        self.waited_s = self.looked_s = self.met_s = 0.0  # in all waits; of these until the last look, and at the start
        self.held_up_s: float | None = None  # this process, until the first look

    def meet(self) -> None:
        """Waits until the child says that it is isolated. What comes before that is from our own code."""
        most = (READ_AHEAD, socket.CMSG_SPACE(_CREDENTIALS.size))
        try:
            self.ahead, ancillary, _, _ = self._patiently(self.channel.recvmsg, *most)
        except OSError:
            ancillary = []
        if len(self.ahead) < wire.HEADER.size or not ancillary:
            raise Failed("the child ended before it was isolated")
        self.pid = _CREDENTIALS.unpack(ancillary[0][2][: _CREDENTIALS.size])[0]
        said = self.receive()
        self.met_s = self.waited_s
        if said != READY:
            raise Failed(f"the isolation failed: {said.decode('utf-8', 'replace')[:200]}")

    def send(self, message: bytes) -> None:
        """Sends one message; Lost where the child doesn't take it."""
        framed = wire.framed(message)
        sent = 0
        while sent < len(framed):
            try:
                sent += self._patiently(self.channel.send, framed[sent:] if sent else framed)
            except OSError:
                raise Lost(None) from None

    def receive(self) -> bytes:
        """The child's next message; Lost where none comes or it is longer than a value may be."""
        if not self.ahead:
            self.ahead = self._piece(READ_AHEAD)
            whole = len(self.ahead) >= wire.HEADER.size and wire.HEADER.unpack_from(self.ahead)[0] + wire.HEADER.size
            if whole == len(self.ahead) <= self.limits.output_bytes:  # most are that short, and alone
                said, self.ahead = self.ahead[wire.HEADER.size :], b""
                return said
        size = wire.HEADER.unpack(self._exactly(wire.HEADER.size))[0]
        if size > self.limits.output_bytes:
            raise Lost("the program sent more than a value may be")
        return self._exactly(size)

    def rest(self) -> bytes | None:
        """All that the child writes until it ends, or None where that is more than it may write."""
        found = bytearray(self.ahead)
        while piece := self._piece(READ_AHEAD):
            found += piece
            if len(found) > self.limits.output_bytes:
                return None
        return bytes(found)

    def _exactly(self, size: int) -> bytes:
        if len(self.ahead) < size:
            found = bytearray(self.ahead)
            while len(found) < size:
                piece = self._piece(max(READ_AHEAD, min(size - len(found), 1 << 20)))
                if not piece:
                    raise Lost(None)
                found += piece
            self.ahead = bytes(found)
        said, self.ahead = self.ahead[:size], self.ahead[size:]
        return said

    def _piece(self, most: int) -> bytes:
        try:
            return self._patiently(self.channel.recv, most)
        except OSError:
            return b""

    def _patiently(self, attempt: Callable[..., _Found], *arguments: Any) -> _Found:
        """What the attempt gives; Lost when the child has run for too long, or been idle, over all waits together."""
        while True:
            began = time.monotonic()
            try:
                return attempt(*arguments)
            except BlockingIOError:  # the channel's own patience is `LOOK_S`
                continue
            finally:
                self.waited_s += time.monotonic() - began
                if self.waited_s - self.looked_s >= LOOK_S:
                    self._look()

    def _look(self) -> None:
        self.looked_s = self.waited_s
        if self.waited_s > self.limits.wall_s:
            raise Failed(f"no verdict within {self.limits.wall_s:g} s of the clock")
        ran = cpu_s(self.pid) if self.pid else None
        if ran is None:
            return
        if ran > self.limits.cpu_s:
            raise Lost(out_of_time(self.limits))
        # What the child did while nobody waited for it counts in its favour.
        idle_s = self.waited_s - self.met_s - ran - queued_s(self.pid)
        # Of that time an answer may have been there, and this process had no time to read it.
        if self.held_up_s is None:
            self.held_up_s = held_up_s()
        elif idle_s > self.limits.idle_s:
            idle_s -= held_up_s() - self.held_up_s
        # Its present wait for a processor is counted only when it ends: so more is let pass, though not without end.
        if idle_s > self.limits.idle_s * (PASSED_OVER if ready_to_run(self.pid) else 1):
            raise Lost(f"the program slept or waited for more than {self.limits.idle_s:g} s")


def out_of_time(limits: Limits) -> str:
    """The reason for a verdict on a program that used more processor time than it may."""
    return f"the program used up its CPU time ({limits.cpu_s} s)"


def cpu_s(pid: int) -> float | None:
    """The processor time of all threads of the process, to the nanosecond; None once it is gone.

    The clock that clock_getcpuclockid(3) names. The limit of resources (RLIMIT_CPU) counts in ticks, which charge a
    process for what others used on a busy host, and so is no more than a backstop.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None


def queued_s(pid: int) -> float:
    """For how long the process's threads waited for a processor; 0 where the kernel doesn't say."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(path.read_text().split()[1])
        except OSError:  # a thread that has ended
            continue
    return total / 1e9


def held_up_s() -> float:
    """For how long in all this process waited for a processor, and a processor, in the mean, for its host.

    0 where the kernel doesn't say.
    """
    try:
        queued = int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
        stolen = int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / os.sysconf("SC_CLK_TCK")
        return queued + stolen / (os.cpu_count() or 1)
    except (OSError, IndexError, ValueError):
        return 0.0


def ready_to_run(pid: int) -> bool:
    """Whether a thread of the process runs or waits for a processor or a disk."""
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            if path.read_text().rpartition(")")[2].split()[0] in "RD":
                return True
        except OSError:  # a thread that has ended
            continue
    return False
