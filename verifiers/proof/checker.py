"""Checks a proof: rebuilds everything from the claim, believes multipliers only as far as exact arithmetic goes.

The trusted base is this file, `network_rows.py`, `format.py` and the torch-free part of `models`.  No solver, no torch, no floating
point in any decision.  docs/proof-format.md specifies what is checked here; a proof is accepted only if every word of every label is
covered by parts in which every rival is shown to lose.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...models.automaton import Automaton, trimmed
from ...models.claim import Claim
from ...models.float32 import exact_in_float32
from ...models.network import integer_array
from .format import FORMAT, LimitReached, Rejected
from .network_rows import GRID, ONE, Asked, Built, build, proved_upper, upper_bounds

Phases = tuple[tuple[int, int], ...]
ENUMERATED = 100_000  # words that one proof may leave to be run one by one
PARTS = 1_000_000
DEPTH = 10_000
BITS = 128  # of a multiplier


@dataclass(frozen=True)
class Accepted:
    """What was checked: parts of the words, settled nodes in them, words that were run."""

    parts: int
    leaves: int
    enumerated: int
    exact_in_float32: bool


@dataclass(eq=False)
class _Part:
    """Some words of a label: masks on the label's automaton, its trimmed automaton, bounds (k,) of the ReLUs on it."""

    symbols: np.ndarray  # (length, symbols) bool: allowed
    states: tuple[np.ndarray, ...]  # per layer (states,) bool
    language: Automaton
    lower: np.ndarray
    upper: np.ndarray
    known: tuple[frozenset[Phases], ...]  # per rival: settled here or in a part around it
    depth: int = 0


@dataclass(eq=False)
class _Checker:
    claim: Claim
    lines: Iterator[dict[str, Any]]
    progress: Callable[[str], None]
    deadline: float = math.inf  # time.monotonic
    digests: bool = True  # off: in tests only, so that a digest is not all that stands between a mutant and a false proof
    parts: int = 0
    leaves: int = 0
    enumerated: int = 0
    number: int = 0
    order: tuple[tuple[int, ...], ...] = ()  # the states of the label's automaton, as proofs number them

    def run(self) -> Accepted:
        exact = exact_in_float32(self.claim.network, self.claim.domain.positions).ok
        header = self._next("the first line", {"format", "claim", "network", "program", "domain", "exact_in_float32"})
        if header["format"] != FORMAT:
            raise self._no(f"the format is not {FORMAT!r}")
        claim = self.claim
        digests = {"claim": claim.digest, "network": claim.network.digest, "program": claim.program.digest, "domain": claim.domain.digest}
        for name, digest in digests.items():
            if self.digests and header[name] != digest:
                raise self._no(f"it is a proof about another {name}")
        if header["exact_in_float32"] is not exact and self.digests:
            raise self._no(f"exact_in_float32 is {exact}, not what the proof says")
        for label in range(len(claim.decision.labels)):
            language = claim.language.restricted(label)
            if not language.empty and claim.decision.rivals(label):
                self._label(label, language)
        end = self._next("the last line", {"end"})
        if end["end"] is not True or next(self.lines, None) is not None:
            raise self._no("it does not end where it should")
        return Accepted(self.parts, self.leaves, self.enumerated, exact)

    # -- lines ------------------------------------------------------------------------------------------------

    def _next(self, what: str, keys: set[str]) -> dict[str, Any]:
        self.number += 1
        if time.monotonic() > self.deadline:
            raise LimitReached(f"out of time at line {self.number}")
        line = next(self.lines, None)
        if line is None:
            raise self._no(f"{what} is missing")
        if set(line) != keys:
            raise self._no(f"{what} has not just {', '.join(sorted(keys))}")
        return line

    def _no(self, why: str) -> Rejected:
        return Rejected(f"line {self.number}: {why}")

    def _list(self, value: Any, length: int | None = None) -> list[Any]:
        if not isinstance(value, list) or (length is not None and len(value) != length):
            raise self._no("a list is not what it should be")
        return value

    def _integers(self, value: Any, length: int | None = None, most: int = 1 << BITS) -> list[int]:
        if any(type(v) is not int or abs(v) > most for v in self._list(value, length)):
            raise self._no("a number is not what it should be")
        return list(value)

    # -- one label ----------------------------------------------------------------------------------------------

    def _label(self, label: int, language: Automaton) -> None:
        line = self._next("a label", {"label", "by", "bounds"})
        if type(line["label"]) is not int or line["label"] != label or line["by"] not in ("enumeration", "parts"):
            raise self._no(f"label {label} should follow")
        if line["by"] == "enumeration":
            return self._enumerate(label, language)
        self.order = language.canonical()
        built = build(self.claim, label, language)
        k, rivals = len(built.lower), len(self.claim.decision.rivals(label))
        everything = tuple(np.ones(size, dtype=bool) for size in language.layer_sizes)
        symbols = np.ones((language.length, language.symbol_count), dtype=bool)
        root = _Part(symbols, everything, language, built.lower, built.upper, (frozenset(),) * rivals)
        self._improve(built, root, line["bounds"])
        uppers = proved_upper(language, built.rows, list(range(k, k + rivals)), 1, root.lower, root.upper)
        root.known = tuple(frozenset({()}) if upper < 0 else frozenset() for upper in uppers)
        stack = [root]
        while stack:
            stack += self._part(label, language, built, stack.pop())

    def _enumerate(self, label: int, language: Automaton) -> None:
        self.enumerated += language.size
        if self.enumerated > ENUMERATED:
            raise self._no(f"it leaves more than {ENUMERATED} words to be run one by one")
        for words, _ in language.words():
            if (self.claim.network_labels(words) != label).any():
                raise self._no(f"the network errs on a word of label {label}")

    def _improve(self, built: Built, root: _Part, given: Any) -> None:
        """Better bounds of ReLUs on all words, by multipliers of the proof; in order, so that later ones stand on earlier ones."""
        k = len(built.lower)
        for entry in self._list(given):
            row, sign, below, above = self._list(entry, 4)
            if type(row) is not int or not 0 <= row < k or sign not in (1, -1) or type(sign) is not int:
                raise self._no("bounds name no ReLU")
            none = np.zeros(k, dtype=np.int64)
            asked = self._asked([(row, sign, (), self._slopes(below, k), self._slopes(above, k), none)], root)
            n, e = upper_bounds(root.language, built.rows, asked)[0]
            if sign > 0:
                root.upper = _replaced(root.upper, row, min(int(root.upper[row]), n >> e))
            else:
                root.lower = _replaced(root.lower, row, max(int(root.lower[row]), -(n >> e)))

    def _part(self, label: int, language: Automaton, built: Built, part: _Part) -> list[_Part]:
        """Check what is settled in the part; the parts that it is cut into, or none where everything is settled."""
        line = self._next("a part", {"closed", "cut"})
        self.parts += 1
        if self.parts > PARTS or part.depth > DEPTH:
            raise self._no("there are too many parts")
        if self.parts % 100 == 0:
            self.progress(f"{self.parts} parts, {self.leaves} leaves checked")
        known = [set(phases) for phases in part.known]
        for rival, phases in self._closed(built, part, label, line["closed"]):
            known[rival].add(phases)
        part.known = tuple(map(frozenset, known))
        if line["cut"] is None:
            if not part.language.empty and not all(covers(phases) for phases in part.known):
                raise self._no("a part is left open")
            return []
        kind, place, values = self._list(line["cut"], 3)
        chosen = self._integers(values)
        if kind not in ("state", "symbol") or type(place) is not int or place < 0:
            raise self._no("a cut is not what it should be")
        inside, outside = self._cut(language, part, kind, place, chosen)
        return [self._bounded(built, part, outside), self._bounded(built, part, inside)]  # the one that follows first is on top

    def _cut(self, language: Automaton, part: _Part, kind: str, place: int, chosen: list[int]) -> tuple[_Part, _Part]:
        """The part's words with one of these states or symbols at the place, and its other words."""
        if kind == "state" and not language.deterministic:
            raise self._no("states are cut of an automaton that is not deterministic")
        sizes = language.layer_sizes if kind == "state" else (language.symbol_count,) * language.length
        if place >= len(sizes) or any(not 0 <= v < sizes[place] for v in chosen):
            raise self._no("a cut names what is not there")
        here = np.zeros(sizes[place], dtype=bool)
        here[[self.order[place][v] for v in chosen] if kind == "state" else chosen] = True
        found = []
        for keep in (here, ~here):
            symbols, states = part.symbols.copy(), list(part.states)
            if kind == "state":
                states[place] = states[place] & keep
            else:
                symbols[place] &= keep
            found.append(
                _Part(symbols, tuple(states), _restricted(language, symbols, states), part.lower, part.upper, part.known, part.depth + 1)
            )
        return found[0], found[1]

    def _bounded(self, built: Built, parent: _Part, part: _Part) -> _Part:
        """With every ReLU's bounds proved anew on the part's words, layer by layer."""
        if part.language.empty:
            return part
        for first, end in built.rows.groups():
            chosen = [j for j in range(first, end) if part.lower[j] < 0 < part.upper[j]]
            if not chosen:
                continue
            uppers = proved_upper(part.language, built.rows, chosen, 1, part.lower, part.upper, intervals=False)
            lowers = proved_upper(part.language, built.rows, chosen, -1, part.lower, part.upper, intervals=False)
            for j, up, down in zip(chosen, uppers, lowers, strict=True):
                part.upper = _replaced(part.upper, j, min(int(part.upper[j]), up))
                part.lower = _replaced(part.lower, j, max(int(part.lower[j]), -down))
        return part

    # -- what is settled in a part --------------------------------------------------------------------------------

    def _closed(self, built: Built, part: _Part, label: int, closed: Any) -> Iterable[tuple[int, Phases]]:
        k, rivals = len(built.lower), len(self.claim.decision.rivals(label))
        found: list[tuple[int, Phases]] = []
        bounded: list[tuple[int, int, Phases, np.ndarray, np.ndarray, np.ndarray]] = []
        for leaf in self._list(closed):
            self.leaves += 1
            rival, flat, evidence = self._list(leaf, 3)
            if type(rival) is not int or not 0 <= rival < rivals:
                raise self._no("a leaf names no rival")
            phases = tuple((abs(v) - 1, 1 if v > 0 else -1) for v in self._integers(flat, most=k))
            if any(j < 0 for j, _ in phases):
                raise self._no("a leaf names no ReLU")
            if evidence == "looked":
                self._looked(part, label)
            elif evidence is None:
                if not part.language.empty and not any(part.upper[j] < 0 if p > 0 else part.lower[j] > 0 for j, p in phases):
                    raise self._no("a leaf is said to have no words, which the bounds do not show")
            else:
                below, above, beta = self._list(evidence, 3)
                multipliers = integer_array(self._integers(beta, k))
                if (multipliers < 0).any():
                    raise self._no("a beta is negative")
                bounded.append((k + rival, 1, phases, self._slopes(below, k), self._slopes(above, k), multipliers))
            found.append((rival, phases))
        if bounded and not part.language.empty:
            for n, _ in upper_bounds(part.language, built.rows, self._asked(bounded, part)):
                if n >= 0:
                    raise self._no("a leaf's bound is not negative")
        return found

    def _looked(self, part: _Part, label: int) -> None:
        """Evidence by running: on the single word of a part."""
        if part.language.size > 1:
            raise self._no("a leaf looks at one word where there are more")
        for words, _ in part.language.words():
            if (self.claim.network_labels(words) != label).any():
                raise self._no("the network errs on a word that was looked at")

    def _slopes(self, value: Any, k: int) -> np.ndarray:
        slopes = self._integers(value, k)
        if any(not 0 <= v <= ONE for v in slopes):
            raise self._no(f"a slope is not in 0 .. 2**{GRID}")
        return integer_array(slopes)

    def _asked(self, wanted: list[tuple[int, int, Phases, np.ndarray, np.ndarray, np.ndarray]], part: _Part) -> Asked:
        """Phases come from the part's bounds, and from the leaf where these leave a ReLU open."""
        by_bounds = np.where(part.lower >= 0, 1, np.where(part.upper <= 0, -1, 0)).astype(np.int64)
        phase = np.tile(by_bounds, (len(wanted), 1))
        for f, (_, _, phases, *_) in enumerate(wanted):
            for j, p in phases:
                phase[f, j] = p
        rows, signs = (np.array([w[i] for w in wanted], dtype=np.int64) for i in (0, 1))
        below, above, beta = (np.stack([w[i] for w in wanted]) for i in (3, 4, 5))
        lower, upper = (np.tile(b, (len(wanted), 1)) for b in (part.lower, part.upper))
        return Asked(rows, signs, below, above, beta, phase, lower, upper)


def _replaced(bounds: np.ndarray, j: int, value: int) -> np.ndarray:
    values = list(map(int, bounds))
    values[j] = value
    return integer_array(values)


def _restricted(language: Automaton, symbols: np.ndarray, states: list[np.ndarray]) -> Automaton:
    """The words that pass allowed states by allowed symbols only (trimmed, possibly empty)."""
    edges = tuple(
        tuple((p, s, n) for p, s, n in layer if symbols[t, s] and states[t][p] and states[t + 1][n])
        for t, layer in enumerate(language.edges)
    )
    labels = tuple(y if states[-1][i] else None for i, y in enumerate(language.labels))
    sizes = language.layer_sizes
    if not language.length:  # one word, the empty one
        return language if all(states[0]) else trimmed(language.symbol_count, sizes, edges, labels)
    return trimmed(language.symbol_count, sizes, edges, labels)


def covers(known: Iterable[Phases]) -> bool:
    """Whether these nodes of a tree of phase splits have every leaf below its root."""
    known = set(known)
    prefixes = {phases[:n] for phases in known for n in range(len(phases) + 1)}
    following: dict[Phases, set[int]] = {}
    for phases in prefixes:
        if phases:
            following.setdefault(phases[:-1], set()).add(phases[-1][0])
    done: dict[Phases, bool] = {}
    for phases in sorted(prefixes, key=len, reverse=True):
        splits = following.get(phases, set())
        done[phases] = phases in known or any(all(done.get((*phases, (j, p)), False) for p in (1, -1)) for j in splits)
    return done.get((), False)


def check_proof(
    claim: Claim,
    lines: Iterable[dict[str, Any]],
    progress: Callable[[str], None] = lambda text: None,
    *,
    deadline: float = math.inf,
    digests: bool = True,
) -> Accepted:
    """Raises Rejected, with one line that says why, where the lines do not prove the claim; LimitReached after `deadline`."""
    return _Checker(claim, iter(lines), progress, deadline, digests).run()
