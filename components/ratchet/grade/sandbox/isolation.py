"""How a child isolates itself, once, before it runs anything that a model wrote."""

import os
import resource
import stat
from pathlib import Path

from ratchet.grade.sandbox import kernel, landlock, namespaces, seccomp
from ratchet.grade.sandbox.limits import Level, Limits

CHANNEL = 3  # the one descriptor that a child keeps beside the standard three


def missing(level: Level) -> str | None:
    """What this host can be seen to lack for a level, or None. That a level holds is for a trial to show."""
    if level != "process" and not seccomp.supported():
        return "the filter of system calls needs Linux with seccomp on x86-64"
    if level == "landlock" and landlock.abi() < landlock.OLDEST_ABI:
        return f"Landlock of ABI {landlock.OLDEST_ABI} or later is needed, the kernel has {landlock.abi()}"
    if level == "process" and os.geteuid() == 0:
        return _closed_to_nobody()
    return None


def _closed_to_nobody() -> str | None:
    """Why a program of root's can't run as nobody: a folder above Python's library that only its owner may enter."""
    library = Path(os.__file__).resolve()
    closed = next((str(f) for f in library.parents if not f.stat().st_mode & stat.S_IXOTH), None)
    return closed and f"as root it runs programs as nobody, who can't enter {closed}, where Python's library is"


def isolate(level: Level, limits: Limits, scratch: Path | None) -> None:
    """Takes from this process all that a graded program shall not have. Nothing given up here can be had back.

    `scratch` is the work folder at the level `process`, which has no other. At `landlock` there is nothing to write to.
    """
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    os.setsid()
    os.closerange(CHANNEL + 1, 1 << 20)
    os.umask(0o077)
    if level == "namespaces":
        namespaces.make_private(limits)
    else:
        os.chdir(scratch or "/")
        if level == "process":
            namespaces.become_nobody()
    _set_limits(limits)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)  # a change of user clears it
    if level == "landlock":
        kernel.drop_capabilities()
        landlock.restrict(namespaces.readable_folders())
    if seccomp.supported():
        seccomp.apply(os.getpid())
    else:
        kernel.set_limit(resource.RLIMIT_NPROC, 0)


def _set_limits(limits: Limits) -> None:
    kernel.set_limit(resource.RLIMIT_CPU, 2 * limits.cpu_s + 1)  # the backstop of the tester's own looking
    kernel.set_limit(resource.RLIMIT_AS, limits.memory_bytes)
    kernel.set_limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    kernel.set_limit(resource.RLIMIT_NOFILE, 64)
    kernel.set_limit(resource.RLIMIT_CORE, 0)
    kernel.set_limit(resource.RLIMIT_MEMLOCK, 0)
    kernel.set_limit(resource.RLIMIT_MSGQUEUE, 0)
