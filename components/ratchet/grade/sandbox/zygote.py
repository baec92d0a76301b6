"""The process that children are forked from: warm, and started before its worker has seen any test."""

import array
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from ratchet.grade.sandbox import child, kernel, namespaces, seccomp
from ratchet.grade.sandbox.limits import Level, Limits

PACKET = 4096
_IMPORTED_AHEAD = """
bisect cmath collections copy datetime decimal fractions functools hashlib heapq io itertools math operator queue random
re statistics string textwrap typing
"""


def serve(control: socket.socket, level: Level) -> NoReturn:
    """Forks a child for each order on the control socket and reports how it ended; ends with its worker."""
    try:
        _settle(level)
        scratch = _new_scratch(level)
    except Exception as error:
        control.send(json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
        os._exit(0)
    _warm()
    control.send(b"{}")
    try:
        while (order := _next_order(control)) is not None:
            limits, channel = order
            pid = os.fork()
            if pid == 0:
                try:
                    child.run(channel, level, limits, scratch)
                finally:  # whatever the program raises: what follows here is for the zygote alone
                    os._exit(1)
            os.close(channel)
            report = _watched(pid, control)
            _clear(scratch)
            control.send(json.dumps(report).encode())
    finally:
        if scratch is not None:
            shutil.rmtree(scratch.parent, ignore_errors=True)
        os._exit(0)


def _settle(level: Level) -> None:
    if level != "process":  # which has a folder to remove first
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if level == "namespaces":
        namespaces.enter()
        first = os.fork()
        if first != 0:  # this process only lends the next one its place outside
            os.closerange(3, 1 << 20)
            os.waitpid(first, 0)
            os._exit(0)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        namespaces.settle()
    else:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def _next_order(control: socket.socket) -> tuple[Limits, int] | None:
    size = array.array("i").itemsize
    while True:
        packet, ancillary, _, _ = control.recvmsg(PACKET, socket.CMSG_SPACE(size), socket.MSG_CMSG_CLOEXEC)
        if not packet:
            return None
        if ancillary:
            channel = array.array("i", ancillary[0][2][:size])[0]
            return Limits(**json.loads(packet)), channel


def _watched(pid: int, control: socket.socket) -> dict[str, Any]:
    """How the child ended: by itself, or killed here because the worker said so or is gone."""
    opened = os.pidfd_open(pid)
    killed = False
    waited: list[int | socket.socket] = [opened, control]
    ready, _, _ = select.select(waited, [], [])
    if opened not in ready:
        patience = json.loads(control.recv(PACKET) or b"0")
        if not select.select([opened], [], [], patience)[0]:
            killed = True
            signal.pidfd_send_signal(opened, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    os.close(opened)
    _kill_descendants()
    return {"status": os.waitstatus_to_exitcode(status), "killed": killed, "cpu_s": used.ru_utime + used.ru_stime}


def _kill_descendants() -> None:
    """Leaves no process behind that the child started.

    As the first process of its namespace the zygote reaches all the others at once; elsewhere orphans come to it.
    """
    if os.getpid() == 1:
        _kill(-1)
    while True:
        for orphan in _children():
            _kill(orphan)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _new_scratch(level: Level) -> Path | None:
    """A folder with a work folder in it, which nobody may write to where root's programs are his."""
    if level != "process":
        return None
    scratch = Path(tempfile.mkdtemp(prefix="ratchet-")) / "work"
    scratch.parent.chmod(0o711)
    scratch.mkdir()
    _clear(scratch)
    return scratch


def _clear(scratch: Path | None) -> None:
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(exist_ok=True)
        scratch.chmod(0o700)
        if os.geteuid() == 0:
            os.chown(scratch, namespaces.NOBODY, namespaces.NOBODY)


def _warm() -> None:
    """Does here what every child would else do: imports what programs import most, and looks around."""
    for name in _IMPORTED_AHEAD.split():
        importlib.import_module(name)
    seccomp.supported()
    namespaces.readable_folders()
    gc.collect()
    gc.freeze()  # a child's collections then leave these pages alone
