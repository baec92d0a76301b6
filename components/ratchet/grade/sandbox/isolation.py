"""How a child is isolated before it runs anything that a model wrote: in part by the zygote it is forked from.

What is given up for good and passes on to children the zygote gives up once, at `namespaces` and `landlock`.
"""

import os
import resource
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.grade.sandbox import kernel, landlock, namespaces, seccomp

if TYPE_CHECKING:  # a zygote does without the modules that make dataclasses: each child would have to copy them
    from collections.abc import Callable

    from ratchet.grade.sandbox.limits import Level, Limits

CLOSED_BELOW = 1 << 20
CHANNEL = 3  # the one descriptor that a child keeps beside the standard three


def missing(level: "Level") -> str | None:
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


def prepare(level: "Level", limits: "Limits", lend: "Callable[[int], None]") -> int:
    """Takes from this process, a zygote, what its children shall not have and it can do without.

    Returned is a descriptor that `isolate` needs, or -1. At `namespaces` the work folder's goes to `lend`, while this
    process can still send one. At `process` nothing is taken: there the zygote needs the grader's rights, to empty the
    work folder.
    """
    if level == "process":
        return -1
    rules = -1
    if level == "namespaces":
        folder = namespaces.make_private(limits)
        lend(folder)
        os.close(folder)
    else:
        os.chdir("/")
        rules = landlock.ruleset(namespaces.readable_folders())
    _lock_down(limits)
    kernel.drop_capabilities()
    seccomp.confine()
    return rules


def last_calls(level: "Level", limits: "Limits", rules: int) -> "list[kernel.Call]":
    """The system calls by which a child gives up the rest of what it can give up for good, made ready in the zygote.

    `rules` is what `prepare` gave. None at `process`, which is for other machines too.
    """
    if level == "process":
        return []
    cpu_s = kernel.struct_of_limit(resource.RLIMIT_CPU, _most_cpu_s(limits))
    calls: list[kernel.Call] = [
        (kernel.SYS_PRLIMIT64, 0, resource.RLIMIT_CPU, cpu_s, 0, 0),
        (kernel.SYS_PRCTL, kernel.PR_SET_PDEATHSIG, 9, 0, 0, 0),
    ]
    return calls if rules < 0 else [*calls, (landlock.SYS_RESTRICT_SELF, rules, 0, 0, 0, 0)]


def isolate(level: "Level", limits: "Limits", last: "list[kernel.Call]", scratch: Path | None) -> None:
    """Takes from this process, a child, the rest of what a graded program shall not have.

    `last` is what `last_calls` gave. `scratch` is the work folder at the level `process`, which has no other. At
    `landlock` there is nothing to write to.
    """
    if level == "process":
        _isolate_at_process(limits, scratch)
    kernel.make(last)
    os.closerange(CHANNEL + 1, CLOSED_BELOW)
    if seccomp.supported():
        seccomp.confine_further(os.getpid())


def _isolate_at_process(limits: "Limits", scratch: Path | None) -> None:
    os.setsid()
    os.chdir(scratch or "/")
    namespaces.become_nobody()
    _lock_down(limits)
    if seccomp.supported():
        seccomp.confine()
    else:
        kernel.set_limit(resource.RLIMIT_NPROC, 0)
    kernel.set_limit(resource.RLIMIT_CPU, _most_cpu_s(limits))
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)


def _most_cpu_s(limits: "Limits") -> int:
    return 2 * limits.cpu_s + 1  # the backstop of the tester's own looking


def _lock_down(limits: "Limits") -> None:
    os.umask(0o077)
    _set_limits(limits)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def _set_limits(limits: "Limits") -> None:
    kernel.set_limit(resource.RLIMIT_AS, limits.memory_bytes)
    kernel.set_limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    kernel.set_limit(resource.RLIMIT_NOFILE, 64)
    kernel.set_limit(resource.RLIMIT_CORE, 0)
    kernel.set_limit(resource.RLIMIT_MEMLOCK, 0)
    kernel.set_limit(resource.RLIMIT_MSGQUEUE, 0)
