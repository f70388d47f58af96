"""Parts of a label's words, and the bounds that hold on them: what a proof cuts, and what its leaves are judged by.

Part of the trusted base.  A part is given by the states and symbols that its words may pass; its bounds of ReLUs are proved by
`network_rows.py`, never taken from the proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....models.automata.automaton import Automaton, trimmed
from ....models.network.integers import integer_array
from ..lines import Phases
from .network_rows import Asked, Built, default_multipliers, proved_upper, upper_bounds


@dataclass(frozen=True, eq=False)
class Part:
    """`language`: its words (trimmed, possibly none).  `symbols` (length, symbols) and `states` (per layer): which are allowed."""

    language: Automaton
    symbols: np.ndarray
    states: tuple[np.ndarray, ...]
    lower: np.ndarray  # (k,)
    upper: np.ndarray  # (k,)

    @property
    def defaults(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Multipliers (below, above, beta) where a proof names none."""
        return (*default_multipliers(self.lower, self.upper), np.zeros(len(self.lower), dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Bound:
    """Row `row` times `sign` is to be bounded from above where ReLUs have these phases, by these multipliers (k,) each."""

    row: int
    sign: int
    phases: Phases
    below: np.ndarray
    above: np.ndarray
    beta: np.ndarray


def whole(language: Automaton, built: Built) -> Part:
    everything = tuple(np.ones(size, dtype=bool) for size in language.layer_sizes)
    return Part(
        language,
        np.ones((language.length, language.symbol_count), dtype=bool),
        everything,
        built.lower,
        built.upper,
    )


def cut(language: Automaton, part: Part, kind: str, place: int, chosen: Sequence[int]) -> tuple[Part, Part]:
    """The part's words that pass one of these states of the label's `language` (have one of these symbols at the place), and the others."""
    here = np.zeros(language.layer_sizes[place] if kind == "state" else language.symbol_count, dtype=bool)
    here[list(chosen)] = True
    found = []
    for keep in (here, ~here):
        symbols, states = part.symbols.copy(), list(part.states)
        if kind == "state":
            states[place] = states[place] & keep
        else:
            symbols[place] &= keep
        found.append(
            replace(
                part, language=_restricted(language, symbols, states), symbols=symbols, states=tuple(states)
            )
        )
    return found[0], found[1]


def _restricted(language: Automaton, symbols: np.ndarray, states: list[np.ndarray]) -> Automaton:
    edges = tuple(
        tuple((p, s, n) for p, s, n in layer if symbols[t, s] and states[t][p] and states[t + 1][n])
        for t, layer in enumerate(language.edges)
    )
    labels = tuple(y if states[-1][i] else None for i, y in enumerate(language.labels))
    return trimmed(language.symbol_count, language.layer_sizes, edges, labels)


def bounded(built: Built, part: Part) -> Part:
    """With every ReLU's bounds proved anew on the part's words, layer by layer."""
    if part.language.empty:
        return part
    lower, upper = part.lower.astype(object), part.upper.astype(object)
    for first, end in built.rows.groups():
        chosen = [j for j in range(first, end) if lower[j] < 0 < upper[j]]
        if not chosen:
            continue
        now = integer_array(lower), integer_array(upper)
        uppers, downs = (
            proved_upper(part.language, built.rows, chosen, sign, *now, intervals=False) for sign in (1, -1)
        )
        upper[chosen] = [min(upper[j], up) for j, up in zip(chosen, uppers, strict=True)]
        lower[chosen] = [max(lower[j], -down) for j, down in zip(chosen, downs, strict=True)]
    return replace(part, lower=integer_array(lower), upper=integer_array(upper))


def excluded(part: Part, phases: Phases) -> bool:
    """Whether the part has no words with these phases, as its bounds show."""
    return part.language.empty or any(part.upper[j] < 0 if p > 0 else part.lower[j] > 0 for j, p in phases)


def evaluated(built: Built, part: Part, wanted: Sequence[Bound]) -> list[tuple[int, int]]:
    """Per bound (n, e): n / 2**e is above the row on all words of the (non-empty) part that have the phases.

    Phases come from the part's bounds, and from `phases` on top; multipliers have to be in their ranges.
    """
    by_bounds = np.where(part.lower >= 0, 1, np.where(part.upper <= 0, -1, 0)).astype(np.int64)
    phase = np.tile(by_bounds, (len(wanted), 1))
    for f, bound in enumerate(wanted):
        for j, p in bound.phases:
            phase[f, j] = p
    rows, signs = (
        np.array(values, dtype=np.int64) for values in ([b.row for b in wanted], [b.sign for b in wanted])
    )
    below, above, beta = (np.stack([getattr(b, name) for b in wanted]) for name in ("below", "above", "beta"))
    lower, upper = (np.tile(b, (len(wanted), 1)) for b in (part.lower, part.upper))
    return upper_bounds(
        part.language, built.rows, Asked(rows, signs, below, above, beta, phase, lower, upper)
    )
