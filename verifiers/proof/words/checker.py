"""Checks proofs about words: the arithmetic of one label's words, and a claim's labels as roots of a proof.

The trusted base of proofs about words is this file with `network_rows.py` and `sweep.py`, the tree reader
(`tree.py`, `region.py`, `lines.py`, `format.py`), and the torch-free part of `models`.  Everything is rebuilt
from the claim.  A proof supplies splits and multipliers only, and exact integers compute what they show.  No
solver and no torch is used, and no decision depends on floating point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ....models.automata.automaton import Automaton, trimmed
from ....models.claims.word_claim import WordClaim
from ....models.network.float32 import exact_in_float32
from ....models.network.integers import integer_array
from ..format import WORDS, Rejected
from ..lines import Lines
from ..tree import Accepted, ProofLeaf, read_proof
from .network_rows import Built, RowFunctions, RowRegion, build, proved_upper, upper_bounds
from .sweep import run_words


def check_proof(
    claim: WordClaim,
    lines: Iterable[dict[str, Any]],
    progress: Callable[[str], None] = lambda text: None,
    *,
    deadline: float = math.inf,
    digests: bool = True,
) -> Accepted:
    """Check that the lines prove the claim.

    claim: the claim.
    lines: the proof, one object per line.
    progress: receives one line of text now and then.
    deadline: a time of `time.monotonic()`.
    digests: whether the proof must name the claim's digests.  Off in tests only, so that mutants of a proof
        are tested against the arithmetic and not only against the digests.

    Raises Rejected, with one line that says why, if they do not, and LimitReached after `deadline`.
    """
    exact = exact_in_float32(claim.network, claim.domain.positions).ok
    roots = ((label, WordArithmetic(claim, label, language)) for label, language in labels_to_prove(claim))
    about = digests_of(claim) if digests else {}
    return read_proof(Lines(iter(lines), deadline), WORDS, about, exact, roots, progress)


def digests_of(claim: WordClaim) -> dict[str, str]:
    """Return the digests, by name, that a proof or a witness of the claim has to state."""
    return {
        "claim": claim.digest,
        "network": claim.network.digest,
        "program": claim.program.digest,
        "domain": claim.domain.digest,
    }


def labels_to_prove(claim: WordClaim) -> Iterator[tuple[int, Automaton]]:
    """Yield the labels that have words and rivals, with the automaton of their words."""
    for label in range(len(claim.decision.labels)):
        language = claim.language.restricted(label)
        if not language.empty and claim.decision.rival_count(label):
            yield label, language


@dataclass(frozen=True, eq=False)
class WordRegion(RowRegion):
    """A subdomain of words, with bounds of all ReLUs' arguments on it.

    language: its words; trimmed, possibly empty.
    symbols (length, symbols): which symbols its words may have at each position.
    states (per layer): which states its words may pass.
    """

    language: Automaton
    symbols: np.ndarray
    states: tuple[np.ndarray, ...]

    @property
    def empty(self) -> bool:
        """Say whether the subdomain has no words."""
        return self.language.empty


class WordArithmetic:
    """The arithmetic of one label's words; see `Arithmetic` in `tree.py`.

    Its targets are the rivals.  Each has one row, the rival's lead, which is to be shown negative.
    """

    def __init__(self, claim: WordClaim, label: int, language: Automaton) -> None:
        self.claim, self.label, self.language = claim, label, language
        self.rows: Sequence[int] = (1,) * claim.decision.rival_count(label)

    @cached_property
    def built(self) -> Built:
        """Build the label's rows, once."""
        return build(self.claim, self.label, self.language)

    @cached_property
    def order(self) -> tuple[tuple[int, ...], ...]:
        """Return, per layer, the states in the order in which proofs number them."""
        return self.language.canonical() if self.language.deterministic else ()

    def root(self) -> WordRegion:
        """Return the region of all words of the label."""
        symbols = np.ones((self.language.length, self.language.symbol_count), dtype=bool)
        states = tuple(np.ones(size, dtype=bool) for size in self.language.layer_sizes)
        return WordRegion(self.built.lower, self.built.upper, self.language, symbols, states)

    def tightened(self, region: WordRegion) -> WordRegion:
        """Tighten the bounds of all unstable ReLUs, layer by layer, by default multipliers."""
        if region.empty:
            return region
        rows = self.built.rows
        for first, end in rows.groups():
            chosen = [j for j in range(first, end) if region.lower[j] < 0 < region.upper[j]]
            if chosen:
                uppers, downs = (
                    proved_upper(region.language, rows, chosen, sign, region, intervals=False)
                    for sign in (1, -1)
                )
                region = region.better(1, chosen, uppers).better(-1, chosen, downs)
        return region

    def bounded(
        self, region: WordRegion, relu: int, sign: int, below: np.ndarray, above: np.ndarray
    ) -> WordRegion:
        """Bound one ReLU's argument (from above if `sign` is 1, from below if -1) by given slopes."""
        if region.empty:
            return region
        leaf = ProofLeaf(0, (), np.array([sign]), below, above, region.defaults[2])
        ((n, e),) = self._evaluated(region, [relu], [leaf])
        return region.better(sign, [relu], [n >> e])

    def holds(self, region: WordRegion, leaves: Sequence[ProofLeaf]) -> list[bool]:
        """Say, per leaf, whether its multipliers show the rival's lead negative."""
        rows = [len(self.built.lower) + leaf.target for leaf in leaves]
        return [n < 0 for n, _ in self._evaluated(region, rows, leaves)]

    def _evaluated(
        self, region: WordRegion, rows: Sequence[int], leaves: Sequence[ProofLeaf]
    ) -> list[tuple[int, int]]:
        """Bound each row, times its leaf's factor, on all words of the region that have the leaf's phases.

        Returns pairs (n, e); the bound is n / 2**e.
        """
        phase = np.tile(region.phase, (len(leaves), 1))
        for f, leaf in enumerate(leaves):
            for j, p in leaf.phases:
                phase[f, j] = p
        below, above, beta = (
            np.stack([getattr(leaf, name) for leaf in leaves]) for name in ("below", "above", "beta")
        )
        factors = integer_array([leaf.factors[0] for leaf in leaves])
        places = np.array(rows, dtype=np.int64)
        asked = RowFunctions(places, factors, below, above, beta, phase, region)
        return upper_bounds(region.language, self.built.rows, asked)

    def split(self, region: WordRegion, given: Any, lines: Lines) -> tuple[WordRegion, WordRegion]:
        """Read a split from a proof and return its two regions; raise Rejected if it is malformed."""
        kind, place, values = lines.a_list(given, 3)
        if kind not in ("state", "symbol"):
            raise lines.no("a split is neither by states nor by symbols")
        if kind == "state" and not self.language.deterministic:
            raise lines.no("a split by states needs a deterministic automaton")
        lines.integers([place], 0, self.language.length - (kind == "symbol"), "a split's place")
        size = self.language.layer_sizes[place] if kind == "state" else self.language.symbol_count
        chosen = lines.integers(values, 0, size - 1, "a split's symbol or state")
        if kind == "state":
            chosen = [self.order[place][v] for v in chosen]
        return self.halves(region, kind, place, chosen)

    def halves(
        self, region: WordRegion, kind: str, place: int, chosen: Sequence[int]
    ) -> tuple[WordRegion, WordRegion]:
        """Split in two: the words that pass one of the chosen states at a place, and the others.

        kind: "state", or "symbol" for words that have one of the chosen symbols there.
        """
        symbols, states = region.symbols, region.states
        here = np.zeros(len(states[place]) if kind == "state" else symbols.shape[1], dtype=bool)
        here[list(chosen)] = True
        found = []
        for keep in (here, ~here):
            if kind == "state":
                states = (*region.states[:place], region.states[place] & keep, *region.states[place + 1 :])
            else:
                symbols = region.symbols.copy()
                symbols[place] &= keep
            language = self._restricted(symbols, states)
            found.append(replace(region, language=language, symbols=symbols, states=states))
        return found[0], found[1]

    def _restricted(self, symbols: np.ndarray, states: tuple[np.ndarray, ...]) -> Automaton:
        whole = self.language
        edges = tuple(
            tuple((p, s, n) for p, s, n in layer if symbols[t, s] and states[t][p] and states[t + 1][n])
            for t, layer in enumerate(whole.edges)
        )
        labels = tuple(y if states[-1][i] else None for i, y in enumerate(whole.labels))
        return trimmed(whole.symbol_count, whole.layer_sizes, edges, labels)

    def run(self, region: WordRegion | None, most: int, lines: Lines) -> int:
        """Run all words of a region, or of the label (None); return how many prefixes were followed.

        Raises Rejected if the network errs on one of them, or if there are more than `most` prefixes.
        """
        language = self.language if region is None else region.language
        if language.empty:
            return 0
        try:
            return run_words(self.claim, self.label, language, most, lines.in_time)
        except Rejected as why:
            raise lines.no(str(why), type(why)) from None
