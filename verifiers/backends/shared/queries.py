"""Solver backends: one query per label and rival, within one deadline, and every word checked exactly.

Between the encoders and the backends.  A backend is a `QueryBackend` with a function `ask`, which puts one
formula to its solver.  This module reduces the network, skips queries that bounds settle, blocks words that
were found, and makes the `Attempt`.  The option "highs:tighten" is described in docs/theory/encodings.md.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal

import numpy as np

from ....common.errors import Unsupported
from ....encoders.export import Export
from ....encoders.formula import Formula, Word, build_formula
from ....encoders.presolve import reduced
from ....encoders.tighten import tightened
from ....models.claims.word_claim import WordClaim
from ...attempts import Attempt, Outcome, Sizes
from ...evidence import Settled
from ...race.backend import Budget, Capabilities, UnknownOption, installed_version

MAX_EDGES = 200_000
MAX_RELUS = 5_000
MAX_WORKERS = 1024
WORKERS = "workers=N"
TIGHTEN = "tighten"  # the option that every backend here has
# Words of a solver with tolerances that may fail the exact check before the query is called unknown.
MAX_REPAIRS = 64


@dataclass(frozen=True)
class SolverAnswer:
    """What a solver said about one formula.

    `kind` is "word" (a counterexample), "none" (there is none), "timeout" or "unknown" (with the reason in
    `detail`).
    """

    kind: Literal["word", "none", "timeout", "unknown"]
    word: Word = ()
    detail: str = ""


@dataclass(frozen=True)
class QueryBackend:
    """A backend that answers formula by formula.

    Attributes:
        name: what the user calls it.
        capabilities: how far its "proved" is trusted.
        package: the Python package that has to be installed; its version is the backend's.
        ask: puts one formula to the solver, given the seconds left and the budget.  It imports the solver
            itself, and is a module's function, so that the backend can be sent to a child process.
        tighten: whether bounds are improved by linear programs first.
        threads: whether the solver has threads of its own; then the option "workers=N" sets `workers`.
        export: writes its formulas to files (`--dump`); None: it has none.
    """

    name: str
    capabilities: Capabilities
    package: str
    ask: Callable[[Formula, float, Budget], SolverAnswer]
    tighten: bool = False
    threads: bool = False
    workers: int | None = None
    export: Export | None = None

    @property
    def options(self) -> Mapping[str, str]:
        """Options by name, with what they do."""
        found = {
            TIGHTEN: "bounds by linear programs over the language first, exact through their multipliers"
        }
        return {**found, **({WORKERS: "threads of the solver"} if self.threads else {})}

    def with_options(self, options: Sequence[str]) -> QueryBackend:
        """Return this backend with options, and a name that tells them.  Raises UnknownOption."""
        changed = self
        for option in options:
            changed = changed._with(option)
        return replace(changed, name=":".join([self.name, *options]))

    def _with(self, option: str) -> QueryBackend:
        key, _, value = option.partition("=")
        if self.threads and key == "workers":
            if not (value.isascii() and value.isdigit() and 1 <= int(value) <= MAX_WORKERS):
                raise UnknownOption(option, self.name, self.options)
            return replace(self, workers=int(value))
        if option != TIGHTEN:
            raise UnknownOption(option, self.name, self.options)
        return replace(self, tighten=True)

    def available(self) -> str | None:
        """Return the version of the solver's package, or None where it is not installed."""
        return installed_version(self.package)

    def unfit(self, claim: WordClaim) -> str | None:
        """Return why the claim is too large, or None."""
        return too_big(claim)

    def solve(self, claim: WordClaim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        """Ask about every label and rival until enough words are found, all are excluded, or time is up."""
        return _Queries(self, claim, budget, progress).run()


def too_big(claim: WordClaim) -> str | None:
    """Return why no solver backend should try, or None; cheap."""
    edges, relus = claim.language.edge_count, claim.network.relu_count
    limit = "over the limit of {} for solver encodings".format
    if edges > MAX_EDGES:
        return f"the program's automaton has {edges} edges, {limit(MAX_EDGES)}"
    if relus > MAX_RELUS:
        return f"the network has {relus} ReLUs, {limit(MAX_RELUS)}"
    return None


def differs(claim: WordClaim, word: Word, label: int) -> bool:
    """Whether network and program differ on a word of this label, in exact arithmetic."""
    return int(claim.network_labels(np.array([word], dtype=np.int16).reshape(1, -1))[0]) != label


@dataclass
class _Queries:
    """The queries of one attempt, and what has come of them."""

    backend: QueryBackend
    claim: WordClaim
    budget: Budget
    progress: Callable[[str], None]
    found: list[Word] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    open: list[str] = field(default_factory=list)  # queries without an answer, with the reason
    sizes: Counter[str] = field(default_factory=Counter)

    def run(self) -> Attempt:
        self.start = time.monotonic()
        deadline = self.start + self.budget.seconds
        try:
            queries = formulas(self.claim, deadline, self.progress, self.backend.tighten, self.sizes)
            for formula, label, excluded in queries:
                if formula.settled:
                    self.settled.append(excluded)
                elif (ended := self._ask_about(formula, label, excluded, deadline)) is not None:
                    return ended
                if len(self.found) >= self._wanted:
                    break
        except TimeoutError as error:
            return self._attempt("timeout", str(error))
        except Unsupported as error:
            return self._attempt("unsupported", str(error))
        if self.open:
            return self._attempt("unknown", self.open[0])
        return self._attempt("proved")  # if the evidence adds up, which `race/judge.py` looks at

    @property
    def _wanted(self) -> int:
        return max(1, self.budget.counterexamples)

    def _ask_about(self, formula: Formula, label: int, excluded: Settled, deadline: float) -> Attempt | None:
        """Ask until this query has no more words, or enough are found.  Returns an attempt that is over."""
        self.progress(f"{formula.name}: {len(formula.relus)} open ReLUs, {sum(map(len, formula.arcs))} arcs")
        budget = replace(self.budget, workers=self.backend.workers or self.budget.workers)
        repairs = 0
        known = [word for word in self.found if self.claim.language.label_of(word) == label]
        for word in known:  # another rival's formula may tell words apart that this one does not
            self._add(formula, word, label)
        formula = formula.blocking(known)
        while len(self.found) < self._wanted:
            left = deadline - time.monotonic()
            if left <= 0:
                return self._attempt("timeout", f"out of time at {formula.name}")
            answer = self.backend.ask(formula, left, budget)
            if answer.kind == "none":
                # not looked at where the label has words that were found
                self.settled.append(replace(excluded, by=self.backend.name))
                return None
            if answer.kind == "timeout":
                return self._attempt("timeout", answer.detail or f"out of time at {formula.name}")
            if answer.kind == "unknown":  # another query may still find a word
                self.open.append(f"{formula.name}: {answer.detail}")
                return None
            word = answer.word
            if self.claim.language.label_of(word) == label and differs(self.claim, word, label):
                self._add(formula, word, label)
            elif self.backend.capabilities.trust != "float":
                return self._attempt(
                    "crashed", f"its model for {formula.name} is not a counterexample: {word}"
                )
            elif (repairs := repairs + 1) > MAX_REPAIRS:
                wrong = f"{MAX_REPAIRS} solutions were no counterexamples, its tolerances are too wide"
                self.open.append(f"{formula.name}: {wrong}")
                return None
            formula = formula.blocking([word])
        return None

    def _add(self, formula: Formula, word: Word, label: int) -> None:
        """Keep a word, and those that the formula does not tell from it."""
        for other in islice(formula.alike(word), self._wanted + len(self.found)):
            if (
                len(self.found) < self._wanted
                and other not in self.found
                and self.claim.language.label_of(other) == label
                and differs(self.claim, other, label)
            ):
                self.found.append(other)

    def _attempt(self, outcome: Outcome, detail: str = "") -> Attempt:
        if self.found:  # what was found stays found
            outcome = "refuted"
        proved = outcome == "proved"
        return Attempt(
            self.backend.name,
            outcome,
            self.backend.available() or "",
            self.backend.capabilities.trust if proved else None,
            time.monotonic() - self.start,
            detail=detail,
            words=tuple(self.found),
            sizes=Sizes(**self.sizes),
            evidence=tuple(self.settled) if proved else (),
        )


def formulas(
    claim: WordClaim, deadline: float, progress: Callable[[str], None], tighten: bool, sizes: Counter[str]
) -> Iterator[tuple[Formula, int, Settled]]:
    """Yield every query: its formula, its label, and what is settled once nothing satisfies the formula.

    Queries that bounds settle are among them.  `sizes` is added up as `Sizes` has it.
    Raises TimeoutError after `deadline` (`time.monotonic`).
    """
    labels = claim.decision.labels
    for label in range(len(labels)):
        language = claim.language.restricted(label)
        rivals = claim.decision.rivals(label)
        if language.empty or not rivals:
            continue
        small = reduced(claim.network, claim.domain, language, deadline)
        sizes.update(dead=small.dead, active=small.active, unstable=len(small.relus))
        for number, rival in enumerate(rivals, start=1):
            if time.monotonic() > deadline:
                raise TimeoutError("out of time while encoding")
            formula = build_formula(small, rival, f"label {labels[label]!r}, rival {number} of {len(rivals)}")
            if tighten and not formula.settled:
                progress(f"{formula.name}: bounds by linear programs")
                formula = tightened(formula, deadline)
            sizes.update(queries=1, settled=int(formula.settled))
            if not formula.settled:
                rows = (
                    len(formula.flow)
                    + len(formula.exclusions)
                    + len(formula.relus)
                    + len(formula.allowances)
                    + 1
                )
                sizes.update(
                    variables=len(formula.variables), constraints=rows, arcs=sum(map(len, formula.arcs))
                )
            yield formula, label, Settled(label, (number - 1,), language.size, "bounds")
