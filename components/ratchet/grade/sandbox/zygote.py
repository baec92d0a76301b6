"""The process that children are forked from: warm, and started before its worker has seen any test."""

import gc
import json
import os
import random
import select
import signal
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ratchet.grade.sandbox import child, isolation, kernel, namespaces, seccomp

if TYPE_CHECKING:
    from ratchet.grade.sandbox.limits import Level, Limits

PACKET = 4096
PATIENCE = struct.Struct("d")
REPORT = struct.Struct("i?d")  # the child's status, whether it was killed, its processor time
FOLDER_USED = 77  # the exit code of a zygote whose work folder a program has used
_DESCRIPTOR = struct.Struct("i")
_ROOM = socket.CMSG_SPACE(_DESCRIPTOR.size)


def serve(control: socket.socket, level: "Level", limits: "Limits") -> NoReturn:
    """Forks a child for each order on the control socket and reports how it ended; ends with its worker."""
    try:
        _settle(level)
        _warm()
    except Exception as error:
        _say_failed(control, error)
    if level == "namespaces":
        _succeed(control, level, limits)
    _fork_children(control, level, limits, first=True)


def _succeed(control: socket.socket, level: "Level", limits: "Limits") -> NoReturn:
    """Stays what it is, and forks one zygote after another: each lasts until a program has used its work folder.

    As the first process of its namespace it takes all of them along when it ends.
    """
    first = True
    while True:
        pid = kernel.fork()
        if pid == 0:
            _fork_children(control, level, limits, first)
        _, status = os.waitpid(pid, 0)
        _kill_descendants(alone=True)
        if os.waitstatus_to_exitcode(status) != FOLDER_USED:
            os._exit(0)
        first = False


def _fork_children(control: socket.socket, level: "Level", limits: "Limits", first: bool) -> NoReturn:
    scratch = None
    try:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        scratch = _new_scratch(level)
        rules = isolation.prepare(level, limits)
        if first:
            control.send(b"{}")
        alone = level == "namespaces"
        unused = namespaces.work_folder_state() if alone else ()
        while (channel := _next_order(control)) is not None:
            pid = kernel.fork()
            if pid == 0:
                try:
                    child.run(channel, level, limits, rules, scratch)
                finally:  # whatever the program raises: what follows here is for the zygote alone
                    os._exit(1)
            os.close(channel)
            report = _report(pid, control)
            _kill_descendants(alone)
            _clear(scratch)
            control.send(report)
            if alone and namespaces.work_folder_state() != unused:
                os._exit(FOLDER_USED)
    except Exception as error:
        _say_failed(control, error)
    finally:
        _remove(scratch)
        os._exit(0)


def _say_failed(control: socket.socket, error: Exception) -> NoReturn:
    control.send(json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
    os._exit(0)


def _settle(level: "Level") -> None:
    if level != "process":  # which has a folder to remove first
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if level == "namespaces":
        namespaces.enter()
        first = kernel.fork()
        if first != 0:  # this process only lends the next one its place outside
            os.closerange(3, 1 << 20)
            os.waitpid(first, 0)
            os._exit(0)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        namespaces.settle()
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def _next_order(control: socket.socket) -> int | None:
    """The channel of the next child; None where the worker is gone."""
    while True:
        packet, ancillary, _, _ = control.recvmsg(PACKET, _ROOM, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            return None
        if ancillary:
            return int(_DESCRIPTOR.unpack_from(ancillary[0][2])[0])


def _report(pid: int, control: socket.socket) -> bytes:
    """How the child ended: by itself within the patience that the worker has when it is done with it, or killed."""
    said = control.recv(PACKET)
    patience_s = PATIENCE.unpack(said)[0] if said else 0.0
    ended = patience_s > 0 and _ends(pid, patience_s)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    return REPORT.pack(os.waitstatus_to_exitcode(status), not ended, used.ru_utime + used.ru_stime)


def _ends(pid: int, patience_s: float) -> bool:
    opened = os.pidfd_open(pid)
    ready, _, _ = select.select([opened], [], [], patience_s)
    os.close(opened)
    return bool(ready)


def _kill_descendants(alone: bool) -> None:
    """Leaves no process behind that a child started; those whose parent has ended come to this process.

    `alone` says that this process is in a namespace of its own, where it may signal all the others at once.
    """
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                for orphan in (-1,) if alone else _children():
                    _kill(orphan)
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


def _new_scratch(level: "Level") -> Path | None:
    """A folder with a work folder in it, which nobody may write to where root's programs are his."""
    if level != "process":
        return None
    import tempfile  # which the other levels don't pay for

    scratch = Path(tempfile.mkdtemp(prefix="ratchet-")) / "work"
    scratch.parent.chmod(0o711)
    scratch.mkdir()
    _clear(scratch)
    return scratch


def _clear(scratch: Path | None) -> None:
    if scratch is not None:
        import shutil

        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(exist_ok=True)
        scratch.chmod(0o700)
        if os.geteuid() == 0:
            os.chown(scratch, namespaces.NOBODY, namespaces.NOBODY)


def _remove(scratch: Path | None) -> None:
    if scratch is not None:
        import shutil

        shutil.rmtree(scratch.parent, ignore_errors=True)


def _warm() -> None:
    """Does here what every child would else do."""
    random.seed(0)  # what a program draws is the same in every run
    seccomp.supported()
    seccomp.own_filter()
    child.rehearse()
    namespaces.readable_folders()
    gc.collect()
    gc.freeze()  # a child's collections then leave these pages alone
