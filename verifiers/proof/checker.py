"""Checks a proof: rebuilds everything from the claim, believes multipliers only as far as exact arithmetic goes.

The trusted base is this file with `parts.py`, `network_rows.py`, `sweep.py` and `format.py`, and the torch-free part of `models`.  No
solver, no torch, no floating point in any decision.  docs/proof-format.md specifies what is checked here; a proof is accepted only if
every word of every label is covered by parts in which every rival is shown to lose.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...models.automaton import Automaton
from ...models.claim import Claim
from ...models.float32 import exact_in_float32
from ...models.network import integer_array
from .format import FORMAT, LimitReached, Rejected
from .network_rows import ONE, Built, build, proved_upper
from .parts import Bound, Part, Phases, bounded, cut, evaluated, excluded, whole
from .sweep import run_words

RUN = 2_000_000  # prefixes that one proof may leave to be run
PARTS = 1_000_000
DEPTH = 10_000
BITS = 128  # of a multiplier

Known = tuple[frozenset[Phases], ...]  # per rival: what is settled in a part or in one around it


@dataclass(frozen=True)
class Accepted:
    """What was checked: parts of the words, settled nodes in them, prefixes that were run."""

    parts: int
    leaves: int
    run: int
    exact_in_float32: bool


def check_proof(
    claim: Claim,
    lines: Iterable[dict[str, Any]],
    progress: Callable[[str], None] = lambda text: None,
    *,
    deadline: float = math.inf,
    digests: bool = True,
) -> Accepted:
    """Raises Rejected, with one line that says why, where the lines do not prove the claim; LimitReached after `deadline`.

    `deadline`: of time.monotonic().  `digests`: off in tests only, so that a digest is not all that stands between a mutant and a false proof.
    """
    return _Checker(claim, iter(lines), progress, deadline, digests).run()


@dataclass(eq=False)
class _Checker:
    claim: Claim
    lines: Iterator[dict[str, Any]]
    progress: Callable[[str], None]
    deadline: float
    digests: bool
    parts: int = 0
    leaves: int = 0
    followed: int = 0
    number: int = 0  # of the line

    def run(self) -> Accepted:
        claim = self.claim
        exact = exact_in_float32(claim.network, claim.domain.positions).ok
        header = self._next("the first line", {"format", "claim", "network", "program", "domain", "exact_in_float32"})
        if header["format"] != FORMAT:
            raise self._no(f"the format is not {FORMAT!r}")
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
        if self._next("the last line", {"end"})["end"] is not True or next(self.lines, None) is not None:
            raise self._no("it does not end where it should")
        return Accepted(self.parts, self.leaves, self.followed, exact)

    # -- lines ------------------------------------------------------------------------------------------------

    def _in_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise LimitReached(f"out of time at line {self.number}")

    def _next(self, what: str, keys: set[str]) -> dict[str, Any]:
        self.number += 1
        self._in_time()
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

    def _integers(self, value: Any, low: int, high: int, what: str) -> list[int]:
        for v in self._list(value):
            if type(v) is not int or not low <= v <= high:
                raise self._no(f"{what} is not in {low} .. {high}")
        return list(value)

    def _multipliers(self, value: Any, default: np.ndarray, most: int) -> np.ndarray:
        """[ReLU, multiplier, ReLU, multiplier, ...] where they are not the default."""
        pairs = self._list(value)
        relus = self._integers(pairs[::2], 0, len(default) - 1, "a multiplier's ReLU")
        given = self._integers(pairs[1::2], 0, most, "a multiplier")
        if len(relus) != len(given):
            raise self._no("a multiplier is missing")
        values = list(map(int, default))
        for j, v in zip(relus, given, strict=True):
            values[j] = v
        return integer_array(values)

    # -- one label ----------------------------------------------------------------------------------------------

    def _label(self, label: int, language: Automaton) -> None:
        line = self._next("a label", {"label", "by", "bounds"})
        if type(line["label"]) is not int or line["label"] != label or line["by"] not in ("run", "parts"):
            raise self._no(f"label {label} should follow")
        if line["by"] == "run":
            self._list(line["bounds"], 0)
            return self._run(label, language)
        order = language.canonical() if language.deterministic else ()
        built, rivals = build(self.claim, label, language), len(self.claim.decision.rivals(label))
        k = len(built.lower)
        root = self._improved(built, whole(language, built), line["bounds"])
        uppers = proved_upper(language, built.rows, list(range(k, k + rivals)), 1, root.lower, root.upper)
        stack: list[tuple[Part, Known, int]] = [(root, tuple(frozenset({()} if upper < 0 else ()) for upper in uppers), 0)]
        while stack:
            part, known, depth = stack.pop()
            line = self._next("a part", {"closed", "cut"})
            self.parts += 1
            if self.parts > PARTS or depth > DEPTH:
                raise self._no("there are too many parts")
            if self.parts % 100 == 0:
                self.progress(f"{self.parts} parts, {self.leaves} leaves checked")
            known = self._closed(built, part, known, line["closed"])
            if line["cut"] is None:
                if not part.language.empty and not all(map(covers, known)):
                    raise self._no("a part is left open")
            elif line["cut"] == "run":
                self._run(label, part.language)
            else:
                halves = cut(language, part, *self._places(language, order, line["cut"]))
                stack += [(bounded(built, half), known, depth + 1) for half in reversed(halves)]  # the one that follows first is on top

    def _run(self, label: int, language: Automaton) -> None:
        if not language.empty:
            try:
                self.followed += run_words(self.claim, label, language, RUN - self.followed, self._in_time)
            except Rejected as why:
                raise self._no(str(why)) from None

    def _improved(self, built: Built, root: Part, given: Any) -> Part:
        """Better bounds of ReLUs on all words, by multipliers of the proof; in order, so that later ones stand on earlier ones."""
        lower, upper = root.lower.astype(object), root.upper.astype(object)
        for entry in self._list(given):
            row, sign, below, above = self._list(entry, 4)
            self._integers([row], 0, len(lower) - 1, "a bound's ReLU")
            if type(sign) is not int or sign not in (1, -1):
                raise self._no("a bound is neither above nor below")
            now = Part(root.language, root.symbols, root.states, integer_array(lower), integer_array(upper))
            a, b, c = now.defaults
            bound = Bound(row, sign, (), self._multipliers(below, a, ONE), self._multipliers(above, b, ONE), c)
            n, e = evaluated(built, now, [bound])[0]
            if sign > 0:
                upper[row] = min(upper[row], n >> e)
            else:
                lower[row] = max(lower[row], -(n >> e))
        return Part(root.language, root.symbols, root.states, integer_array(lower), integer_array(upper))

    def _places(self, language: Automaton, order: Sequence[tuple[int, ...]], given: Any) -> tuple[str, int, list[int]]:
        """A cut, with states as our automaton numbers them."""
        kind, place, values = self._list(given, 3)
        if kind not in ("state", "symbol"):
            raise self._no("a cut is neither by states nor by symbols")
        if kind == "state" and not language.deterministic:
            raise self._no("states are cut of an automaton that is not deterministic")
        self._integers([place], 0, language.length - (kind == "symbol"), "a cut's place")
        size = language.layer_sizes[place] if kind == "state" else language.symbol_count
        chosen = self._integers(values, 0, size - 1, "what is cut off")
        return kind, place, [order[place][v] for v in chosen] if kind == "state" else chosen

    # -- what is settled in a part --------------------------------------------------------------------------------

    def _closed(self, built: Built, part: Part, known: Known, closed: Any) -> Known:
        k, found = len(built.lower), [set(phases) for phases in known]
        bounds: list[Bound] = []
        defaults = part.defaults
        for leaf in self._list(closed):
            self.leaves += 1
            rival, flat, evidence = self._list(leaf, 3)
            self._integers([rival], 0, len(known) - 1, "a leaf's rival")
            phases = tuple((abs(v) - 1, 1 if v > 0 else -1) for v in self._integers(flat, -k, k, "a leaf's ReLU"))
            if any(j < 0 for j, _ in phases):
                raise self._no("a leaf names no ReLU")
            if evidence is not None:
                given = [
                    self._multipliers(*values) for values in zip(self._list(evidence, 3), defaults, (ONE, ONE, 1 << BITS), strict=True)
                ]
                bounds.append(Bound(k + rival, 1, phases, *given))
            elif not excluded(part, phases):
                raise self._no("a leaf is said to have no words, which the bounds do not show")
            found[rival].add(phases)
        if bounds and not part.language.empty and any(n >= 0 for n, _ in evaluated(built, part, bounds)):
            raise self._no("a leaf's bound is not negative")
        return tuple(map(frozenset, found))


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
