"""System calls that Python 3.11 has no function for, through the C library."""

import ctypes
import os
import resource
import struct

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_NOATIME = 1, 2, 4, 8, 32, 1024
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_GET_SECCOMP, PR_SET_SECCOMP = 1, 4, 21, 22
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
# Numbers of x86-64; `seccomp.supported` is asked before any is used.
SYS_PIVOT_ROOT, SYS_CAPSET, SYS_PRCTL, SYS_PRLIMIT64 = 155, 126, 157, 302
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_kept: list[ctypes.Array[ctypes.c_char]] = []  # what prepared calls point to
_NOTHING = (None,) * 6
_libc.syscall.argtypes = (ctypes.c_long, *(ctypes.c_void_p,) * 6)  # whole registers, whatever is put there
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong)
_libc_with_lock = ctypes.PyDLL(None, use_errno=True)  # Python's own lock is held throughout
_plain_syscall = _libc_with_lock.syscall
_plain_syscall.argtypes = (ctypes.c_ulong,) * 6
_plain_syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: int | bytes | None | ctypes.Array[ctypes.c_char]) -> int:
    """The call's result; an OSError where the kernel refuses."""
    return _checked(_libc.syscall(number, *arguments, *_NOTHING[len(arguments) :]))


Call = tuple[int, ...]  # a number and its arguments, as whole registers; of x86-64


def make(calls: list[Call]) -> None:
    """Makes prepared system calls one after another; an OSError where the kernel refuses one.

    For children: each function of Python's own that one calls instead, each object that it makes, is a page of memory
    more that it has to copy.
    """
    for call in calls:
        if _plain_syscall(*call) < 0:
            _checked(-1)


def fork() -> int:
    """The new process's id, and 0 in that process; for a process of one thread.

    Unlike `os.fork` it calls none of the handlers that Python's modules have for this: they would cost each child some
    hundred pages of its own, for the locks of threads that aren't there and for new random numbers, where the same ones
    are wanted.
    """
    return _checked(int(_libc_with_lock.fork()))


def prctl(option: int, value: int = 0, pointer: ctypes.Array[ctypes.c_char] | None = None) -> None:
    """Sets one attribute of this process."""
    _checked(_libc.prctl(option, value, pointer, 0, 0))


def unshare(flags: int) -> None:
    """Leaves the namespaces named by `flags` for new ones."""
    _checked(_libc.unshare(flags))


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mounts, or changes a mount, as the call of this name does."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    _checked(_libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]))


def pivot_root_here() -> None:
    """Makes the working folder the root of this mount namespace and lets go of the old one."""
    syscall(SYS_PIVOT_ROOT, b".", b".")
    _checked(_libc.umount2(b".", MNT_DETACH))
    os.chdir("/")


def drop_capabilities() -> None:
    """Gives up every capability of this process, for good where no-new-privileges is set."""
    header = ctypes.create_string_buffer(struct.pack("Ii", CAPABILITY_VERSION_3, 0))
    syscall(SYS_CAPSET, header, ctypes.create_string_buffer(24))


def keep(pointed_to: ctypes.Array[ctypes.c_char]) -> int:
    """The address of these bytes, which stay there as long as this process."""
    _kept.append(pointed_to)
    return ctypes.addressof(pointed_to)


def struct_of_limit(which: int, value: int) -> int:
    """The address of what the call `prlimit64` takes for the limit that `set_limit` would set; it stays there."""
    return keep(ctypes.create_string_buffer(struct.pack("QQ", *(_within(which, value),) * 2)))


def set_limit(which: int, value: int) -> None:
    """Sets a resource limit for good, or leaves a lower one that was inherited."""
    resource.setrlimit(which, (_within(which, value),) * 2)


def _within(which: int, value: int) -> int:
    _, hard = resource.getrlimit(which)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
