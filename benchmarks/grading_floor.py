"""The floors under a grader in Python that gives each program a process of its own, for benchmarks/grading.py.

"plain fork" is one process a program, forked from a pool of processes as large as this benchmark: program and tests
together, no isolation. "isolated fork" is what Ratchet's own children are made of and no more: forked from a small
process, confined as at the level landlock, they are sent the program, compile it, run it and its tests, and write one
byte back. No tester, no values that cross, no limit looked after: no grader that isolates so can be faster.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

Item = tuple[dict[str, Any], str]  # a row of HumanEval.jsonl and a whole program
_PACKAGE = Path(__file__).parents[1] / "components" / "ratchet"
# Small as a zygote is: the sandbox's modules without the package's own, and nothing of this file's.
_ISOLATED = """
import sys, types
for name, folder in (("ratchet", sys.argv[1]), ("ratchet.grade", sys.argv[1] + "/grade")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
import gc, json, os, socket
from ratchet.grade.sandbox import child, isolation, kernel, libraries, seccomp
limits = types.SimpleNamespace(cpu_s=5, memory_bytes=2**30, file_bytes=2**24)
programs = json.load(sys.stdin)
os.dup2(0, isolation.CHANNEL)
verdicts = os.dup(1)
last = isolation.last_calls("landlock", limits, isolation.prepare("landlock", limits, os.close))
seccomp.own_filter()
child.rehearse()
gc.collect()
gc.freeze()
def answer():
    isolation.isolate("landlock", limits, last, None)
    text, tests, name = os.read(3, 2**20).decode().split(chr(0))
    scope = {}
    try:
        exec(compile(text, "<program>", "exec"), scope)
        exec(tests, scope)
        scope["check"](scope[name])
        os.write(3, b"1")
    except BaseException:
        os.write(3, b"0")
said = b""
for program in programs:
    ours, theirs = socket.socketpair()
    os.dup2(theirs.fileno(), isolation.CHANNEL)
    pid = kernel.fork()
    if pid == 0:
        answer()
        os._exit(0)
    theirs.close()
    os.dup2(0, isolation.CHANNEL)
    ours.send(chr(0).join(program).encode())
    said += ours.recv(1)
    ours.close()
    os.waitpid(pid, 0)
os.write(verdicts, said)
"""


def isolated_passes(items: list[Item], workers: int) -> list[bool]:
    """Which programs pass in an isolated process that has the tests too."""
    command = [sys.executable, "-s", "-S", "-P", "-B", "-c", _ISOLATED, str(_PACKAGE)]
    found = [False] * len(items)
    running = []
    for first in range(workers):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        given = [(program, row["test"], row["entry_point"]) for row, program in items[first::workers]]
        process.stdin.write(json.dumps(given).encode())
        process.stdin.close()
        running.append(process)
    for first, process in enumerate(running):
        assert process.stdout is not None
        found[first::workers] = [byte == ord("1") for byte in process.stdout.read()]
        process.stdout.close()
        process.wait()
    return found


def forked_passes(items: list[Item], workers: int) -> list[bool]:
    """Which programs pass in a forked process that holds the tests too."""
    with ProcessPoolExecutor(workers) as processes:
        return list(processes.map(forked_one, items, chunksize=16))


def forked_one(item: Item) -> bool:
    """Whether one program passes so."""
    row, program = item
    pid = os.fork()
    if pid == 0:
        scope: dict[str, Any] = {}
        try:
            exec(program + "\n" + row["test"], scope)
            scope["check"](scope[row["entry_point"]])
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0
