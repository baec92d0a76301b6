"""Run in a pod: grades every attack in /data, an honest program after each, and says what it found as one line of JSON.

Also said is what the pod itself allows (`pod`), which shows what the programs would have reached without the sandbox,
and what they left behind (`left`): processes, descriptors, files.
"""

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

from ratchet.grade.code import grade_programs
from ratchet.grade.sandbox.limits import Limits
from ratchet.records import Problem

API = os.environ.get("KUBERNETES_SERVICE_HOST", "")
TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
BAIT = Path("/tmp/bait")
# The sums of the squares below 4 and below 10: 0 + 1 + 4 + 9 and 285.
STYLES = {
    "humaneval": Problem(
        id="humaneval",
        prompt='def solve(n):\n    """The sum of the squares below n."""\n',
        answer="",
        kind="code",
        tests="def check(candidate):\n    assert candidate(4) == 14\n    assert candidate(10) == 285\n",
        entry_point="solve",
    ),
    "mbpp": Problem(
        id="mbpp", prompt="", answer="", kind="code", tests="assert solve(4) == 14\nassert solve(10) == 285"
    ),
}
HONEST = "def solve(n):\n    return sum(k * k for k in range(n))\n"
LIMITS = Limits(cpu_s=1, idle_s=0.3, memory_bytes=2**29)


def main() -> None:
    """Prints what came of the siege."""
    BAIT.mkdir()
    (BAIT / "tests.json").write_text('["candidate(4) == 14"]')
    with subprocess.Popen(["sleep", "600"]) as bait:
        programs = {path.stem: prepared(path, bait.pid) for path in sorted(Path("/data").glob("*.txt"))}
        keys = [(name, style) for name in programs for style in STYLES]
        items = [item for name, style in keys for item in ((STYLES[style], programs[name]), (STYLES[style], HONEST))]
        before = traces()
        grades = list(grade_programs(items, workers=2, limits=LIMITS))
        left = sorted(traces() - before) + ([] if bait.poll() is None else ["the bait process is dead"])
        bait.kill()
    found = [
        {"attack": name, "style": style, "outcome": attack.outcome, "reason": attack.reason, "next": honest.outcome}
        for (name, style), attack, honest in zip(keys, grades[::2], grades[1::2], strict=True)
    ]
    levels = sorted({grade.isolation for grade in grades})
    print(json.dumps({"grades": found, "isolation": levels, "left": left, "pod": pod()}))


def prepared(path: Path, bait: int) -> str:
    """The attack with the names of what is there for it to find."""
    text = path.read_text().replace("@BAIT@", str(BAIT)).replace("@PID@", str(bait))
    return text.replace("@API@", API)


def traces() -> set[str]:
    """Every process of the pod, every descriptor of this one, every file of the folders that a pod can write to."""
    processes = {f"process {path.name}" for path in Path("/proc").glob("[0-9]*")}
    descriptors = {f"descriptor {path.name}" for path in Path("/proc/self/fd").iterdir()}
    files = {f"file {path}" for folder in ("/tmp", "/dev/shm", "/dev/mqueue") for path in Path(folder).rglob("*")}
    return processes | descriptors | files | {f"bait {path.read_text()}" for path in BAIT.iterdir()}


def pod() -> dict[str, Any]:
    """What this pod allows to the grader itself."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return {
        "user": os.getuid(),
        "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
        "no_new_privileges": status["NoNewPrivs"] == "1",
        "seccomp": status["Seccomp"] == "2",
        "token": TOKEN.exists() and bool(TOKEN.read_text()),
        "api": possible(lambda: socket.create_connection((API, 443), 3).close()),
        "writes_root": possible(lambda: Path("/left_behind").touch()),
        "writes_library": possible(lambda: Path("/opt/ratchet/left_behind").touch()),
        "writes_scratch": possible(lambda: Path("/tmp/left_behind").touch()),
    }


def possible(attempt: Any) -> bool:
    """Whether it raises no OSError."""
    try:
        attempt()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
