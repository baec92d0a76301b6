"""Training with a process for each accelerator: torchrun's own launcher, its many lines of failure turned into one."""

import importlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.errors import USAGE_EXIT_CODE, InputError
from ratchet.processors import processors
from ratchet.train.ranks import GONE, SECOND_HAND
from ratchet.train.sft import SFT, train_sft

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

LOST_EXIT_CODE = 75  # sysexits.h: a failure that may pass; the same command goes on where this one was
SECONDS_TO_MEET = 3600  # the pods of a job start when their nodes are free and their image is there


class RankLost(Exception):
    """A process of the training ended although nothing was wrong with what it was given."""


def trained(checkpoint: Path, examples: Path, out: Path, settings: SFT, processes: int | None = None) -> Path:
    """`out`, as `train_sft` makes it, by `processes` processes of this machine: unless said, one an accelerator.

    In a pod of a TrainJob the processes of all nodes make it together: the settings of torchrun (PET_NNODES and others)
    say how many nodes there are and which is the first. Under torchrun itself this process is one of them.
    """
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # read when torch is imported, by the ranks too
    from torch.cuda import device_count

    if "RANK" in os.environ:
        return train_sft(checkpoint, examples, out, settings)
    accelerators, said = device_count(), os.environ.get("PET_NPROC_PER_NODE", "")
    count = processes or (int(said) if said.isdecimal() else max(1, accelerators))
    if 0 < accelerators < count:
        raise InputError(f"{count} processes for {accelerators} accelerators", expected="an accelerator for each")
    # A process that sees several accelerators would share each batch with itself, and multiply it by their number.
    if count == 1 and accelerators < 2 and os.environ.get("PET_NNODES", "1") == "1":
        return train_sft(checkpoint, examples, out, settings)
    places = {"checkpoint": str(checkpoint), "examples": str(examples), "out": str(out)}
    _launch(json.dumps({**places, "settings": asdict(settings)}), count)
    return out


def _launch(given: str, processes: int) -> None:
    """Run the ranks of this node to their end; how the first one failed is raised."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, processors() // processes)))
    from torch.distributed import DistError
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    words = [f"--nproc-per-node={processes}", f"--rdzv-conf=timeout={SECONDS_TO_MEET}"]
    torchrun: Any = importlib.import_module("torch.distributed.run")  # it has no types
    arguments = torchrun.parse_args([*words, "--module", "ratchet.train.rank", given])
    try:
        with _quiet():
            torchrun.run(arguments)
    except ChildFailedError as failed:
        raise first_cause(failed.failures) from None
    except SignalException as stopped:
        raise RankLost(f"training was stopped ({stopped.sigval.name})") from None
    except DistError as error:
        said = " ".join(str(error).split())[:200]
        raise RankLost(f"the nodes did not meet at {arguments.master_addr}:{arguments.master_port} ({said})") from None


def first_cause(failures: Mapping[int, "ProcessFailure"]) -> Exception:
    """What the training ended by, of the failures of one node's ranks.

    A rank that refused what it was given comes first, then one that was killed, then one that failed; those last that
    only say that another one left, or that the launcher ended.
    """
    rank = min(failures, key=lambda one: (_order(failures[one]), failures[one].timestamp, one))
    failure = failures[rank]
    said = _said(failure)
    if failure.exitcode == USAGE_EXIT_CODE:
        return InputError(said)
    return RankLost(f"rank {rank} of the training ended: {said}; the same command goes on from the last saved state")


def _order(failure: "ProcessFailure") -> int:
    if failure.exitcode == USAGE_EXIT_CODE:
        return 0
    if failure.signal_name() == "SIGTERM" or any(words in _said(failure) for words in SECOND_HAND):
        return 3
    return 1 if failure.exitcode < 0 else 2


def _said(failure: "ProcessFailure") -> str:
    """The rank's own words in one line, else its exit code or signal."""
    message = failure.message
    if isinstance(message, dict):  # of a rank that wrote them; otherwise torch makes up a text
        said = " ".join(str(message["message"]).split())[:500]
        left = next((words for words in GONE if words in said), "")
        return f"another rank left ({left})" if left else said
    return f"killed by {failure.signal_name()}" if failure.exitcode < 0 else f"exit code {failure.exitcode}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's own lines about ranks that fail: they are told once, in our own."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
