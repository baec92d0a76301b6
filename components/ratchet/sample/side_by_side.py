"""Work that is done side by side, a share in each of several processes that are forked from this one.

What many threads gain on small matrices they lose waiting for each other. A forked process has what this one has
loaded without loading it again, and does its share on one thread.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from ratchet.errors import InputError

Item = TypeVar("Item")


def side_by_side(shares: Sequence[Callable[[], Iterator[Item]]]) -> Iterator[Item]:
    """What the shares yield, as it comes. The processes end with this generator, and where this process is killed."""
    readers: dict[Connection, Any] = {}
    try:
        for share in shares:
            _start(share, readers)
        while readers:
            for reader in wait(list(readers)):
                assert isinstance(reader, Connection)
                yield from _received(reader, readers)
    finally:
        for reader, process in readers.items():
            process.kill()
            process.join()
            reader.close()


def _start(share: Callable[[], Iterator[Any]], readers: dict[Connection, Any]) -> None:
    context = get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    # One that kept another's reader would keep that one from noticing that this process is gone.
    process = context.Process(target=_work, args=(share, writer, [*readers, reader]), daemon=True)
    process.start()
    writer.close()
    readers[reader] = process


def _received(reader: Connection, readers: dict[Connection, Any]) -> Iterator[Any]:
    try:
        kind, said = reader.recv()
    except EOFError:
        process = readers.pop(reader)
        process.join()
        reader.close()
        if process.exitcode != 0:
            raise InputError(
                f"a process that shared the work ended early ({process.exitcode}; -9: out of memory?)",
                expected="memory enough for one a processor",
                next="start again, which goes on where this ended, on fewer processors or with more memory",
            ) from None
        return
    if kind == "failed":
        raise RuntimeError(f"a process that shared the work failed: {said}")
    yield said


def _work(share: Callable[[], Iterator[Any]], writer: Connection, readers: Sequence[Connection]) -> None:
    import torch

    gc.freeze()  # what was there before stays shared: a collection would write to it all
    for reader in readers:
        reader.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a key that is pressed goes to all; the first process ends the others
    torch.set_num_threads(1)  # those of the pool were not forked along
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # nor were these
    try:
        for item in share():
            writer.send(("item", item))
    except BrokenPipeError:
        return  # nobody is there any more
    except Exception as error:
        writer.send(("failed", f"{type(error).__name__}: {error}"))
