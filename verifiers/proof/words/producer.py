"""Writes what branch and bound has settled as a proof about words, in the order in which the checker reads.

It is not trusted: the checker accepts or rejects the result.  Labels with few enough words (or few enough
prefixes that the network can tell apart) are left to be run.  For the other labels a search is started, and
its subdomains and leaves are written.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....encoders.dense import Dense
from ....models.automata.automaton import Automaton
from ....models.claims.word_claim import WordClaim
from ....models.network.float32 import exact_in_float32
from ....models.network.integers import integer_array
from ....models.network.network import Relu
from ...bounds.multipliers import STEP, Multipliers
from ...engines.bab.bounding import BabOptions
from ...engines.bab.cells import SettledNode
from ...engines.bab.leaves import Spooled
from ...engines.bab.search import LabelSearch
from ..format import WORDS, ProofTooLarge, Rejected
from ..tree import RUN, ProofLeaf
from ..writing import END, Line, changes, header, in_short_lines, leaf_entry, node
from .checker import WordArithmetic, WordRegion, digests_of, labels_to_prove
from .minimise import ONCE, SettledPhases, minimised
from .network_rows import RowRegion, proved_upper
from .sweep import run_words

FEW = 30_000  # up to this many prefixes are run without looking for anything better
DEEP = 4  # with more layers of ReLUs, bounds say little; unrolled recurrent networks have more
MORE = 300_000  # the same as FEW, for a deep network
PATIENCE = 3.0  # seconds of search before as many prefixes are run as a checker allows
WORTH = 4  # with more words per prefix that a checker allows, they are not run (unless the network is deep)
MINIMISING = 0.3  # time for minimising: this many seconds, or this share of the search's time

Progress = Callable[[str], None]


class Unproved(Exception):
    """The claim is false on some word: the verdict "proved" was wrong."""


def proof_lines(
    claim: WordClaim,
    seconds: float,
    progress: Progress = lambda text: None,
    *,
    run: bool = True,
    kept: bool = True,
) -> Iterator[Line]:
    """Yield the lines of a proof, label by label.

    seconds: the time limit.
    progress: receives one line of text now and then.
    run: whether words may be left to be run.
    kept: whether the proof is kept, so that its size matters and it is minimised.

    Raises TimeoutError if the search does not end in time, and Unproved if the claim is false.
    """
    deadline = time.monotonic() + seconds
    yield _header(claim)
    left = RUN if run else 0
    for label, language in labels_to_prove(claim):
        writer = _Label(claim, label, language, deadline, progress, left, kept)
        yield from writer.lines()
        left -= writer.followed
    yield END


def run_lines(claim: WordClaim) -> Iterator[Line] | None:
    """Return the lines of a proof that leaves every word to be run; None if that looks like too much.

    Nothing is run here.
    """
    if not deep(claim) and claim.domain_size > FEW:
        return None
    return itertools.chain([_header(claim)], ({"run": label} for label, _ in labels_to_prove(claim)), [END])


def deep(claim: WordClaim) -> bool:
    """Say whether the network has so many layers that bounds say little, as unrolled networks have."""
    return sum(isinstance(node, Relu) for node in claim.network.nodes) > DEEP


def _header(claim: WordClaim) -> Line:
    """Return the first line of a proof."""
    return header(WORDS, digests_of(claim), exact_in_float32(claim.network, claim.domain.positions).ok)


@dataclass
class _Label:
    """Writes the proof of one label.

    left: how many prefixes may still be left to be run.
    kept: whether the proof is kept.
    followed: how many prefixes are left to be run for this label.
    """

    claim: WordClaim
    label: int
    language: Automaton
    deadline: float
    progress: Progress
    left: int
    kept: bool
    followed: int = 0

    def lines(self) -> Iterator[Line]:
        """Yield the label's lines: its words are run, or a tree of subdomains settles them."""
        many_layers = deep(self.claim)
        if self._run(MORE if many_layers else FEW):
            yield {"run": self.label}
            return
        started = time.monotonic()
        self._in_time()
        arithmetic = WordArithmetic(self.claim, self.label, self.language)
        root = arithmetic.root()
        settled, left = _by_default(arithmetic, root)
        at_once = node(leaves=[_entry(s, root) for s in settled], split="again" if left else None)
        if not left:
            yield {"tree": self.label}
            yield from in_short_lines(at_once)
            return
        search = LabelSearch(
            _queries(arithmetic, left),
            BabOptions(cut_states=self.language.deterministic, attack=False),
            closed=Spooled(),
        )
        if not self._searched(search, min(self.deadline, time.monotonic() + PATIENCE)):
            if (many_layers or self.language.size <= WORTH * self.left) and self._run(self.left):
                yield {"run": self.label}
                return
            if not self._searched(search, self.deadline):
                raise TimeoutError("out of time while proving")
        ended = time.monotonic()
        minimising = MINIMISING * max(1.0, ended - started) if self.kept else 0.0
        yield {"tree": self.label}
        if settled:  # a node of its own: these leaves rest on the root's first bounds, not on the search's
            yield from in_short_lines(at_once)
        yield from self._written(search, arithmetic, left, ended + minimising)

    def _run(self, most: int) -> bool:
        """Say whether the label's words can be left to be run."""
        try:
            self.followed = run_words(
                self.claim, self.label, self.language, min(most, self.left), self._in_time
            )
        except ProofTooLarge:
            return False
        except Rejected as why:
            raise Unproved(f"{why}, of label {self.claim.decision.labels[self.label]!r}") from None
        return True

    def _in_time(self) -> None:
        """Raise TimeoutError after the deadline."""
        if time.monotonic() > self.deadline:
            raise TimeoutError("out of time while proving")

    def _searched(self, search: LabelSearch, deadline: float) -> bool:
        """Run the search until `deadline`; say whether it proved the label.  Raises Unproved."""
        name = self.claim.decision.labels[self.label]
        outcome = search.run(
            deadline,
            lambda said, cells: self.progress(
                f"proof, label {name!r}: {said.nodes} nodes, {cells} subdomains open"
            ),
        )
        if outcome.words:
            raise Unproved(
                f"network and program differ on {list(self.claim.domain.unpadded(outcome.words[0]))}"
            )
        return outcome.proved

    def _written(
        self, search: LabelSearch, arithmetic: WordArithmetic, rivals: list[int], until: float
    ) -> Iterator[Line]:
        """Write the search's tree, subdomain by subdomain, in the checker's order and with its bounds.

        rivals: the rivals that the search's targets stand for.
        until: a time of `time.monotonic()`, at which minimising stops.
        """
        root, bounds = arithmetic.root(), []
        for row, sign, multipliers in search.presolve_bounds:
            below, above, _ = _integers(multipliers)
            usual = root.defaults
            bounds.append([row, sign, changes(below, usual[0]), changes(above, usual[1])])
            root = arithmetic.bounded(root, row, sign, below, above)
        stack: list[tuple[int, WordRegion]] = [(0, root)]
        while stack:
            number, region = stack.pop()
            leaves = search.closed.of(number)
            found = [_settled(leaf, rivals, arithmetic) for leaf in leaves if not leaf.looked]
            entries = [_entry(s, region) for s in minimised(arithmetic, region, found, until)]
            first = number == 0
            written = node(tighten=not first, bounds=bounds if first else [], leaves=entries)
            if number in search.cuts:
                how, *names = search.cuts[number]
                values = list(how.values)
                if how.kind == "state":
                    values = sorted(arithmetic.order[how.place].index(v) for v in values)
                written["split"] = [how.kind, how.place, values]
                halves = arithmetic.halves(region, how.kind, how.place, how.values)
                inside, outside = (
                    (name, arithmetic.tightened(half)) for name, half in zip(names, halves, strict=True)
                )
                stack += [outside, inside]
            elif any(leaf.looked for leaf in leaves):  # the region's only word was run
                written["split"] = "run"
            yield from in_short_lines(written)


def _by_default(arithmetic: WordArithmetic, root: WordRegion) -> tuple[list[SettledPhases], list[int]]:
    """Return the rivals that the root's bounds settle by slopes that need no search, and the others."""
    settled, left = [], list(range(len(arithmetic.rows)))
    below, above, none = root.defaults
    for slopes in ((below, above), (none, none)):  # slopes of 0 give the bounds of interval arithmetic
        leaves = [ProofLeaf(rival, (), ONCE, *slopes, none) for rival in left]
        shown = arithmetic.holds(root, leaves) if leaves else []
        settled += [
            SettledPhases(leaf.target, (), leaf) for leaf, holds in zip(leaves, shown, strict=True) if holds
        ]
        left = [rival for rival, holds in zip(left, shown, strict=True) if not holds]
    return settled, left


def _queries(arithmetic: WordArithmetic, rivals: list[int]) -> list[Dense]:
    """Make one query per rival for the search, in the checker's own rows."""
    language, built = arithmetic.language, arithmetic.built
    rows, k = built.rows, len(built.lower)
    wanted = [k + rival for rival in rivals]
    bounds = RowRegion(built.lower, built.upper)
    uppers, downs = (proved_upper(language, rows, wanted, sign, bounds) for sign in (1, -1))
    shape = (-1, language.length, language.symbol_count)
    queries = []
    for row, high, low in zip(wanted, uppers, downs, strict=True):
        chosen = [*range(k), row]
        lower = integer_array([*map(int, built.lower), -low])
        upper = integer_array([*map(int, built.upper), high])
        symbols = rows.symbols[chosen].reshape(shape)
        queries.append(
            Dense(language, symbols, rows.relus[chosen], rows.constant[chosen], lower, upper, rows.layer)
        )
    return queries


def _settled(leaf: SettledNode, rivals: list[int], arithmetic: WordArithmetic) -> SettledPhases:
    """Convert a leaf of the search to the checker's units."""
    rival = rivals[leaf.target - len(arithmetic.built.lower)]
    if leaf.multipliers is None:
        return SettledPhases(rival, leaf.phases, None)
    below, above, beta = _integers(leaf.multipliers)
    return SettledPhases(rival, leaf.phases, ProofLeaf(rival, leaf.phases, ONCE, below, above, beta))


def _integers(given: Multipliers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Round multipliers to the units of proofs."""
    below, above, beta = (np.rint(m / STEP).astype(np.int64) for m in (given.below, given.above, given.beta))
    return below, above, beta


def _entry(settled: SettledPhases, region: WordRegion) -> list[Any]:
    """Write settled phases as an entry of a proof."""
    return leaf_entry(settled.rival, settled.phases, settled.leaf, region)
