"""A folder with a signed verdict and all that it speaks of, for the tests of `ratchet verify`."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ratchet.cli import invoke
from ratchet.gate.keys import public_keys
from ratchet.gate.verify import Verification, verify


@dataclass(frozen=True)
class Room:
    """A folder with a signed PROMOTE verdict, the profiles that it is on, its policy and its keys."""

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def arguments(self, *more: str, key: str = "signing.pem.pub") -> list[str]:
        """The words of a whole `ratchet verify`."""
        sides = ["--candidate", str(self / "new"), "--base", str(self / "base"), "--policy", str(self / "policy.yaml")]
        return ["verify", str(self / "verdict.json"), *sides, "--public-key", str(self / key), *more]

    def checked(self, *names: str, **options: Any) -> Verification:
        """The verification of `verdict.json` with the sides named, and with everything else unless given."""
        given = {"policy": self / "policy.yaml", "keys": public_keys([self / "signing.pem.pub"])}
        given |= {"now": datetime.now(UTC)} | options
        sides = {name: self / folder for name, folder in {"candidate": "new", "base": "base"}.items() if name in names}
        return verify(self / "verdict.json", sides, **given)

    def failed(self, **options: Any) -> list[str]:
        """Names of the checks that fail; where one does, no verdict is given and the exit code is 3."""
        verification = self.checked("candidate", "base", **options)
        failed = [check.name for check in verification.checks if check.result == "failed"]
        assert (verification.verdict is None, verification.exit_code == 3) == (bool(failed), bool(failed))
        return failed

    def document(self) -> dict[str, Any]:
        """What `verdict.json` holds."""
        return json.loads((self / "verdict.json").read_text())

    def write(self, document: Any) -> None:
        """Put another document into `verdict.json`."""
        (self / "verdict.json").write_text(json.dumps(document, indent=2))


def gated(room: Room, *more: str, candidate: str = "new", key: str = "signing.pem") -> int:
    given = ["--candidate", str(room / candidate), "--base", str(room / "base"), "--policy", str(room / "policy.yaml")]
    return invoke(["gate", *given, "--out", str(room / "verdict.json"), "--key", str(room / key), *more])


def flip(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) >= 1 and len(old) == len(new)
    path.write_bytes(content.replace(old, new, 1))
