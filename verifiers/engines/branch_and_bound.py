"""Branch and bound as such: threads that take what waits, depth first, until nothing waits or somebody ends it.  Whether all is settled then, others check.

Shared by `input_split.py`, `relu_split.py` and `lp_split.py`, which say what a step is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from ...common.clock import now
from ..bounds.floats import check_subnormals
from ..bounds.subdomains import Subdomains


@dataclass(frozen=True)
class Searched:
    """Why it ended: "done" (nothing waits), "found" (a point that the caller accepted), "timeout" or "stuck" (a subdomain cannot be divided, or `reason`).

    None of them says that the box is safe: that is for the tree of its subdomains to say (`evidence.py`).
    """

    status: str
    subdomains: int = 0
    reason: str = ""


class Cancelled(Exception):
    """Raised by `progress` where nobody needs the search any more; searches let it through."""


MOST_WAITING = 20_000  # subdomains
Item = TypeVar("Item", bound=Subdomains)


@dataclass(eq=False)
class _Queue(Generic[Item]):
    waiting: list[Item]
    threads: int
    most: int
    most_waiting: int
    change: threading.Condition = field(default_factory=threading.Condition)
    busy: int = 0
    status: str = ""
    done: int = 0
    over: float = 0.0

    def take(self) -> Item | None:
        """The last subdomains to come, for depth first keeps few, and while few wait some of the oldest, so that no region is left out for long.

        None when everything is over.
        """
        with self.change:
            while not self.status and not self.waiting and self.busy:
                self.change.wait(0.1)
            if self.status or not self.waiting:
                self.change.notify_all()
                return None
            there = sum(map(len, self.waiting))
            most = min(self.most, max(1, -(-there // self.threads)))
            taken, count = [], 0
            if there > most and there < self.most_waiting:
                first = self.waiting[0]
                room = min(most // 2, len(first))
                taken.append(first[:room])
                count += room
                self.waiting[:1] = [first[room:]] if len(first) > room else []
            while self.waiting and count < most:
                last = self.waiting.pop()
                room = most - count
                if len(last) > room:
                    self.waiting.append(last[: len(last) - room])
                    last = last[len(last) - room :]
                taken.append(last)
                count += len(last)
            self.busy += 1
            return type(taken[0]).joined(taken)

    def give(self, subdomains: Item, left: Item | None, status: str) -> None:
        with self.change:
            self.busy -= 1
            self.done += len(subdomains)
            self.over += float(subdomains.weight.sum())
            self.status = self.status or status
            if left is not None:
                self.waiting.append(left)
                self.over -= float(left.weight.sum())
            self.change.notify_all()


def branch_and_bound(
    first: Item,
    step: Callable[[Item], tuple[Item | None, str]],
    *,
    batch: int,
    threads: int,
    deadline: float,
    progress: Callable[[str], None],
    most_waiting: int = MOST_WAITING,
) -> Searched:
    """`step` says what is left to do of a batch of subdomains, and a status where the search is over."""
    queue = _Queue([first], threads, batch, min(most_waiting, MOST_WAITING))

    def loop() -> None:
        check_subnormals()
        with np.errstate(all="ignore"):
            while (subdomains := queue.take()) is not None:
                left, status = None, "crashed"
                try:
                    left, status = step(subdomains)
                    if now() > deadline and left is not None:
                        status = status or "timeout"
                finally:
                    queue.give(subdomains, left, status)
                progress(f"{queue.done} subdomains, {100 * queue.over:.1f} % of the search is over")

    if threads == 1:
        loop()
    else:
        with ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(loop) for _ in range(threads)]:
                future.result()
    return Searched(queue.status or "done", queue.done)
