"""Backend `reach`: sweeps over partial sums, merged where equal, rounded where too many (exact)."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice

from ...models.claims.word_claim import WordClaim
from ...version import __version__
from ..attempts import Attempt, Outcome
from ..engines.reach.reach import Reach
from ..race.backend import Budget, Capabilities
from .shared.queries import too_big


class ReachBackend:
    name = "reach"
    capabilities = Capabilities(
        "exact",
        in_process=True,
        certified=True,
        description="our sweeps: partial sums, merged where equal and rounded where they are too many",
    )

    def available(self) -> str | None:
        return __version__

    def unfit(self, claim: WordClaim) -> str | None:
        return too_big(claim)

    def solve(self, claim: WordClaim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        start = time.monotonic()
        wanted = max(1, budget.counterexamples)
        search = Reach(claim)
        detail = ""
        try:
            done = search.run(start + budget.seconds, wanted, progress)
        except TimeoutError as error:
            done, detail = False, str(error)
        words = tuple(islice(search.words, wanted))
        outcome: Outcome = (
            "refuted" if words else "proved" if done else "unsupported" if search.reason else "timeout"
        )
        return Attempt(
            self.name,
            outcome,
            __version__,
            "exact" if outcome == "proved" else None,
            time.monotonic() - start,
            detail=detail or str(search),
            words=words,
            proved_inputs=search.settled.right if outcome in ("timeout", "unsupported") else None,
            evidence=search.evidence() if outcome == "proved" else (),
        )


BACKEND = ReachBackend()
