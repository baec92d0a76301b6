"""The system calls that a graded program may make: a list of what CPython needs, everything else is refused.

In two filters, since a filter is dear to install: `confine`, the long one, is the zygote's and passes on to children;
`confine_further` is each child's own and takes what only the zygote needs. Where the two differ the stricter holds.

Refused are so, among others: new processes and programs, sockets, signals to other processes, looking into or changing
other processes, namespaces and mounts, keys, BPF, io_uring, shared memory, and the calls on files that Landlock doesn't
govern (owner, mode, times, extended attributes, `truncate`). A thread is no new process and is allowed.
"""

import ctypes
import errno
import os
import struct
from functools import cache

from ratchet.grade.sandbox import kernel

ARCHITECTURE = 0xC000003E  # x86-64
X32_BIT = 0x40000000
# Numbers of x86-64, from the kernel's unistd_64.h. The most used first: the filter goes through them in order.
_ALLOWED = (
    *(0, 1, 9, 11, 12, 202, 3, 257, 262, 5, 8, 10, 13, 14, 15, 228, 318),  # read write memory futex files signals time
    *(2, 4, 6, 7, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 32, 33, 34, 35, 36, 37, 38, 39, 40, 45),
    *(60, 61, 63, 73, 74, 75, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 95, 96, 97, 98, 99, 100, 102, 104),
    *(107, 108, 110, 111, 115, 118, 120, 121, 124, 127, 128, 130, 131, 137, 138, 186, 201, 204, 217, 219, 221),
    *(229, 230, 231, 232, 233, 247, 258, 263, 264, 266, 267, 269, 270, 271, 273, 274, 281, 285, 290, 291, 292, 293),
    *(295, 296, 309, 316, 324, 326, 332, 334, 436, 439),
)
# What it takes to fork, confine and end a child: recvmsg, prctl, memfd_create, pidfd_open, landlock_restrict_self.
_ZYGOTES = (47, 157, 319, 434, 446)
CLONE, CLONE3, KILL, TGKILL, PRLIMIT64, IOCTL, FCNTL, SENDTO, SOCKETPAIR = 56, 435, 62, 234, 302, 16, 72, 44, 53
CLONE_THREAD = 0x10000
AF_UNIX, SIGKILL = 1, 9
# Close-on-exec, blocking mode, bytes to read, and whether a file is a terminal.
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Duplicates, flags, locks and the size of a pipe; not F_SETOWN and F_SETSIG, by which the kernel sends any signal.
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1031, 1032)
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_UNKNOWN = 0x00050000 | errno.ENOSYS
SECCOMP_MODE_FILTER = 2
_STEP = struct.Struct("HBBI")
_PID = struct.Struct("I")
_ANY_PID = 0x646970F1  # stands for the child's process id; more than any
Bytes = ctypes.Array[ctypes.c_char]
Step = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


@cache
def supported() -> bool:
    """Whether this is the machine that the numbers are of and the kernel has filters."""
    if os.uname().machine != "x86_64" or struct.calcsize("P") != 8:
        return False
    try:
        kernel.prctl(kernel.PR_GET_SECCOMP)
    except OSError:
        return False
    return True


def confine() -> None:
    """Confines this thread, and all that it starts, for good, but for what forks, confines and signals others."""
    _install(_packed(_shared_program()))


def confine_further(pid: int) -> None:
    """Takes from this thread, and all that it starts, the rest. `pid` is its process, the one that it may signal."""
    code, places, calls = own_filter()
    for place in places:
        _PID.pack_into(code, place, pid)
    kernel.make(calls)


@cache
def own_filter() -> tuple[Bytes, tuple[int, ...], list[kernel.Call]]:
    """The filter of a child, where in it the child's process id belongs, and the call that installs it.

    Made once, in the zygote: a child has only to fill in its number.
    """
    code = _packed(_own_program())
    places = tuple(place for place in range(4, len(code), _STEP.size) if code[place : place + 4] == _PID.pack(_ANY_PID))
    held, header = _pointed_to(code)
    call = (kernel.SYS_PRCTL, kernel.PR_SET_SECCOMP, SECCOMP_MODE_FILTER, kernel.keep(header), 0, 0)
    return held, places, [call]


def _install(code: bytes) -> None:
    kept = _pointed_to(code)  # both, for as long as the call takes
    kernel.prctl(kernel.PR_SET_SECCOMP, SECCOMP_MODE_FILTER, kept[1])


def _pointed_to(code: bytes) -> tuple[Bytes, Bytes]:
    held = ctypes.create_string_buffer(code)
    header = struct.pack("HxxxxxxP", len(code) // _STEP.size, ctypes.addressof(held))
    return held, ctypes.create_string_buffer(header)


def _packed(steps: list[Step]) -> bytes:
    return b"".join(_STEP.pack(*step) for step in steps)


def _shared_program() -> list[Step]:
    steps: list[Step] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, ARCHITECTURE), (_RETURN, 0, 0, _KILL)]
    steps += [(_LOAD, 0, 0, 0), (_AT_LEAST, 0, 1, X32_BIT), (_RETURN, 0, 0, _UNKNOWN)]
    for number in (*_ALLOWED, CLONE, KILL, TGKILL, PRLIMIT64, *_ZYGOTES):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    # The C library then tries `clone`, whose flags a filter can read.
    steps += [(_EQUAL, 0, 1, CLONE3), (_RETURN, 0, 0, _UNKNOWN)]
    steps += _rule(IOCTL, _among(1, _IOCTLS))
    steps += _rule(FCNTL, _among(1, _FCNTLS))
    steps += _rule(SENDTO, [*_among(4, (0,)), *_among(4, (0,), high=True)])
    steps += _rule(SOCKETPAIR, _among(0, (AF_UNIX,)))
    return [*steps, (_RETURN, 0, 0, _REFUSE)]


def _own_program() -> list[Step]:
    pid = _ANY_PID
    steps: list[Step] = [(_LOAD, 0, 0, 0)]
    for number in _ZYGOTES:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    steps += _rule(CLONE, [(_LOAD, 0, 0, _low(0)), (_ANY_BIT, 1, 0, CLONE_THREAD), (_RETURN, 0, 0, _REFUSE)])
    # SIGKILL to itself is refused too: so a SIGKILL is always from outside.
    steps += _rule(KILL, [*_among(0, (pid,)), *_not(1, SIGKILL)])
    steps += _rule(TGKILL, [*_among(0, (pid,)), *_not(2, SIGKILL)])
    steps += _rule(PRLIMIT64, [*_among(0, (0, pid)), *_among(2, (0,)), *_among(2, (0,), high=True)])
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _rule(number: int, checks: list[Step]) -> list[Step]:
    """Allows the call where all the checks fall through; they return where they don't."""
    return [(_EQUAL, 0, len(checks) + 1, number), *checks, (_RETURN, 0, 0, _ALLOW)]


def _among(argument: int, values: tuple[int, ...], high: bool = False) -> list[Step]:
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [(_LOAD, 0, 0, _low(argument) + 4 * high), *tests, (_RETURN, 0, 0, _REFUSE)]


def _not(argument: int, value: int) -> list[Step]:
    return [(_LOAD, 0, 0, _low(argument)), (_EQUAL, 0, 1, value), (_RETURN, 0, 0, _REFUSE)]


def _low(argument: int) -> int:
    return 16 + 8 * argument
