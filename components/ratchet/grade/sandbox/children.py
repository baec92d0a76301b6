"""The children that a zygote has forked ahead, as whoever uses them sees them: the worker, or its tester meanwhile.

Each is isolated, waits for its program, and is used once. Forked ahead they are cheaper: a process that forks has to
copy, each time, what it writes to while its children are there, and so several forks in a row cost it once.
"""

import json
import os
import select
import signal
import socket
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from ratchet.grade.sandbox import namespaces, zygote
from ratchet.grade.sandbox.lifeline import cpu_s, new_channel
from ratchet.grade.sandbox.limits import Level

AT_ONCE = 16  # children that are forked in a row
PATIENCE_S = 2.0  # for the end of a child whose channel has ended


class End(NamedTuple):
    """How a child ended."""

    status: int
    """Its exit code, or minus the signal."""
    killed: bool
    """Whether that was the zygote."""
    cpu_s: float


class Children:
    """The children of one zygote, used in the order that they were forked in."""

    def __init__(self, control: socket.socket, level: Level):
        self.control = control
        self.level = level
        self.ready: deque[socket.socket] = deque()
        self.forked = 0  # in the last row
        self.next_row = 1  # more each time: a single program shall not wait for sixteen forks
        self.folder = -1
        self.unused: tuple[int, ...] = ()
        self.used_folder = False

    def greet(self) -> str | None:
        """Waits until the zygote can fork; returned is why it can't, or None. At `namespaces` it lends its folder."""
        packet, descriptors, _, _ = socket.recv_fds(self.control, zygote.PACKET, 1)
        if descriptors:
            self.folder, self.unused = descriptors[0], namespaces.folder_state(descriptors[0])
            packet = self.control.recv(zygote.PACKET)
        gone = {"failed": "the process that children are forked from has ended"}
        failed: str | None = (json.loads(packet) if packet else gone).get("failed")
        return failed

    def renew(self) -> None:
        """Has the zygote replaced where a program has used the work folder."""
        if not self.used_folder:
            return
        self.drop()
        os.close(self.folder)
        self.control.send(zygote.RETIRE)
        failed = self.greet()
        if failed is not None:
            raise RuntimeError(failed)
        self.used_folder = False
        self.next_row = 1

    def require(self) -> None:
        """Sees to it that there is a child; an OSError where the zygote is gone."""
        if not self.ready:
            self._fork(zygote.FORK, self.next_row)
            self.next_row = min(2 * self.next_row, 1 if self.level == "process" else AT_ONCE)

    def next(self) -> socket.socket:
        """The channel to a child that no program has used."""
        self.require()
        return self.ready.popleft()

    def next_script(self) -> socket.socket:
        """The channel to a child whose standard streams its program uses."""
        self.drop()
        self._fork(zygote.FORK_SCRIPT, 1)
        return self.ready.popleft()

    def drop(self) -> None:
        """Does without those that are left."""
        while self.ready:
            self.ready.popleft().close()

    def used_s(self, pid: int) -> float | None:
        """The processor time of the last child, or None where only its end can tell."""
        return None if self.level == "process" else cpu_s(pid)

    def kill(self, pid: int) -> None:
        """Ends the last child, whose process id this is; when it has left something behind, notes that.

        The zygote waits for it later, and until then the id is no other process's.
        """
        if self.level == "process":
            self.end(0.0)
            return
        if self.folder < 0:
            os.kill(pid, signal.SIGKILL)
            return
        opened = os.pidfd_open(pid)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(opened, signal.SIGKILL)
        select.select([opened], [], [])
        os.close(opened)
        self._look()

    def end(self, patience_s: float) -> End:
        """How the last child ended; after the patience it is killed."""
        self.control.send(zygote.END.pack(self.forked - len(self.ready) - 1, patience_s))
        found = End(*zygote.REPORT.unpack(self.control.recv(zygote.PACKET)))
        if self.folder >= 0:
            self._look()
        return found

    def _look(self) -> None:
        self.used_folder = self.used_folder or namespaces.folder_state(self.folder) != self.unused

    def _fork(self, order: bytes, number: int) -> None:
        pairs = [new_channel() for _ in range(number)]
        socket.send_fds(self.control, [order], [theirs.fileno() for _, theirs in pairs])
        for ours, theirs in pairs:
            theirs.close()
            self.ready.append(ours)
        self.forked = number
