"""Checks a proof: rebuilds everything from the claim, believes multipliers only as far as exact arithmetic goes.

The trusted base is this file with `parts.py`, `network_rows.py`, `sweep.py` and `format.py`, and the torch-free part of `models`.  No
solver, no torch, no floating point in any decision.  docs/reference/proof-format.md specifies what is checked here; a proof is accepted only if
every word of every label is covered by parts in which every rival is shown to lose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ....models.automata.automaton import Automaton
from ....models.claims.word_claim import WordClaim
from ....models.network.float32 import exact_in_float32
from ....models.network.integers import integer_array
from ..format import FORMAT, Rejected, TooMuch
from ..lines import BITS, Lines, Phases, covers
from .network_rows import ONE, Built, build, proved_upper
from .parts import Bound, Part, bounded, cut, evaluated, excluded, whole
from .sweep import run_words

RUN = 2_000_000  # prefixes that one proof may leave to be run
PARTS = 1_000_000
DEPTH = 10_000

Known = tuple[frozenset[Phases], ...]  # per rival: what is settled in a part or in one around it


@dataclass(frozen=True)
class Accepted:
    """What was checked: parts of the words, settled nodes in them, prefixes that were run."""

    parts: int
    leaves: int
    run: int
    exact_in_float32: bool


def check_proof(
    claim: WordClaim,
    lines: Iterable[dict[str, Any]],
    progress: Callable[[str], None] = lambda text: None,
    *,
    deadline: float = math.inf,
    digests: bool = True,
) -> Accepted:
    """Raises Rejected, with one line that says why, where the lines do not prove the claim; LimitReached after `deadline`.

    `deadline`: of time.monotonic().  `digests`: off in tests only, so that a digest is not all that stands between a mutant and a false proof.
    """
    return _Checker(claim, Lines(iter(lines), deadline), progress, digests).run()


@dataclass(eq=False)
class _Checker:
    claim: WordClaim
    lines: Lines
    progress: Callable[[str], None]
    digests: bool
    parts: int = 0
    leaves: int = 0
    followed: int = 0

    def run(self) -> Accepted:
        claim = self.claim
        exact = exact_in_float32(claim.network, claim.domain.positions).ok
        header = self.lines.line(
            "the first line", {"format", "claim", "network", "program", "domain", "exact_in_float32"}
        )
        if header["format"] != FORMAT:
            raise self.lines.no(f"the format is not {FORMAT!r}")
        digests = {
            "claim": claim.digest,
            "network": claim.network.digest,
            "program": claim.program.digest,
            "domain": claim.domain.digest,
        }
        for name, digest in digests.items():
            if self.digests and header[name] != digest:
                raise self.lines.no(f"it is a proof about another {name}")
        if header["exact_in_float32"] is not exact and self.digests:
            raise self.lines.no(f"exact_in_float32 is {exact}, not what the proof says")
        for label in range(len(claim.decision.labels)):
            language = claim.language.restricted(label)
            if not language.empty and claim.decision.rival_count(label):
                self._label(label, language)
        self.lines.end()
        return Accepted(self.parts, self.leaves, self.followed, exact)

    # -- one label ----------------------------------------------------------------------------------------------

    def _label(self, label: int, language: Automaton) -> None:
        line = self.lines.line("a label", {"label", "by", "bounds"})
        if type(line["label"]) is not int or line["label"] != label or line["by"] not in ("run", "parts"):
            raise self.lines.no(f"label {label} should follow")
        if line["by"] == "run":
            self.lines.a_list(line["bounds"], 0)
            return self._run(label, language)
        order = language.canonical() if language.deterministic else ()
        built, rivals = build(self.claim, label, language), len(self.claim.decision.rivals(label))
        k = len(built.lower)
        root = self._improved(built, whole(language, built), line["bounds"])
        uppers = proved_upper(language, built.rows, list(range(k, k + rivals)), 1, root.lower, root.upper)
        stack: list[tuple[Part, Known, int]] = [
            (root, tuple(frozenset({()} if upper < 0 else ()) for upper in uppers), 0)
        ]
        while stack:
            part, known, depth = stack.pop()
            line = self.lines.line("a part", {"closed", "cut"})
            self.parts += 1
            if self.parts > PARTS or depth > DEPTH:
                raise TooMuch(str(self.lines.no("there are too many parts")))
            if self.parts % 100 == 0:
                self.progress(f"{self.parts} parts, {self.leaves} leaves checked")
            known = self._closed(built, part, known, line["closed"])
            if line["cut"] is None:
                if not part.language.empty and not all(map(covers, known)):
                    raise self.lines.no("a part is left open")
            elif line["cut"] == "run":
                self._run(label, part.language)
            else:
                halves = cut(language, part, *self._places(language, order, line["cut"]))
                stack += [
                    (bounded(built, half), known, depth + 1) for half in reversed(halves)
                ]  # the one that follows first is on top

    def _run(self, label: int, language: Automaton) -> None:
        if not language.empty:
            try:
                self.followed += run_words(
                    self.claim, label, language, RUN - self.followed, self.lines.in_time
                )
            except Rejected as why:
                raise type(why)(str(self.lines.no(str(why)))) from None

    def _improved(self, built: Built, root: Part, given: Any) -> Part:
        """Better bounds of ReLUs on all words, by multipliers of the proof; in order, so that later ones stand on earlier ones."""
        lower, upper = root.lower.astype(object), root.upper.astype(object)
        for entry in self.lines.a_list(given):
            row, sign, below, above = self.lines.a_list(entry, 4)
            self.lines.integers([row], 0, len(lower) - 1, "a bound's ReLU")
            if type(sign) is not int or sign not in (1, -1):
                raise self.lines.no("a bound is neither above nor below")
            now = Part(root.language, root.symbols, root.states, integer_array(lower), integer_array(upper))
            a, b, c = now.defaults
            bound = Bound(
                row, sign, (), self.lines.multipliers(below, a, ONE), self.lines.multipliers(above, b, ONE), c
            )
            n, e = evaluated(built, now, [bound])[0]
            if sign > 0:
                upper[row] = min(upper[row], n >> e)
            else:
                lower[row] = max(lower[row], -(n >> e))
        return Part(root.language, root.symbols, root.states, integer_array(lower), integer_array(upper))

    def _places(
        self, language: Automaton, order: Sequence[tuple[int, ...]], given: Any
    ) -> tuple[str, int, list[int]]:
        """A cut, with states as our automaton numbers them."""
        kind, place, values = self.lines.a_list(given, 3)
        if kind not in ("state", "symbol"):
            raise self.lines.no("a cut is neither by states nor by symbols")
        if kind == "state" and not language.deterministic:
            raise self.lines.no("states are cut of an automaton that is not deterministic")
        self.lines.integers([place], 0, language.length - (kind == "symbol"), "a cut's place")
        size = language.layer_sizes[place] if kind == "state" else language.symbol_count
        chosen = self.lines.integers(values, 0, size - 1, "what is cut off")
        return kind, place, [order[place][v] for v in chosen] if kind == "state" else chosen

    # -- what is settled in a part --------------------------------------------------------------------------------

    def _closed(self, built: Built, part: Part, known: Known, closed: Any) -> Known:
        k, found = len(built.lower), [set(phases) for phases in known]
        bounds: list[Bound] = []
        defaults = part.defaults
        for leaf in self.lines.a_list(closed):
            self.leaves += 1
            rival, flat, evidence = self.lines.a_list(leaf, 3)
            self.lines.integers([rival], 0, len(known) - 1, "a leaf's rival")
            phases = self.lines.phases(flat, k)
            if evidence is not None:
                given = [
                    self.lines.multipliers(*values)
                    for values in zip(
                        self.lines.a_list(evidence, 3), defaults, (ONE, ONE, 1 << BITS), strict=True
                    )
                ]
                bounds.append(Bound(k + rival, 1, phases, *given))
            elif not excluded(part, phases):
                raise self.lines.no("a leaf is said to have no words, which the bounds do not show")
            found[rival].add(phases)
        if bounds and not part.language.empty and any(n >= 0 for n, _ in evaluated(built, part, bounds)):
            raise self.lines.no("a leaf's bound is not negative")
        return tuple(map(frozenset, found))
