"""Backend `bab`: our own branch and bound over ReLU phases, automaton states and tokens (exact)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...models.claim import Claim
from ...models.errors import Unsupported
from ...version import __version__
from ..backend import Budget, Capabilities
from ..engines.bab import DEFAULT, Options
from ..engines.labels import LabelSearches
from ..queries import too_big
from ..verdict import Attempt


@dataclass(frozen=True)
class Bab:
    """`settings` switch single ideas off, for comparison."""

    settings: Options = DEFAULT
    name: str = "bab"
    capabilities = Capabilities(
        "exact",
        in_process=True,
        description="our branch and bound: relaxations over the automaton's language, split by ReLUs, states and tokens",
    )

    def available(self) -> str | None:
        return __version__

    def unfit(self, claim: Claim) -> str | None:
        return too_big(claim)

    def solve(self, claim: Claim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        """Raises Unsupported, and InputError where the budget's checkpoint does not hold."""
        start = time.monotonic()
        deadline = start + budget.seconds
        checkpoint = None if budget.checkpoint is None else Path(budget.checkpoint)
        try:
            search = LabelSearches(claim, deadline, self.settings, budget.seed, checkpoint)
        except (TimeoutError, Unsupported) as error:
            outcome = "timeout" if isinstance(error, TimeoutError) else "unsupported"
            return Attempt(self.name, outcome, __version__, seconds=time.monotonic() - start, detail=str(error))  # type: ignore[arg-type]
        done = search.run(deadline, max(1, budget.counterexamples), progress)
        outcome = "refuted" if search.found else "proved" if done else "timeout"
        return Attempt(
            self.name,
            outcome,  # type: ignore[arg-type]
            __version__,
            "exact" if outcome == "proved" else None,
            time.monotonic() - start,
            detail=str(search),
            words=tuple(search.found),
            proved_inputs=search.proved_inputs() if outcome == "timeout" else None,
        )


BACKEND = Bab()
