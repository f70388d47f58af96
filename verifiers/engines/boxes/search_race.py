"""Several searches at once for one question, in threads: the first to decide it ends the others.

Between `decide.py` (or `producer.py`) and the searches.  numpy and HiGHS leave Python's lock alone while they compute, so that with two cores
two searches get on.  A search hears that it is over from `progress`, which raises `Cancelled`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....common.clock import now
from ...evidence import Lost, Tiling
from ..branch_and_bound import Cancelled, Searched
from .tree import Tree

Progress = Callable[[str], None]
LATE = 0.2  # seconds after the deadline: who has not looked up by then is not waited for (process.py waits a little longer)
LOOK = 0.05


@dataclass(frozen=True)
class Entrant:
    """`search` is given a `progress`, and a tree for the subdomains that it settles; it begins so many seconds after the first, or when nobody is running."""

    name: str
    search: Callable[[Progress, Tree], Searched]
    after: float = 0.0


@dataclass(frozen=True)
class Ended:
    """`found`: None where the race was decided by another one, or the time was over.

    `evidence`: its subdomains tile the box; `decides`: it found something, or that evidence counts.
    """

    entrant: Entrant
    found: Searched | None
    began: float
    seconds: float
    evidence: Tiling | None = None
    decides: bool = False


def race(
    entrants: Sequence[Entrant],
    polyhedra: int,
    deadline: float,
    progress: Progress = lambda text: None,
    *,
    word: bool = False,
) -> list[Ended]:
    """All that began; the last one decided it, if anybody did.  What a search raises is raised here.

    The question is whether so many unsafe `polyhedra` are empty on a box.  That they are is concluded here, from the subdomains that an entrant has settled:
    what it says of itself is no evidence.  `word`: a solver's word about some of them counts.  Raises Lost where subdomains are missing.
    """
    trees = [Tree(polyhedra) for _ in entrants]

    def ended_with(i: int, found: Searched, began: float) -> Ended:
        evidence = trees[i].tiling()
        if evidence is None and found.status == "done":
            raise Lost(f"{entrants[i].name} is done, and has not settled all subdomains")
        decides = found.status == "found" or (evidence is not None and (word or not evidence.by_word))
        return Ended(entrants[i], found, began, now() - began, evidence, decides)

    if len(entrants) == 1:
        start = now()
        return [ended_with(0, entrants[0].search(progress, trees[0]), start)]
    over = threading.Event()
    news: queue.SimpleQueue[tuple[int, Searched | BaseException]] = queue.SimpleQueue()
    first = now()
    began: dict[int, float] = {}
    ended: list[Ended] = []

    def look(text: str) -> None:
        if over.is_set():
            raise Cancelled
        progress(text)

    def run(i: int) -> None:
        try:
            with np.errstate(all="ignore"):
                news.put((i, entrants[i].search(look, trees[i])))
        except BaseException as error:
            news.put((i, error))

    def left(i: int) -> Ended:
        return Ended(entrants[i], None, began[i], now() - began[i])

    waiting = sorted(range(len(entrants)), key=lambda i: entrants[i].after)
    running: set[int] = set()
    try:
        while waiting or running:
            time = now()
            while waiting and (not running or time >= first + entrants[waiting[0]].after):
                i = waiting.pop(0)
                began[i] = time
                running.add(i)
                threading.Thread(target=run, args=(i,), daemon=True).start()
            if time > deadline + LATE:
                break
            try:
                i, found = news.get(timeout=LOOK)
            except queue.Empty:
                continue
            running.discard(i)
            if isinstance(found, BaseException):
                raise found
            ended.append(ended_with(i, found, began[i]))
            if ended[-1].decides:
                return [*(left(j) for j in sorted(running)), *ended]
        return [*ended, *(left(j) for j in sorted(running))]
    finally:
        over.set()


def decided(ended: Sequence[Ended]) -> Ended | None:
    """The one that decided it."""
    return ended[-1] if ended[-1].decides else None
