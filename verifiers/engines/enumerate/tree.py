"""Decides every word of a claim exactly, on several cores: the base of `enumerate` and of exact counts.

`blocks.py` decides one block of words.  This module hands out blocks to threads, which numpy lets run at the
same time.  Blocks are handed out in order, so the words that are found depend neither on the number of
threads nor on their speed.
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

THREADS_FROM = 1 << 21  # with fewer numbers to compute, threads take longer to start than they save
REPORT_SECONDS = 0.5
Word = tuple[int, ...]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """The result of a search.

    done, total: words that were looked at, and all words.
    wrong: words on which network and program disagree.
    words: the first of those, as many as were wanted.
    """

    done: int
    total: int
    wrong: int
    words: tuple[Word, ...]

    @property
    def finished(self) -> bool:
        """Say whether all words were looked at."""
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
    """Look at all words until the time is up or `wanted` disagreeing ones are found.

    claim: a claim with fewer than 2**53 words.
    seconds: the time limit.
    progress: receives one line of text now and then.
    workers: the most threads to use.
    wanted: None looks at all words and keeps none of them.
    sizes: limits of memory; None takes the default.
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
    """One search, shared by its threads.

    Blocks are handed out in order and are finished once begun, so those that are done are the first ones.
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
        """Decide block after block until none is left; only the caller's thread (`reports`) reports.

        An exception is kept in `error`; the caller raises it.
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
