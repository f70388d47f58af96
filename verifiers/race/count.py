"""How many inputs disagree, exactly: behind `prove --count`, after a claim was refuted.

Small domains are enumerated.  Larger ones go to `reach`, which settles whole sets of words at once.  If that
does not finish and few words disagree, `bab` finds them one by one until it has proved that there are no
more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ...common.errors import Unsupported
from ...models.claims.word_claim import WordClaim
from .backend import Budget

FEW = 5_000  # disagreeing inputs that are worth finding one by one
REACH_SHARE = 0.6  # of the time, where there is a second way


@dataclass(frozen=True)
class DisagreementCount:
    """How many inputs agree, how many disagree, and how many are open (out of time).

    They add up to the domain's size.
    """

    right: int
    wrong: int
    undecided: int

    @property
    def exact(self) -> bool:
        return self.undecided == 0


def count_disagreeing(
    claim: WordClaim, budget: Budget, progress: Callable[[str], None] = lambda text: None
) -> DisagreementCount:
    """DisagreementCount as far as the budget's seconds go."""
    deadline = time.monotonic() + budget.seconds
    found = _enumerated(claim, budget, progress)
    if found is None:
        found = _reached(claim, budget, deadline, progress)
    if not found.exact and time.monotonic() < deadline:
        found = _listed(claim, budget, deadline, progress) or found
    return found


def _enumerated(
    claim: WordClaim, budget: Budget, progress: Callable[[str], None]
) -> DisagreementCount | None:
    from ..backends.exhaustive import BACKEND

    if BACKEND.unfit(claim) is not None:
        return None
    wrong = BACKEND.count(claim, budget, progress)
    return None if wrong is None else DisagreementCount(claim.domain_size - wrong, wrong, 0)


def _reached(
    claim: WordClaim, budget: Budget, deadline: float, progress: Callable[[str], None]
) -> DisagreementCount:
    from ..engines.reach.reach import count_disagreeing as reached

    try:
        found = reached(claim, (deadline - time.monotonic()) * REACH_SHARE, progress)
    except (TimeoutError, Unsupported):
        return DisagreementCount(0, 0, claim.domain_size)
    return DisagreementCount(found.right, found.wrong, found.undecided)


def _listed(
    claim: WordClaim, budget: Budget, deadline: float, progress: Callable[[str], None]
) -> DisagreementCount | None:
    """List the disagreeing words; None where they are too many, or time is up."""
    from ..engines.bab.labels import LabelSearches

    try:
        search = LabelSearches(claim, deadline, seed=budget.seed)
        done = search.run(deadline, FEW, lambda text: progress(f"{len(search.found)} disagree; {text}"))
    except (TimeoutError, Unsupported):
        return None
    wrong = len(search.found)
    return DisagreementCount(claim.domain_size - wrong, wrong, 0) if done and wrong < FEW else None
