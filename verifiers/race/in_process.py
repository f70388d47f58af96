"""The race's first part: cheap backends in relucid's own process, before any child is started.

Between `policy.py`, which says who and for how long, and `turns.py`, which runs the others.  A backend that
does not finish here may go on there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ...common.deadline import OutOfTime
from ...common.errors import Unsupported
from ...common.scratch import scratch
from ...models.claims.word_claim import WordClaim
from ..attempts import Attempt
from .backend import Backend, Budget
from .entrant import SAYABLE, one_line
from .judge import Judge
from .policy import Fit, RacePlan

USELESS = "proved already, at a trust that this backend cannot pass"
Progress = Callable[[str], None]


@contextmanager
def working_checkpoint(budget: Budget, order: RacePlan) -> Iterator[Budget]:
    """Make a checkpoint for this race, if a backend that starts here may go on as a child and the user has
    named none.
    """
    both = {entry[0].name for entry, _ in order.here} & {entry[0].name for entry in order.then}
    if budget.checkpoint is not None or not both:
        yield budget
        return
    with scratch() as folder:
        yield replace(budget, checkpoint=str(folder / "checkpoint"))


def run_here(
    claim: WordClaim, order: RacePlan, budget: Budget, deadline: float, judge: Judge, progress: Progress
) -> list[Fit]:
    """Run the backends that the plan has in this process.  Returns those that are left for the race."""
    later = {backend.name for backend, _ in order.then}
    unfinished: list[tuple[Backend, Attempt]] = []
    for place, ((backend, version), seconds) in enumerate(order.here, start=1):
        left = deadline - time.monotonic()
        last = place == len(order.here) and not later - {backend.name}
        # the others get the rest
        share = left if last else min(left, left / 2 if seconds is None else seconds)
        attempt = _solve_here(backend, version, claim, replace(budget, seconds=max(share, 0.01)), progress)
        if attempt.outcome == "timeout" and backend.name in later and time.monotonic() < deadline:
            unfinished.append((backend, attempt))  # it goes on as a child
            continue
        later.discard(backend.name)
        judge.consider([(backend, attempt)])
        if judge.decided:
            break
    entrants = [entry for entry in order.then if entry[0].name in later]
    if judge.decided:
        judge.consider(unfinished)
        return []
    for backend, version in [e for e in entrants if not judge.useful(e[0])]:
        entrants.remove((backend, version))
        judge.attempts.append(Attempt(backend.name, "cancelled", version, detail=USELESS))
    return entrants


def _solve_here(
    backend: Backend, version: str, claim: WordClaim, budget: Budget, progress: Progress
) -> Attempt:
    started = time.monotonic()
    progress(f"{backend.name}: running")
    try:
        attempt = backend.solve(claim, budget, lambda text: progress(f"{backend.name}: {text}"))
        if not isinstance(attempt, Attempt) or attempt.outcome not in SAYABLE:
            raise TypeError("did not return an attempt")
        words = tuple(tuple(int(s) for s in word) for word in attempt.words)
        attempt = attempt.with_(backend=backend.name, version=attempt.version or version, words=words)
    except Unsupported as error:
        attempt = Attempt(backend.name, "unsupported", version, detail=str(error))
    except OutOfTime:
        attempt = Attempt(backend.name, "timeout", version)
    except MemoryError:
        attempt = Attempt(backend.name, "memory", version, detail="ran out of memory")
    except Exception as error:
        attempt = Attempt(backend.name, "crashed", version, detail=f"{type(error).__name__}: {error}")
    ended = time.monotonic()
    return attempt.with_(
        detail=one_line(attempt.detail, 400), seconds=round(ended - started, 3), spans=((started, ended),)
    )
