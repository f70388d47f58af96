"""Every word of a claim, decided exactly, on several cores: what `enumerate` and the count of disagreeing
inputs stand on.

`blocks.py` says how a block of words is decided; here blocks are handed out to threads (numpy lets them run
side by side), in order, so that the words that are found do not depend on how many threads there are or which
of them was faster.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ....models.claims.word_claim import WordClaim
from ...bounds.blas import one_blas_thread
from .blocks import Block, Blocks, BlocksOutOfTime, Kernel
from .split import SplitSizes

THREADS_FROM = 1 << 21  # numbers to compute; with fewer, threads take longer to start than they save
REPORT_SECONDS = 0.5
Word = tuple[int, ...]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """`done` of `total` words have been looked at, on `wrong` of them the network differs; `words`: the first
    such ones, as many as wanted.
    """

    done: int
    total: int
    wrong: int
    words: tuple[Word, ...]

    @property
    def finished(self) -> bool:
        return self.done == self.total


def search(
    claim: WordClaim,
    seconds: float,
    progress: Progress,
    *,
    workers: int = 1,
    wanted: int | None = None,
    sizes: SplitSizes | None = None,
) -> Found:
    """Look at all words, until time is over or `wanted` disagreeing ones are found (None: to the end, keeping
    no words).

    The domain must have fewer than 2**53 words.
    """
    deadline = time.monotonic() + seconds
    with one_blas_thread():
        blocks = Blocks(claim, sizes or SplitSizes(), deadline)
        run = _EnumerationRun(blocks, wanted, deadline, progress)
        big = claim.domain_size * blocks.rows >= THREADS_FROM
        others = [
            threading.Thread(target=run.work, args=(False,), daemon=True)
            for _ in range(workers - 1 if big else 0)
        ]
        try:
            for thread in others:
                thread.start()
            run.work(True)
        finally:
            run.stop = True
            for thread in others:
                thread.join()
    if run.error is not None:
        raise run.error
    first = [word for index in sorted(run.words) for word in run.words[index]]
    return Found(run.done, claim.domain_size, run.wrong, tuple(first[: wanted or 0]))


@dataclass
class _EnumerationRun:
    """One search, shared by its threads.  Blocks are handed out in order and finished once begun: those that
    are done are the first ones.
    """

    blocks: Blocks
    wanted: int | None
    deadline: float
    progress: Progress
    stop: bool = False
    done: int = 0
    wrong: int = 0
    words: dict[int, list[Word]] = field(default_factory=dict)
    error: BaseException | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.waiting = enumerate(self.blocks)

    def work(self, reports: bool) -> None:
        """Block after block, until there is nothing left to do.  Only the caller's thread reports, only it
        raises.
        """
        kernel, reported = Kernel(self.blocks), time.monotonic()
        try:
            while (task := self._next()) is not None:
                self._record(*task, kernel.wrong(task[1]))
                if reports and time.monotonic() - reported > REPORT_SECONDS:
                    reported = time.monotonic()
                    self.progress(f"{self.done} of {self.blocks.claim.domain_size} inputs")
        except BlocksOutOfTime:
            self.stop = True
        except BaseException as error:
            self.stop, self.error = True, error

    def _next(self) -> tuple[int, Block] | None:
        with self.lock:
            if self.stop or time.monotonic() > self.deadline:
                return None
            return next(self.waiting, None)

    def _record(self, index: int, block: Block, wrong: np.ndarray) -> None:
        count = int(np.count_nonzero(wrong))
        words = block.symbols(np.flatnonzero(wrong)[: self.wanted]).tolist() if count and self.wanted else []
        with self.lock:
            self.done += wrong.size
            self.wrong += count
            if words:
                self.words[index] = [tuple(word) for word in words]
                self.stop = self.stop or self.wrong >= (self.wanted or 0)
