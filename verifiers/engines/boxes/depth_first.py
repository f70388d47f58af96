"""Depth-first search over subdomains of a box, many at a time.

Between `engines/branch_and_bound.py`, whose loop it feeds, and `input_split.py`, `relu_split.py` and
`lp_split.py`, which say what a step is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from ...bounds.subdomains import Subdomains
from ..branch_and_bound import Step, branch_and_bound
from .request import Searched, SearchRequest

MOST_WAITING = 20_000  # subdomains
Some = TypeVar("Some", bound=Subdomains)


@dataclass(eq=False)
class DepthFirst(Generic[Some]):
    """A stack of batches.

    `batch`: how many subdomains are taken at most; `most_waiting`: from so many on, none is taken out of
    turn.
    """

    stack: list[Some]
    threads: int
    batch: int
    most_waiting: int
    done: int = 0
    over: float = 0.0  # the share of the search that is over

    def __len__(self) -> int:
        return sum(map(len, self.stack))

    def take(self) -> Some:
        """Take the newest subdomains first, which keeps the stack short.

        Every thread gets its share of what waits.  If few are waiting, fill half the batch with the oldest,
        so that no region starves.
        """
        there = len(self)
        most = min(self.batch, max(1, -(-there // self.threads)))
        taken, count = [], 0
        if most < there < self.most_waiting:
            oldest = self.stack[0]
            room = min(most // 2, len(oldest))
            taken.append(oldest[:room])
            count += room
            self.stack[:1] = [oldest[room:]] if len(oldest) > room else []
        while self.stack and count < most:
            newest = self.stack.pop()
            room = most - count
            if len(newest) > room:
                self.stack.append(newest[: len(newest) - room])
                newest = newest[len(newest) - room :]
            taken.append(newest)
            count += len(newest)
        return type(taken[0]).joined(taken)

    def put(self, left: Some) -> None:
        self.stack.append(left)

    def worked(self, done: Some, left: Some | None) -> None:
        self.done += len(done)
        self.over += float(done.weight.sum()) - (0.0 if left is None else float(left.weight.sum()))


def depth_first(
    asked: SearchRequest, first: Some, step: Step[Some], *, batch: int, most_waiting: int = MOST_WAITING
) -> Searched:
    """Search below `first`; `step` as for `branch_and_bound`."""
    waiting = DepthFirst([first], asked.threads, batch, min(most_waiting, MOST_WAITING))

    def report() -> None:
        asked.progress(f"{waiting.done} subdomains, {100 * waiting.over:.1f} % of the search is over")

    status = branch_and_bound(waiting, step, deadline=asked.deadline, report=report, threads=asked.threads)
    return Searched(status, waiting.done)
