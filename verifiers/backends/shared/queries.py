"""The loop that every solver backend shares: one query per label and rival, within one deadline, words checked exactly.

Between the encoders and the backends.  A backend hands in `ask`, which takes one formula and the seconds left and says
what its solver said; this module reduces the network, skips queries that bounds settle, blocks words that were found,
and makes the `Attempt`.  Its options ("highs:tighten") are described in docs/theory/encodings.md.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np

from ....common.errors import Unsupported
from ....encoders.dense import Dense, dense
from ....encoders.export import Export
from ....encoders.formula import Formula, Word, build_formula
from ....encoders.presolve import reduced
from ....encoders.tighten import tightened
from ....models.automata.automaton import Automaton
from ....models.claims.word_claim import WordClaim
from ...evidence import Settled
from ...race.backend import Budget, Capabilities, UnknownOption, installed_version
from ...verdict import Attempt, Outcome, Sizes, Trust

MAX_EDGES = 200_000
MAX_RELUS = 5_000
MAX_WORKERS = 1024
WORKERS = "workers=N"
TIGHTEN = "tighten"  # the option of every backend here
MAX_REPAIRS = 64  # words of a solver with tolerances that fail the exact check, before it is called unknown


@dataclass(frozen=True)
class Answer:
    """What a solver said about one formula."""

    kind: Literal["word", "none", "timeout", "unknown"]
    word: Word = ()
    detail: str = ""


Ask = Callable[[Formula, float], Answer]


@dataclass(frozen=True)
class QueryBackend:
    """A backend that answers formula by formula: `ask(formula, seconds left, budget)`; `package` is what has to be installed.

    `ask` imports the solver itself and is a module's function, so that the backend can be sent to a process.
    With `tighten`, bounds are improved by linear programs first.  With `threads`, it takes "workers=N" as well.
    `export` writes its formulas to files (`--dump`).
    """

    name: str
    capabilities: Capabilities
    package: str
    ask: Callable[[Formula, float, Budget], Answer]
    tighten: bool = False
    threads: bool = False
    workers: int | None = None
    export: Export | None = None

    @property
    def options(self) -> Mapping[str, str]:
        found = {
            TIGHTEN: "bounds by linear programs over the language first, exact through their multipliers"
        }
        return {**found, **({WORKERS: "threads of the solver"} if self.threads else {})}

    def with_options(self, options: Sequence[str]) -> QueryBackend:
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
        return installed_version(self.package)

    def unfit(self, claim: WordClaim) -> str | None:
        return too_big(claim)

    def solve(self, claim: WordClaim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        mine = replace(budget, workers=self.workers or budget.workers)

        def ask(formula: Formula, seconds: float) -> Answer:
            return self.ask(formula, seconds, mine)

        return run_queries(
            self.name,
            self.available() or "",
            self.capabilities.trust,
            claim,
            budget,
            progress,
            ask,
            self.tighten,
        )


def too_big(claim: WordClaim) -> str | None:
    """Why no solver backend should try, or None; cheap."""
    edges, relus = claim.language.edge_count, claim.network.relu_count
    if edges > MAX_EDGES:
        return (
            f"the program's automaton has {edges} edges, over the limit of {MAX_EDGES} for solver encodings"
        )
    if relus > MAX_RELUS:
        return f"the network has {relus} ReLUs, over the limit of {MAX_RELUS} for solver encodings"
    return None


def differs(claim: WordClaim, word: Word, label: int) -> bool:
    """Whether network and program differ on a word of this label, in exact arithmetic."""
    return int(claim.network_labels(np.array([word], dtype=np.int16).reshape(1, -1))[0]) != label


def run_queries(
    name: str,
    version: str,
    trust: Trust,
    claim: WordClaim,
    budget: Budget,
    progress: Callable[[str], None],
    ask: Ask,
    tighten: bool = False,
) -> Attempt:
    """Ask about every label and rival until enough counterexamples are found, all are excluded, or time is up."""
    start = time.monotonic()
    deadline, wanted = start + budget.seconds, max(1, budget.counterexamples)
    found: list[Word] = []
    settled: list[Settled] = []
    open_queries: list[str] = []
    sizes: Counter[str] = Counter()

    def attempt(outcome: Outcome, detail: str = "") -> Attempt:
        if found:  # what was found stays found
            outcome = "refuted"
        seconds = time.monotonic() - start
        said = trust if outcome == "proved" else None
        shown = tuple(settled) if outcome == "proved" else ()
        return Attempt(
            name,
            outcome,
            version,
            said,
            seconds,
            detail=detail,
            words=tuple(found),
            sizes=Sizes(**sizes),
            evidence=shown,
        )

    def add(formula: Formula, word: Word, label: int) -> None:
        """The word and those that the formula does not tell from it."""
        for other in islice(formula.alike(word), wanted + len(found)):
            if (
                len(found) < wanted
                and other not in found
                and claim.language.label_of(other) == label
                and differs(claim, other, label)
            ):
                found.append(other)

    try:
        for formula, label, excluded in formulas(claim, deadline, progress, tighten, sizes):
            if formula.settled:
                settled.append(excluded)
                continue
            progress(f"{formula.name}: {len(formula.relus)} open ReLUs, {sum(map(len, formula.arcs))} arcs")
            repairs = 0
            known = [word for word in found if claim.language.label_of(word) == label]
            for word in known:  # another rival's formula may have told words apart that this one does not
                add(formula, word, label)
            formula = formula.blocking(known)
            while len(found) < wanted:
                left = deadline - time.monotonic()
                if left <= 0:
                    return attempt("timeout", f"out of time at {formula.name}")
                answer = ask(formula, left)
                if answer.kind == "none":
                    settled.append(
                        replace(excluded, by=name)
                    )  # of a label with words that were found, it is not looked at
                    break
                if answer.kind == "timeout":
                    return attempt("timeout", answer.detail or f"out of time at {formula.name}")
                if answer.kind == "unknown":  # another query may still find a word
                    open_queries.append(f"{formula.name}: {answer.detail}")
                    break
                if claim.language.label_of(answer.word) == label and differs(claim, answer.word, label):
                    add(formula, answer.word, label)
                elif trust != "float":
                    return attempt(
                        "crashed", f"its model for {formula.name} is not a counterexample: {answer.word}"
                    )
                elif (repairs := repairs + 1) > MAX_REPAIRS:
                    open_queries.append(
                        f"{formula.name}: {MAX_REPAIRS} solutions were no counterexamples, its tolerances are too wide"
                    )
                    break
                formula = formula.blocking([answer.word])
            if len(found) >= wanted:
                break
    except TimeoutError as error:
        return attempt("timeout", str(error))
    except Unsupported as error:
        return attempt("unsupported", str(error))
    return (
        attempt("unknown", open_queries[0]) if open_queries else attempt("proved")
    )  # if what is settled adds up: `judge.py`


def formulas(
    claim: WordClaim, deadline: float, progress: Callable[[str], None], tighten: bool, sizes: Counter[str]
) -> Iterator[tuple[Formula, int, Settled]]:
    """(formula, label, what is settled once nothing satisfies it) for every query; `sizes` counts what `Sizes` says.

    Queries that bounds settle are among them.

    Raises TimeoutError after `deadline` (time.monotonic).
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


@dataclass(frozen=True, eq=False)
class Bounded:
    """A label's words, and what bounds alone say of its rivals: excluded ones, and the queries about the others (by place)."""

    label: int
    language: Automaton
    excluded: tuple[int, ...]
    open: Mapping[int, Dense]

    @property
    def settled(self) -> tuple[Settled, ...]:
        """What bounds alone have settled."""
        return (Settled(self.label, self.excluded, self.language.size, "bounds"),) if self.excluded else ()


def bounded_labels(claim: WordClaim, deadline: float) -> Iterator[Bounded]:
    """Every label that some input has, with what bounds leave open; for engines that reason on the arrays themselves.

    Raises TimeoutError after `deadline` (time.monotonic).
    """
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
        yield Bounded(label, language, tuple(excluded), left)
