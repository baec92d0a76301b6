"""What the two filters of system calls let through, worked out by an interpreter of their instructions."""

import struct

import pytest

from ratchet.grade.sandbox import seccomp
from ratchet.grade.sandbox.seccomp import ARCHITECTURE

ALLOWED = 0x7FFF0000
OWN_PID, OTHER_PID = 4711, 4712
NUMBERS = range(470)
# Numbers of x86-64, from the kernel's unistd_64.h.
NEVER = {
    **{"socket": 41, "connect": 42, "sendmsg": 46, "bind": 49, "listen": 50, "fork": 57, "vfork": 58, "execve": 59},
    **{"shmget": 29, "semget": 64, "msgget": 68, "truncate": 76, "chmod": 90, "fchmod": 91, "chown": 92},
    **{"ptrace": 101, "setuid": 105, "setsid": 112, "personality": 135, "setpriority": 141, "mlock": 149},
    **{"pivot_root": 155, "chroot": 161, "mount": 165, "sethostname": 170, "setxattr": 188, "tkill": 200},
    **{"sched_setaffinity": 203, "add_key": 248, "keyctl": 250, "unshare": 272, "perf_event_open": 298, "setns": 308},
    **{"process_vm_readv": 310, "process_vm_writev": 311, "seccomp": 317, "bpf": 321, "userfaultfd": 323},
    **{"execveat": 322, "io_uring_setup": 425, "pidfd_getfd": 438, "process_madvise": 440, "landlock_add_rule": 445},
}
ONLY_THE_ZYGOTE = {"recvmsg": 47, "prctl": 157, "memfd_create": 319, "pidfd_open": 434, "landlock_restrict_self": 446}


def action(steps: list[seccomp.Step], number: int, arguments: tuple[int, ...], architecture: int) -> int:
    """What a filter returns for a call. Code 0x20 loads a word, 0x15, 0x35 and 0x45 compare it, 0x06 returns."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("IIQ6Q", number, architecture, 0, *(a & 2**64 - 1 for a in padded))
    held = place = 0
    while True:
        code, if_true, if_false, constant = steps[place]
        if code == 0x06:
            return constant
        if code == 0x20:
            held = struct.unpack_from("I", data, constant)[0]
            place += 1
            continue
        true = {0x15: held == constant, 0x35: held >= constant, 0x45: bool(held & constant)}[code]
        place += 1 + (if_true if true else if_false)


def zygote_may(number: int, *arguments: int, architecture: int = ARCHITECTURE) -> bool:
    return action(seccomp._shared_program(), number, arguments, architecture) == ALLOWED


def child_may(number: int, *arguments: int, architecture: int = ARCHITECTURE) -> bool:
    own = [
        (code, yes, no, OWN_PID if constant == seccomp._ANY_PID else constant)
        for code, yes, no, constant in seccomp._own_program()
    ]
    shared = zygote_may(number, *arguments, architecture=architecture)
    return shared and action(own, number, arguments, architecture) == ALLOWED


@pytest.mark.parametrize("name", NEVER)
def test_neither_may_leave_the_sandbox(name: str) -> None:
    assert not zygote_may(NEVER[name])
    assert not child_may(NEVER[name])


@pytest.mark.parametrize("name", ONLY_THE_ZYGOTE)
def test_what_the_zygote_needs_a_child_may_not(name: str) -> None:
    assert zygote_may(ONLY_THE_ZYGOTE[name])
    assert not child_may(ONLY_THE_ZYGOTE[name])


def test_a_child_may_start_threads_and_no_processes() -> None:
    clone, thread, signal_at_end = 56, 0x3D0F00, 17
    assert zygote_may(clone, signal_at_end)
    assert not child_may(clone, signal_at_end)
    assert child_may(clone, thread)


@pytest.mark.parametrize("number", [62, 234])  # kill and tgkill
def test_a_child_may_signal_itself_alone_and_never_kill(number: int) -> None:
    rest = () if number == 62 else (OWN_PID,)
    assert child_may(number, OWN_PID, *rest, 15)
    for pid, which in ((OTHER_PID, 15), (0, 15), (-1, 15), (1, 0), (OWN_PID, 9)):
        assert not child_may(number, pid, *rest, which)


def test_a_child_may_read_its_limits_and_not_set_them() -> None:
    prlimit64, cpu, somewhere = 302, 0, 0x7FFF00001000
    assert child_may(prlimit64, 0, cpu, 0, somewhere)
    assert not child_may(prlimit64, 0, cpu, somewhere, 0)
    assert not child_may(prlimit64, 0, cpu, 1 << 32, 0)
    assert not child_may(prlimit64, OTHER_PID, cpu, 0, somewhere)


def test_calls_of_other_architectures_are_none_of_a_childs() -> None:
    assert not any(child_may(number, architecture=0x40000003) for number in NUMBERS)  # of 32 bits
    assert not any(child_may(number | 0x40000000) for number in NUMBERS)  # x32
    assert child_may(0)  # read


def test_the_filter_of_a_child_names_its_process_wherever_it_belongs() -> None:
    code, places, _ = seccomp.own_filter()
    constants = [step[3] for step in seccomp._own_program()]
    assert len(places) == constants.count(seccomp._ANY_PID) == 3
    assert all(struct.unpack_from("I", code.raw, place)[0] == seccomp._ANY_PID for place in places)
