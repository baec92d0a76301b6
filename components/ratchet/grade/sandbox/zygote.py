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
FORK, FORK_SCRIPT, RETIRE = b"fork", b"script", b"retire"  # with the channels of as many children; without any
END = struct.Struct("id")  # which of the last row of children, and the patience for its end
REPORT = struct.Struct("i?d")  # the child's status, whether it was killed, its processor time
FOLDER_USED = 77  # the exit code of a zygote whose work folder a program has used
_DESCRIPTOR = struct.Struct("i")
_ROOM = socket.CMSG_SPACE(64 * _DESCRIPTOR.size)


def serve(control: socket.socket, level: "Level", limits: "Limits") -> NoReturn:
    """Forks children as the control socket orders and reports how they ended; ends with its worker."""
    try:
        _settle(level)
        _warm()
    except Exception as error:
        _say_failed(control, error)
    if level == "namespaces":
        _succeed(control, level, limits)
    _fork_children(control, level, limits)


def _succeed(control: socket.socket, level: "Level", limits: "Limits") -> NoReturn:
    """Stays what it is, and forks one zygote after another: each lasts until a program has used its work folder.

    As the first process of its namespace it takes all of them along when it ends.
    """
    while True:
        pid = kernel.fork()
        if pid == 0:
            _fork_children(control, level, limits)
        _, status = os.waitpid(pid, 0)
        _kill_descendants(alone=True)
        if os.waitstatus_to_exitcode(status) != FOLDER_USED:
            os._exit(0)


def _fork_children(control: socket.socket, level: "Level", limits: "Limits") -> NoReturn:
    scratch, order = None, b""
    try:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        scratch = _new_scratch(level)
        rules = isolation.prepare(level, limits, lambda folder: _lend(control, folder))
        last = isolation.last_calls(level, limits, rules)
        control.send(b"{}")
        row: dict[int, int] = {}  # by their places in it
        while True:
            order, channels = _next_order(control)
            if len(order) == END.size:
                which, patience_s = END.unpack(order)
                report = _report(row.pop(which), patience_s)
                if level == "process":
                    _clear_away(row, level, scratch)
                control.send(report)
                continue
            _clear_away(row, level, scratch)
            if not channels:
                break
            for place, channel in enumerate(channels):
                row[place] = _forked(channel, order == FORK_SCRIPT, level, limits, last, scratch)
    except Exception as error:
        _say_failed(control, error)
    finally:
        _remove(scratch)
        os._exit(FOLDER_USED if order == RETIRE else 0)


def _lend(control: socket.socket, folder: int) -> None:
    socket.send_fds(control, [b"folder"], [folder])


def _forked(
    channel: int, script: bool, level: "Level", limits: "Limits", last: list[kernel.Call], scratch: Path | None
) -> int:
    """The process id of a new child at the other end of the channel."""
    os.dup2(channel, isolation.CHANNEL)
    os.close(channel)
    _renew_standard_streams()
    pid = kernel.fork()
    if pid == 0:
        try:
            child.run(script, level, limits, last, scratch)
        finally:  # whatever the program raises: what follows is for the zygote alone
            os._exit(1)
    os.dup2(0, isolation.CHANNEL)  # the channel shall end with the child; and its number stays taken
    return pid


def _renew_standard_streams() -> None:
    """Opens what they are anew: flags and locks belong to an open file, and a child shares that with none other."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    os.close(quiet)


def _clear_away(row: dict[int, int], level: "Level", scratch: Path | None) -> None:
    """Leaves nothing of the last row of children, whether they were used or not."""
    for pid in row.values():
        _kill(pid)
    row.clear()
    _kill_descendants(level == "namespaces")
    _clear(scratch)


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


def _next_order(control: socket.socket) -> tuple[bytes, list[int]]:
    """The next order and the channels that came with it; an empty one where the worker is gone."""
    packet, ancillary, _, _ = control.recvmsg(PACKET, _ROOM, socket.MSG_CMSG_CLOEXEC)
    return packet, [number for _, _, data in ancillary for (number,) in _DESCRIPTOR.iter_unpack(data)]


def _report(pid: int, patience_s: float) -> bytes:
    """How the child ended: by itself within the patience that the worker has when it is done with it, or killed."""
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
    gc.set_threshold(20_000, 10, 10)  # and what a short program makes too
