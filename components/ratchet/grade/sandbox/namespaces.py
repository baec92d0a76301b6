"""Namespaces of their own for the zygote and its children: processes, network, files, host name, shared memory, users.

Root makes them directly; anyone else through a user namespace, where the host allows it.
"""

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.grade.sandbox import kernel

if TYPE_CHECKING:
    from ratchet.grade.sandbox.limits import Limits

NOBODY = 65534
WORK = "/work"
INODES = 1024
_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")
_DEVICES = ("/dev/null", "/dev/urandom")
_PLACES = ("/mnt", "/media", "/srv", "/tmp", "/opt", "/home", "/var")  # where the new root may be put together
# Of the flags that a mount can have: what statvfs calls them and what mount does. A user namespace can't take any off.
_LOCKED = ((os.ST_NOSUID, kernel.MS_NOSUID), (os.ST_NODEV, kernel.MS_NODEV), (os.ST_NOEXEC, kernel.MS_NOEXEC))


@cache
def readable_folders() -> list[str]:
    """The folders that Python and its standard library need; none of the installed packages, which lie elsewhere."""
    library = [str(Path(os.__file__).parent), f"{sys.base_exec_prefix}/{sys.platlibdir}", f"{sys.base_prefix}/lib"]
    found = [str(Path(folder).resolve()) for folder in (*library, *_SYSTEM) if Path(folder).is_dir()]
    return [f for f in dict.fromkeys(found) if not any(f.startswith(other + "/") for other in found)]


def enter() -> None:
    """Leaves the namespaces of the host. The next process forked is the first of its own; it must call `settle`."""
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    if os.geteuid() == 0:
        kernel.unshare(flags)
        return
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(flags | kernel.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", name).write_text(text)


def settle() -> None:
    """Makes a root of its own for this mount namespace: Python's libraries, two devices, and nothing to write."""
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    folders = readable_folders()
    place = next(p for p in _PLACES if Path(p).is_dir() and not any(f.startswith(p) for f in folders))
    kernel.mount("tmpfs", place, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    for source in folders:
        Path(place + source).mkdir(0o755, parents=True)
        _bind(source, place + source, kernel.MS_RDONLY)
    for name in _SYSTEM:
        if Path(name).is_symlink() and not Path(place + name).exists():
            Path(place + name).symlink_to(Path(name).readlink())
    Path(place + "/dev").mkdir(0o755)
    for source in _DEVICES:
        Path(place + source).touch(0o644)
        _bind(source, place + source, 0)
    Path(place + WORK).mkdir(0o755)
    os.chdir(place)
    kernel.pivot_root_here()
    kernel.mount("none", "/", None, kernel.MS_REMOUNT | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV)


def make_private(limits: "Limits") -> int:
    """Gives this process an empty work folder that only its children see too, and another user than root.

    Returned is a descriptor that `folder_state` takes and nothing can be opened by.
    """
    kernel.unshare(kernel.CLONE_NEWNS)
    options = f"size={limits.file_bytes},nr_inodes={INODES},mode=777"
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC | kernel.MS_NOATIME
    kernel.mount("tmpfs", WORK, "tmpfs", flags, options)
    os.chdir(WORK)
    opened = os.open(WORK, os.O_PATH | os.O_CLOEXEC)
    become_nobody()
    return opened


def folder_state(folder: int) -> tuple[int, ...]:
    """What stays equal as long as nothing is made or changed in the work folder.

    An entry in a folder in memory changes its size, and one that is made and removed its times.
    """
    state = os.stat(folder)
    return state.st_mode, state.st_nlink, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def become_nobody() -> None:
    """Gives up root, for a user who owns nothing; anyone else stays who he is."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _bind(source: str, target: str, flags: int) -> None:
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)
    had = os.statvfs(source).f_flag
    kept = sum(to for seen, to in _LOCKED if had & seen)
    nodev = 0 if source.startswith("/dev/") else kernel.MS_NODEV
    kernel.mount("none", target, None, kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_NOSUID | nodev | kept | flags)
