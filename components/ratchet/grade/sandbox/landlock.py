"""Landlock: the files that a graded program may open, as a list of folders that it may read."""

import ctypes
import os
import struct
from collections.abc import Iterable

from ratchet.grade.sandbox import kernel

SYS_CREATE_RULESET, SYS_ADD_RULE, SYS_RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION, RULE_PATH_BENEATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
OLDEST_ABI = 3  # before it, files could be cut to nothing by `open` with O_TRUNC
_FILE_RIGHTS = {3: 15, 4: 15}  # how many rights an ABI knows; from 5 on 16
SCOPED_FROM_ABI, NETWORK_FROM_ABI = 6, 4


def abi() -> int:
    """The version of Landlock that the kernel has; 0 without."""
    try:
        return kernel.syscall(SYS_CREATE_RULESET, None, 0, CREATE_RULESET_VERSION)
    except OSError:
        return 0


def ruleset(readable: Iterable[str]) -> int:
    """A descriptor of the rules for `restrict`: files under `readable` can be opened, to read, and nothing else.

    No TCP, and no signals to processes without these rules. What Landlock doesn't govern (network but for TCP, `stat`,
    mode and owner) is left to the filter of system calls.
    """
    version = abi()
    handled = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    network = 3 if version >= NETWORK_FROM_ABI else 0
    scoped = 3 if version >= SCOPED_FROM_ABI else 0
    fields = struct.pack("QQQ", handled, network, scoped)
    size = 24 if version >= SCOPED_FROM_ABI else 16 if version >= NETWORK_FROM_ABI else 8
    rules = kernel.syscall(SYS_CREATE_RULESET, ctypes.create_string_buffer(fields, 24), size, 0)
    for folder in readable:
        opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", READ_FILE | READ_DIR, opened))
        kernel.syscall(SYS_ADD_RULE, rules, RULE_PATH_BENEATH, rule, 0)
        os.close(opened)
    return rules


def restrict(rules: int) -> None:
    """From now on the rules hold for this thread and all that it starts. Needs no-new-privileges."""
    kernel.syscall(SYS_RESTRICT_SELF, rules, 0)
