"""Several searches at once for one question, in threads: the first to decide it ends the others.

Between `decide.py` (or `certificate.py`) and the searches.  numpy and HiGHS leave Python's lock alone while they compute, so that with two cores
two searches get on.  A search hears that it is over from `progress`, which raises `Cancelled`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .work import Cancelled, Searched

Progress = Callable[[str], None]
LATE = 0.2  # seconds after the deadline: who has not looked up by then is not waited for (process.py waits a little longer)
LOOK = 0.05


@dataclass(frozen=True)
class Entrant:
    """`search` is given a `progress`; it begins so many seconds after the first, or when nobody is running.

    `proves`: its "safe" is a proof; where it counts no parts, anybody's is.
    """

    name: str
    search: Callable[[Progress], Searched]
    after: float = 0.0
    proves: bool = True

    def decides(self, found: Searched) -> bool:
        return found.status == "found" or (found.status == "safe" and (self.proves or not found.parts))


@dataclass(frozen=True)
class Ended:
    """`found`: None where the race was decided by another one, or the time was over."""

    entrant: Entrant
    found: Searched | None
    began: float
    seconds: float


def race(entrants: Sequence[Entrant], deadline: float, progress: Progress = lambda text: None) -> list[Ended]:
    """All that began; the last one decided it, if anybody did.  What a search raises is raised here."""
    if len(entrants) == 1:
        start = time.monotonic()
        return [Ended(entrants[0], entrants[0].search(progress), start, time.monotonic() - start)]
    over = threading.Event()
    news: queue.SimpleQueue[tuple[int, Searched | BaseException]] = queue.SimpleQueue()
    first = time.monotonic()
    began: dict[int, float] = {}
    ended: list[Ended] = []

    def look(text: str) -> None:
        if over.is_set():
            raise Cancelled
        progress(text)

    def run(i: int) -> None:
        try:
            with np.errstate(all="ignore"):
                news.put((i, entrants[i].search(look)))
        except BaseException as error:
            news.put((i, error))

    def end(i: int, found: Searched | None) -> Ended:
        return Ended(entrants[i], found, began[i], time.monotonic() - began[i])

    waiting = sorted(range(len(entrants)), key=lambda i: entrants[i].after)
    running: set[int] = set()
    try:
        while waiting or running:
            now = time.monotonic()
            while waiting and (not running or now >= first + entrants[waiting[0]].after):
                i = waiting.pop(0)
                began[i] = now
                running.add(i)
                threading.Thread(target=run, args=(i,), daemon=True).start()
            if now > deadline + LATE:
                break
            try:
                i, found = news.get(timeout=LOOK)
            except queue.Empty:
                continue
            running.discard(i)
            if isinstance(found, BaseException):
                raise found
            ended.append(end(i, found))
            if entrants[i].decides(found):
                return [*(end(j, None) for j in sorted(running)), *ended]
        return [*ended, *(end(j, None) for j in sorted(running))]
    finally:
        over.set()


def decided(ended: Sequence[Ended]) -> Searched | None:
    """What the search that decided it found."""
    last = ended[-1]
    return last.found if last.found is not None and last.entrant.decides(last.found) else None
