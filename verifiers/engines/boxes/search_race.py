"""Several searches at once for one question about a box: the first to decide it ends the others.

Between `decide.py` (or the proofs' `producer.py`) and the searches.  Threads and not processes: searches are
our own code, share the network, and stop when they are told.  numpy and HiGHS release Python's lock while
they compute, so that two searches progress on two cores.  A search hears that it is over from `progress`,
which raises `Cancelled`.

Backends race in child processes instead (`verifiers/race/`), since solvers may hang, crash or lie.  The two
share no code: here evidence is the tree of subdomains that a search has settled, there it is what a judge
makes of a message.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....common.clock import now
from ...evidence import Lost, Tiling
from .request import Cancelled, Searched
from .tree import Tree

Progress = Callable[[str], None]
# Seconds after the deadline, until a search that has not looked up is no longer waited for (`process.py`
# waits longer).
LATE = 0.2
LOOK = 0.05


@dataclass(frozen=True)
class SearchEntrant:
    """A search that takes part.

    `search` gets a `progress`, and a tree for the subdomains that it settles.  It begins `after` so many
    seconds, or as soon as nobody is running.
    """

    name: str
    search: Callable[[Progress, Tree], Searched]
    after: float = 0.0


@dataclass(frozen=True)
class EndedSearch:
    """How one search ended.

    Attributes:
        found: None where another search decided the race, or time was up.
        evidence: the settled subdomains, where they tile the box.
        decides: whether it found a counterexample, or its evidence counts.
    """

    entrant: SearchEntrant
    found: Searched | None
    began: float
    seconds: float
    evidence: Tiling | None = None
    decides: bool = False


def race_searches(
    entrants: Sequence[SearchEntrant],
    polyhedra: int,
    deadline: float,
    progress: Progress = lambda text: None,
    *,
    word: bool = False,
) -> list[EndedSearch]:
    """Race searches for whether so many unsafe `polyhedra` are empty on a box.

    Returns all searches that began; the last one decided it, if any did.  That the polyhedra are empty is
    concluded here, from the subdomains that a search has settled: what it says of itself is no evidence.
    `word`: a solver's word about some subdomains counts.

    Raises Lost where a search is done and subdomains are missing, and whatever a search raises.
    """
    trees = [Tree(polyhedra) for _ in entrants]

    def ended_with(i: int, found: Searched, began: float) -> EndedSearch:
        evidence = trees[i].tiling()
        if evidence is None and found.status == "done":
            raise Lost(f"{entrants[i].name} is done, and has not settled all subdomains")
        decides = found.status == "found" or (evidence is not None and (word or not evidence.by_word))
        return EndedSearch(entrants[i], found, began, now() - began, evidence, decides)

    if len(entrants) == 1:
        start = now()
        return [ended_with(0, entrants[0].search(progress, trees[0]), start)]
    over = threading.Event()
    news: queue.SimpleQueue[tuple[int, Searched | BaseException]] = queue.SimpleQueue()
    first = now()
    began: dict[int, float] = {}
    ended: list[EndedSearch] = []

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

    def left(i: int) -> EndedSearch:
        return EndedSearch(entrants[i], None, began[i], now() - began[i])

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


def decided(ended: Sequence[EndedSearch]) -> EndedSearch | None:
    """Return the search that decided it, or None."""
    return ended[-1] if ended[-1].decides else None
