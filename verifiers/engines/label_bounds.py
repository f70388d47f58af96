"""What bounds on the network settle before any search: label by label, for the engines `bab` and `reach`.

After the encoders' presolve, which reduces the network to what a label's words can reach.  The backends that
ask solvers do the same formula by formula (`backends/shared/queries.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...encoders.dense import Dense, dense
from ...encoders.presolve import reduced
from ...models.automata.automaton import Automaton
from ...models.claims.word_claim import WordClaim
from ..evidence import Settled


@dataclass(frozen=True, eq=False)
class BoundedLabel:
    """One label, and what bounds alone say of its rivals.

    `excluded`: places of rivals that never win on a word of this label.  `open`: the queries about the
    others, by place.
    """

    label: int
    language: Automaton
    excluded: tuple[int, ...]
    open: Mapping[int, Dense]

    @property
    def settled(self) -> tuple[Settled, ...]:
        """The evidence of the excluded rivals."""
        return (Settled(self.label, self.excluded, self.language.size, "bounds"),) if self.excluded else ()


def bounded_labels(claim: WordClaim, deadline: float) -> Iterator[BoundedLabel]:
    """Yield every label that some input has.  Raises TimeoutError after `deadline` (`time.monotonic`)."""
    for label in range(len(claim.decision.labels)):
        language = claim.language.restricted(label)
        rivals = claim.decision.rivals(label)
        if language.empty:
            continue
        excluded: list[int] = []
        left: dict[int, Dense] = {}
        if rivals:
            small = reduced(claim.network, claim.domain, language, deadline)
        for place, rival in enumerate(rivals):
            if time.monotonic() > deadline:
                raise TimeoutError("out of time while bounding the network")
            query = dense(small, rival)
            if query.settled:
                excluded.append(place)
            else:
                left[place] = query
        yield BoundedLabel(label, language, tuple(excluded), left)
