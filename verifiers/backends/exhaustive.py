"""Backend `enumerate`: runs the network on every input, in exact arithmetic (`engines/enumerate/`)."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...common.text import number
from ...models.claims.word_claim import WordClaim
from ...version import __version__
from ..attempts import Attempt
from ..engines.enumerate.tree import search
from ..evidence import Settled
from ..race.backend import Budget, Capabilities

MAX_INPUTS = 10**9


class Enumerate:
    name = "enumerate"
    capabilities = Capabilities(
        "exact",
        in_process=True,
        certified=True,
        description=f"runs the network on every input, up to {number(MAX_INPUTS)} of them",
    )

    def available(self) -> str | None:
        return __version__

    def unfit(self, claim: WordClaim) -> str | None:
        size = claim.domain_size
        return (
            f"the domain has {number(size)} inputs, over the limit of {number(MAX_INPUTS)}"
            if size > MAX_INPUTS
            else None
        )

    def solve(self, claim: WordClaim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        start = time.monotonic()
        if reason := self.unfit(claim):
            return Attempt(self.name, "unsupported", __version__, detail=reason)
        found = search(
            claim, budget.seconds, progress, workers=budget.workers, wanted=max(1, budget.counterexamples)
        )
        said = Attempt(self.name, "timeout", __version__, seconds=time.monotonic() - start, words=found.words)
        detail = (
            f"all {found.total} inputs" if found.finished else f"{found.done} of {found.total} inputs done"
        )
        if found.words:
            return said.with_(outcome="refuted", detail=detail)
        if found.finished:
            evidence = (Settled(None, None, found.done - found.wrong, "run"),)
            return said.with_(outcome="proved", trust="exact", detail=detail, evidence=evidence)
        return said.with_(detail=detail, proved_inputs=found.done)

    def count(self, claim: WordClaim, budget: Budget, progress: Callable[[str], None]) -> int | None:
        """Return the exact number of disagreeing inputs; None if time runs out or the domain is too large."""
        if self.unfit(claim):
            return None
        found = search(claim, budget.seconds, progress, workers=budget.workers)
        return found.wrong if found.finished else None


BACKEND = Enumerate()
