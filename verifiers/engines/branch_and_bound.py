"""Branch and bound as such: the one loop, with its queue, threads and deadline.

Take some of what waits, bound and divide it, and put back what is left, until nothing waits or somebody ends
it.  The one loop for words (`bab/search.py`) and boxes (`boxes/input_split.py`, `boxes/relu_split.py`,
`boxes/lp_split.py`).  Each says what waits and in what order it is taken (a `Waiting`:
`boxes/depth_first.py`, or the heap of `bab/search.py`), and what a step does: how to bound, and the rule by
which it splits (a ReLU's phase, an input's interval, a group of tokens, automaton states).  Nothing here says
what was proved: each search keeps account of what it settled (`bab/account.py`, `boxes/tree.py`), and only
that account is believed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from ...common.clock import now
from ..bounds.floats import check_subnormals

Batch = TypeVar("Batch")
LOOK = 0.1  # seconds between looks for the end, where nothing waits and others are still busy


class Waiting(Protocol[Batch]):
    """What is open and is not being worked on.

    The loop takes care that only one thread at a time calls it.
    """

    def __len__(self) -> int:
        """How many subdomains wait."""

    def take(self) -> Batch:
        """Some of them, at least one; they no longer wait."""

    def put(self, left: Batch) -> None:
        """What is left to do of a batch."""

    def worked(self, done: Batch, left: Batch | None) -> None:
        """For reports: a batch is over, and this is left of it."""


Step = Callable[[Batch], tuple[Batch | None, str]]


@dataclass(eq=False)
class _Loop(Generic[Batch]):
    waiting: Waiting[Batch]
    status: str = ""
    busy: int = 0
    change: threading.Condition = field(default_factory=threading.Condition)

    def take(self) -> Batch | None:
        """None when everything is over."""
        with self.change:
            while not self.status and not len(self.waiting) and self.busy:
                self.change.wait(LOOK)
            if self.status or not len(self.waiting):
                self.change.notify_all()
                return None
            self.busy += 1
            return self.waiting.take()

    def give(self, done: Batch, left: Batch | None, status: str) -> None:
        with self.change:
            self.busy -= 1
            self.status = self.status or status
            self.waiting.worked(done, left)
            if left is not None:
                self.waiting.put(left)
            self.change.notify_all()


def branch_and_bound(
    waiting: Waiting[Batch],
    step: Step[Batch],
    *,
    deadline: float,
    report: Callable[[], None] = lambda: None,
    threads: int = 1,
) -> str:
    """Work until nothing waits ("done"), `deadline` ("timeout"), or a step says otherwise; returns why it
    ended.

    `step` gets a batch, and returns what is left to do of it (None: nothing) and a status that ends the
    search, or "".  It answers for what it was given: if it raises, the loop puts nothing back.  `deadline` is
    in `now`'s seconds; a step that is late and leaves nothing is in time.  `report` is called after each
    step, and may raise.  Threads call `step` together.
    """
    loop = _Loop(waiting)

    def work() -> None:
        check_subnormals()
        with np.errstate(all="ignore"):
            while (batch := loop.take()) is not None:
                left, status = None, "crashed"
                try:
                    left, status = step(batch)
                    if now() > deadline and left is not None:
                        status = status or "timeout"
                finally:
                    loop.give(batch, left, status)
                report()

    if threads == 1:
        work()
    else:
        with ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(work) for _ in range(threads)]:
                future.result()
    return loop.status or "done"
