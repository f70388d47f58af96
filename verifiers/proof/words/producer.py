"""Writes what `bab` has settled as a proof, in the order in which the checker reads it.

Nothing here is trusted: the checker accepts or rejects what comes out.  Labels whose words can be run are left to be run.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....encoders.dense import Dense
from ....models.automata.automaton import Automaton
from ....models.claims.word_claim import WordClaim
from ....models.network.float32 import exact_in_float32
from ....models.network.integers import integer_array
from ....models.network.network import Relu
from ...bounds.word_bounds import STEP, Multipliers
from ...engines.bab.cells import SettledNode
from ...engines.bab.leaves import Spooled
from ...engines.bab.search import LabelSearch, Options
from ..format import FORMAT, Rejected, TooMuch
from .checker import RUN
from .minimise import Settled, minimised
from .network_rows import Built, build, proved_upper
from .parts import Bound, Part, bounded, cut, evaluated, whole
from .sweep import run_words

FEW = 30_000  # prefixes that are run at once, without looking for anything better
DEEP, MORE = (
    4,
    300_000,
)  # with more layers of ReLUs, so many: bounds get worse with every layer, and cells have few states
PATIENCE = 3.0  # seconds of search before running as many as a checker runs
WORTH = 4  # words per prefix, at most, for that to be worth trying (unless the network is deep)
MINIMISING = 0.3  # seconds, or this share of what the search took

Progress = Callable[[str], None]


class Unproved(Exception):
    """The claim is false on some word: somebody's "proved" was wrong."""


def proof_lines(
    claim: WordClaim,
    seconds: float,
    progress: Progress = lambda text: None,
    *,
    run: bool = True,
    kept: bool = True,
) -> Iterator[dict[str, Any]]:
    """The lines of a proof, label by label; `run`: words may be left to be run; not `kept`: nobody will look at its size.

    Raises TimeoutError where the search does not end in time, Unproved where the claim is false.
    """
    deadline = time.monotonic() + seconds
    yield _header(claim)
    left = RUN if run else 0
    for label, language in _labels(claim):
        writer = _Label(claim, label, language, deadline, progress, left, kept)
        yield from writer.lines()
        left -= writer.followed
    yield {"end": True}


def run_lines(claim: WordClaim) -> Iterator[dict[str, Any]] | None:
    """The lines of a proof that leaves every word to be run; None where that looks like too much.  Nothing was run to make it."""
    if not deep(claim) and claim.domain_size > FEW:
        return None
    return itertools.chain([_header(claim)], (_by_run(label) for label, _ in _labels(claim)), [{"end": True}])


def deep(claim: WordClaim) -> bool:
    """Whether the network has so many layers that bounds say little, as unrolled ones do."""
    return sum(isinstance(node, Relu) for node in claim.network.nodes) > DEEP


def _header(claim: WordClaim) -> dict[str, Any]:
    digests = {
        "claim": claim.digest,
        "network": claim.network.digest,
        "program": claim.program.digest,
        "domain": claim.domain.digest,
    }
    return {
        "format": FORMAT,
        **digests,
        "exact_in_float32": exact_in_float32(claim.network, claim.domain.positions).ok,
    }


def _labels(claim: WordClaim) -> Iterator[tuple[int, Automaton]]:
    """The labels about which there is something to prove, with their words."""
    for label in range(len(claim.decision.labels)):
        language = claim.language.restricted(label)
        if not language.empty and claim.decision.rival_count(label):
            yield label, language


def _by_run(label: int) -> dict[str, Any]:
    return {"label": label, "by": "run", "bounds": []}


@dataclass
class _Label:
    claim: WordClaim
    label: int
    language: Automaton
    deadline: float
    progress: Progress
    left: int  # prefixes that may still be left to be run
    kept: bool
    followed: int = 0

    def lines(self) -> Iterator[dict[str, Any]]:
        many_layers = deep(self.claim)
        if self._run(MORE if many_layers else FEW):
            yield _by_run(self.label)
            return
        started = time.monotonic()
        self._in_time()
        built = build(self.claim, self.label, self.language)
        queries, numbers = _queries(self.claim, self.label, self.language, built)
        if not queries:
            yield {"label": self.label, "by": "parts", "bounds": []}
            yield {"closed": [], "cut": None}
            return
        search = LabelSearch(
            queries, Options(cut_states=self.language.deterministic, attack=False), closed=Spooled()
        )
        if not self._searched(search, min(self.deadline, time.monotonic() + PATIENCE)):
            if (many_layers or self.language.size <= WORTH * self.left) and self._run(self.left):
                yield _by_run(self.label)
                return
            if not self._searched(search, self.deadline):
                raise TimeoutError("out of time while proving")
        ended = time.monotonic()
        minimising = MINIMISING * max(1.0, ended - started) if self.kept else 0.0
        yield from self._written(search, built, numbers, ended + minimising)

    def _run(self, most: int) -> bool:
        """Whether the label's words can be left to be run."""
        try:
            self.followed = run_words(
                self.claim, self.label, self.language, min(most, self.left), self._in_time
            )
        except TooMuch:
            return False
        except Rejected as why:
            raise Unproved(f"{why}, of label {self.claim.decision.labels[self.label]!r}") from None
        return True

    def _in_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise TimeoutError("out of time while proving")

    def _searched(self, search: LabelSearch, deadline: float) -> bool:
        name = self.claim.decision.labels[self.label]
        outcome = search.run(
            deadline,
            lambda said, cells: self.progress(
                f"proof, label {name!r}: {said.nodes} nodes, {cells} parts open"
            ),
        )
        if outcome.words:
            raise Unproved(
                f"network and program differ on {list(self.claim.domain.unpadded(outcome.words[0]))}"
            )
        return outcome.proved

    def _written(
        self, search: LabelSearch, built: Built, numbers: list[int], until: float
    ) -> Iterator[dict[str, Any]]:
        """Part by part, as the checker will go through them, with its bounds."""
        language, k = self.language, len(built.lower)
        root, entries = whole(language, built), []
        for row, sign, multipliers in search.presolve_bounds:
            bound = _bound(row, sign, (), multipliers)
            entries.append(
                [row, sign, _changes(bound.below, root.defaults[0]), _changes(bound.above, root.defaults[1])]
            )
            n, e = evaluated(built, root, [replace(bound, beta=root.defaults[2])])[0]
            lower, upper = list(map(int, root.lower)), list(map(int, root.upper))
            if sign > 0:
                upper[row] = min(upper[row], n >> e)
            else:
                lower[row] = max(lower[row], -(n >> e))
            root = replace(root, lower=integer_array(lower), upper=integer_array(upper))
        yield {"label": self.label, "by": "parts", "bounds": entries}
        order, stack = language.canonical(), [(0, root)]
        while stack:
            number, part = stack.pop()
            leaves = search.closed.of(number)
            looked = any(leaf.looked for leaf in leaves)  # at the part's only word
            settled = [
                Settled(numbers[leaf.target - k], leaf.phases, _evidence(leaf, k, numbers))
                for leaf in leaves
                if not leaf.looked
            ]
            closed = [_line(s, part) for s in minimised(built, part, settled, until)]
            if number not in search.cuts:
                yield {"closed": closed, "cut": "run" if looked else None}
                continue
            how, inside, outside = search.cuts[number]
            values = (
                sorted(order[how.place].index(v) for v in how.values)
                if how.kind == "state"
                else list(how.values)
            )
            yield {"closed": closed, "cut": [how.kind, how.place, values]}
            halves = cut(language, part, how.kind, how.place, how.values)
            stack += [
                (name, bounded(built, half))
                for name, half in reversed(list(zip((inside, outside), halves, strict=True)))
            ]


def _queries(
    claim: WordClaim, label: int, language: Automaton, built: Built
) -> tuple[list[Dense], list[int]]:
    """What bounds leave open, in the checker's own rows, and the numbers of these rivals."""
    k, rows = len(built.lower), built.rows
    every = list(range(k, k + len(claim.decision.rivals(label))))
    uppers, downs = (proved_upper(language, rows, every, sign, built.lower, built.upper) for sign in (1, -1))
    shape = (-1, language.length, language.symbol_count)
    queries, numbers = [], []
    for rival, (row, high, low) in enumerate(zip(every, uppers, downs, strict=True)):
        if high < 0:
            continue
        chosen = [*range(k), row]
        lower, upper = (
            integer_array([*map(int, built.lower), -low]),
            integer_array([*map(int, built.upper), high]),
        )
        symbols = rows.symbols[chosen].reshape(shape)
        queries.append(
            Dense(language, symbols, rows.relus[chosen], rows.constant[chosen], lower, upper, rows.layer)
        )
        numbers.append(rival)
    return queries, numbers


def _evidence(leaf: SettledNode, k: int, numbers: list[int]) -> Bound | None:
    return (
        None
        if leaf.multipliers is None
        else _bound(k + numbers[leaf.target - k], 1, leaf.phases, leaf.multipliers)
    )


def _bound(row: int, sign: int, phases: tuple[tuple[int, int], ...], multipliers: Multipliers) -> Bound:
    below, above, beta = (
        np.rint(m / STEP).astype(np.int64) for m in (multipliers.below, multipliers.above, multipliers.beta)
    )
    return Bound(row, sign, phases, below, above, beta)


def _line(settled: Settled, part: Part) -> list[Any]:
    phases, bound = [phase * (j + 1) for j, phase in settled.phases], settled.bound
    if bound is None:
        return [settled.rival, phases, None]
    given = zip((bound.below, bound.above, bound.beta), part.defaults, strict=True)
    return [settled.rival, phases, [_changes(values, default) for values, default in given]]


def _changes(values: np.ndarray, default: np.ndarray) -> list[int]:
    return [number for j in np.flatnonzero(values != default) for number in (int(j), int(values[j]))]
