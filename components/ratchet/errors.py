"""The errors that a user can cause and mend; `ratchet.cli` renders each once, as one line."""

from pathlib import Path

USAGE_EXIT_CODE = 64
DEFECT_EXIT_CODE = 70


class InputError(Exception):
    """Something given to Ratchet isn't what it should be: what was found, where, what was expected, what to do next."""

    def __init__(
        self, found: str, *, expected: str = "", where: str | Path = "", line: int | None = None, next: str = ""
    ) -> None:
        self.found = found
        self.where = f"{where}:{line}" if line is not None else str(where)
        self.expected = expected
        self.next = next
        super().__init__(found)

    def __str__(self) -> str:
        """The whole error in one line: `where: found; expected …; next`."""
        found = f"{self.where}: {self.found}" if self.where else self.found
        expected = f"expected {self.expected}" if self.expected else ""
        line = "; ".join(part for part in (found, expected, self.next) if part)
        return "".join(character if character.isprintable() else " " for character in line)
