"""Backend `enumerate`: runs the network on every input of the domain, in batches, in exact arithmetic.  The honest baseline."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ...models.claim import Claim
from ...models.text import number
from ...version import __version__
from ..backend import Budget, Capabilities
from ..verdict import Attempt

MAX_INPUTS = 10**7
BATCH_CELLS = 1 << 21  # numbers in one batch's widest layer: bounds the memory


class Enumerate:
    name = "enumerate"
    capabilities = Capabilities("exact", in_process=True, description=f"runs the network on every input, up to {MAX_INPUTS} of them")

    def available(self) -> str | None:
        return __version__

    def unfit(self, claim: Claim) -> str | None:
        size = claim.domain_size
        return f"the domain has {number(size)} inputs, over the limit of {number(MAX_INPUTS)}" if size > MAX_INPUTS else None

    def solve(self, claim: Claim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        start = time.monotonic()
        wanted, total, done = max(1, budget.counterexamples), claim.domain_size, 0
        found: list[tuple[int, ...]] = []
        batch = max(1, min(1 << 14, BATCH_CELLS // max(claim.network.sizes)))

        def attempt(outcome: str, detail: str = "") -> Attempt:
            trust = "exact" if outcome == "proved" else None
            return Attempt(self.name, outcome, __version__, trust, time.monotonic() - start, detail=detail, words=tuple(found))  # type: ignore[arg-type]

        if reason := self.unfit(claim):
            return attempt("unsupported", reason)
        reported = start
        for block, block_labels in claim.language.words(batch):
            for words, labels in zip(_split(block, batch), _split(block_labels, batch), strict=True):
                now = time.monotonic()
                if now - start > budget.seconds:
                    return attempt("refuted" if found else "timeout", f"{done} of {total} inputs done")
                if now - reported > 0.5:
                    reported = now
                    progress(f"{done} of {total} inputs")
                wrong = np.flatnonzero(claim.network_labels(words) != labels)
                found += [tuple(map(int, words[i])) for i in wrong[: wanted - len(found)]]
                done += len(words)
                if len(found) >= wanted:
                    return attempt("refuted", f"{done} of {total} inputs done")
        return attempt("refuted" if found else "proved", f"all {total} inputs")


def _split(array: np.ndarray, rows: int) -> list[np.ndarray]:
    return [array[i : i + rows] for i in range(0, len(array), rows)]


BACKEND = Enumerate()
