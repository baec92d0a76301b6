"""One of the processes that train together, as the launcher starts it: `python -m ratchet.train.rank JSON`."""

import json
import os
import sys
import time
from pathlib import Path

from ratchet.errors import USAGE_EXIT_CODE, InputError
from ratchet.train.ranks import SECOND_HAND
from ratchet.train.sft import SFT, train_sft

ERROR_FILE = "TORCHELASTIC_ERROR_FILE"  # where the launcher reads what a rank failed with


def main() -> None:
    """Train; what goes wrong is left for the launcher, which tells it once, and not once a rank."""
    given = json.loads(sys.argv[1])
    checkpoint, examples, out = (Path(given[name]) for name in ("checkpoint", "examples", "out"))
    try:
        train_sft(checkpoint, examples, out, SFT(**given["settings"]))
    except InputError as error:
        _leave(str(error))
        sys.exit(USAGE_EXIT_CODE)
    except Exception as error:
        _leave(f"{type(error).__name__}: {error}")
        if any(words in str(error) for words in SECOND_HAND):
            sys.exit(1)
        raise


def _leave(message: str) -> None:
    """In the form that torch's launcher reads."""
    said = {"message": message, "extraInfo": {"timestamp": str(int(time.time()))}}
    Path(os.environ[ERROR_FILE]).write_text(json.dumps({"message": said}))


if __name__ == "__main__":
    main()
