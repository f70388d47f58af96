"""Backend `bab`: our own branch and bound over ReLU phases, automaton states and tokens (exact)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...models.claim import Claim
from ...models.errors import Unsupported
from ...models.text import number
from ...version import __version__
from ..backend import Budget, Capabilities
from ..engines.bab import Options, Progress, Search
from ..engines.cells import Word
from ..queries import open_queries, too_big
from ..verdict import Attempt

FIRST_SLICE = 0.5  # seconds for one label before the next gets its turn; twice as long each round


@dataclass(frozen=True)
class Bab:
    """`options` switch single ideas off, for comparison."""

    options: Options = Options()
    name: str = "bab"
    capabilities: Capabilities = Capabilities(
        "exact", description="our branch and bound: relaxations over the automaton's language, split by ReLUs, states and tokens"
    )

    def available(self) -> str | None:
        return __version__

    def unfit(self, claim: Claim) -> str | None:
        return too_big(claim)

    def solve(self, claim: Claim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        start = time.monotonic()
        deadline = start + budget.seconds
        wanted = max(1, budget.counterexamples)
        found: list[Word] = []
        searches: dict[int, Search] = {}  # by label
        settled = claim.domain_size  # inputs whose labels have no open search

        def attempt(outcome: str, detail: str = "", proved: int | None = None) -> Attempt:
            seconds, trust = time.monotonic() - start, "exact" if outcome == "proved" else None
            return Attempt(self.name, outcome, __version__, trust, seconds, None, detail, tuple(found), proved)  # type: ignore[arg-type]

        def share() -> int:
            return settled + sum(s.proved_inputs() for s in searches.values())

        try:
            for label, group in itertools.groupby(open_queries(claim, deadline), key=lambda q: q[1]):
                searches[label] = Search([query for query, _, _ in group], self.options, budget.seed)
                settled -= searches[label].language.size
        except TimeoutError as error:
            return attempt("timeout", str(error))
        except Unsupported as error:
            return attempt("unsupported", str(error))
        slice_seconds = FIRST_SLICE
        open_labels = list(searches)
        while open_labels:
            for label in list(open_labels):
                search = searches[label]
                if time.monotonic() >= deadline:
                    return attempt("refuted" if found else "timeout", _said(searches), share())

                def report(said: Progress, cells: int, label: int = label) -> None:
                    progress(f"label {claim.decision.labels[label]!r}: {said.nodes} nodes, {said.cuts} cuts, {cells} cells open")

                outcome = search.run(min(deadline, time.monotonic() + slice_seconds), report)
                new = [word for word in outcome.words if word not in found]
                found += new[: wanted - len(found)]
                if len(found) >= wanted:
                    return attempt("refuted", _said(searches))
                if new:  # go on without them
                    searches[label] = search.without(new)
                elif not outcome.open:
                    open_labels.remove(label)
            slice_seconds *= 2
        return attempt("refuted" if found else "proved", _said(searches))


def _said(searches: dict[int, Search]) -> str:
    nodes = sum(s.progress.nodes for s in searches.values())
    cuts = sum(s.progress.cuts for s in searches.values())
    relus = max((s.problem.count for s in searches.values()), default=0)
    return f"{number(nodes)} nodes, {number(cuts)} cuts of the words, at most {relus} open ReLUs"


BACKEND = Bab()
