"""The processes that train one model together: rank 0 leads, and what each of them takes of a batch."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from ratchet.errors import InputError

Tell = Callable[[Any], None]

# Rank 0 alone reads digests, waits for locks and writes checkpoints, while the others wait for it.
SLOWEST_LEAD = timedelta(days=1)
SLOWEST_STEP = timedelta(hours=1)
# What a rank says whose only trouble is that another one left.
GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")
SECOND_HAND = (*GONE, "NCCL", "monitoredBarrier")


def place() -> tuple[int, int]:
    """This process's rank and how many there are: what torchrun says, else the only one."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def shared_out(order: Sequence[int], batch_size: int, processes: int, filler: int) -> list[int]:
    """The order in which `processes` processes, each taking its part of a batch in turn, read the very same batches.

    A batch of n texts becomes the n / processes texts of rank 0, those of rank 1, and so on, each part filled up to one
    length with `filler`, a text that nothing is learned from. Each rank gets every so-manieth text, so that where texts
    are sorted by length none gets the long ones alone. With one process it is `order`.
    """
    if processes == 1:
        return list(order)
    if batch_size < processes:
        raise InputError(
            f"batch_size = {batch_size} for {processes} processes", expected="an example for each process at least"
        )
    part = -(-batch_size // processes)
    shared: list[int] = []
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        for rank in range(processes):
            own = batch[rank::processes]
            shared += [*own, *[filler] * (part - len(own))]
    return shared


def together(lead: Callable[[Tell], None], follow: Callable[[Any], None]) -> None:
    """Run `lead(tell)` in rank 0, and in each other rank `follow(what)`, once rank 0 has called `tell(what)`.

    Where rank 0 comes to an end without a word, there was nothing to do together, and the others end too.
    """
    rank, processes = place()
    if processes == 1:
        lead(lambda what: None)
        return
    with _joined() as hand_on:
        if rank:
            told = hand_on(None)
            if told is not None:
                follow(told[0])
        else:
            _lead(lead, hand_on)


def _lead(lead: Callable[[Tell], None], hand_on: Callable[[Any], Any]) -> None:
    told = False

    def tell(what: Any) -> None:
        nonlocal told
        told = True
        hand_on((what,))

    try:
        lead(tell)
    finally:
        if not told:
            hand_on(None)


@contextmanager
def _joined() -> Iterator[Callable[[Any], Any]]:
    """Join the other processes; yield what hands rank 0's object on to all of them.

    Objects travel by a group of their own, which needs no accelerator and waits longer than the training may.
    """
    import torch
    from torch import distributed

    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=SLOWEST_STEP)
    talk = distributed.new_group(backend="gloo", timeout=SLOWEST_LEAD)

    def hand_on(what: Any) -> Any:
        held = [what]
        distributed.broadcast_object_list(held, src=0, group=talk, device=torch.device("cpu"))
        return held[0]

    yield hand_on
    distributed.monitored_barrier(talk, timeout=SLOWEST_LEAD)  # a rank that failed has left: nobody waits for it here
    distributed.destroy_process_group()
