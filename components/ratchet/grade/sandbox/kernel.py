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
SYS_PIVOT_ROOT, SYS_CAPSET = 155, 126  # x86-64; `seccomp.supported` is asked before either is used
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_NOTHING = (None,) * 6
_libc.syscall.argtypes = (ctypes.c_long, *(ctypes.c_void_p,) * 6)  # whole registers, whatever is put there
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong)
_libc_with_lock = ctypes.PyDLL(None, use_errno=True)  # Python's own lock is held throughout


def syscall(number: int, *arguments: int | bytes | None | ctypes.Array[ctypes.c_char]) -> int:
    """The call's result; an OSError where the kernel refuses."""
    return _checked(_libc.syscall(number, *arguments, *_NOTHING[len(arguments) :]))


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


def set_limit(which: int, value: int) -> None:
    """Sets a resource limit for good, or leaves a lower one that was inherited."""
    _, hard = resource.getrlimit(which)
    kept = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (kept, kept))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
