"""Other tools' logs into Ratchet's attempts file: one reader a format, and one `write`."""

from ratchet.imports.csv import read_csv
from ratchet.imports.imported import Imported, write
from ratchet.imports.inspect import read_inspect
from ratchet.imports.jsonl import read_jsonl
from ratchet.imports.lm_eval import read_lm_eval

__all__ = ["Imported", "read_csv", "read_inspect", "read_jsonl", "read_lm_eval", "write"]
