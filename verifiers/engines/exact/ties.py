"""Subdomains that floats will never settle, because two values are exactly equal there.

They are decided exactly, but only now and then.  After `last_word.py`, for `engines/boxes/input_split.py` and
`lp_split.py`.  A question costs as much as a hundred subdomains or more, and most subdomains that look like a
tie are none.  So questions are rationed, and ties that are found earn new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from ....models.claims.property import Case
from ....models.network.network import Network
from .forms import ExactSubdomain
from .last_word import LastWord, Shown, as_point

FIRST, MOST = 2.0, 16.0  # questions at the start, and that may be saved
PER_SUBDOMAIN, PER_TIE = (
    1 / 2048,
    4.0,
)  # questions that are earned by a subdomain that is searched, and by a tie that is found
LEAVES, WORK = 48, 1 << 15  # for a question
LEAST_OPEN, MOST_OPEN = (
    6,
    24,
)  # open neurons of subdomains that are asked about: more when answers come, fewer when none does
TIE = 2.0**-20  # of a row's size: how near to 0 its value comes where it may be a tie


@dataclass(eq=False)
class Ties:
    """Of one case.

    `accept`: as searches have it, also for exact numbers.  Threads may share it: at worst a question too many
    is asked.
    """

    network: Network
    case: Case
    accept: Callable[[np.ndarray], bool]
    left: float = FIRST
    most_open: int = LEAST_OPEN
    word: LastWord = field(init=False)

    def __post_init__(self) -> None:
        self.word = LastWord(self.network, self.case.unsafe)

    def earn(self, subdomains: int) -> None:
        """Count so many subdomains that were searched."""
        self.left = min(self.left + subdomains * PER_SUBDOMAIN, MOST)

    @property
    def may_ask(self) -> bool:
        return self.left >= 1

    def ask(
        self,
        box: tuple[np.ndarray, np.ndarray] | None,
        known: tuple[np.ndarray, np.ndarray, np.ndarray],
        polyhedra: Sequence[int],
    ) -> str:
        """ "safe" where all these polyhedra are empty on a subdomain of the box (None: all of it), "found"
        where a point was accepted, else "".

        `known`: phases and bounds of its neurons, as `ExactSubdomain` has them.
        """
        if not self.may_ask:
            return ""
        self.left -= 1
        low, high = self.case.lower, self.case.upper
        if box is not None:
            low = tuple(max(a, Fraction(float(v))) for a, v in zip(low, box[0], strict=True))
            high = tuple(min(a, Fraction(float(v))) for a, v in zip(high, box[1], strict=True))
        if any(a > b for a, b in zip(low, high, strict=True)):
            return ""
        said = self.word.about(ExactSubdomain(low, high, *known), polyhedra, leaves=LEAVES, work=WORK)
        tie = isinstance(said, Shown) and any(leaf.tight for leaf in said.leaves)
        if tie:
            self.left = min(self.left + PER_TIE, MOST)
        self.most_open = min(max(self.most_open + (1 if tie else -1), LEAST_OPEN), MOST_OPEN)
        if isinstance(said, Shown):
            return "safe"
        return "found" if said is not None and self.accept(as_point(said)) else ""
