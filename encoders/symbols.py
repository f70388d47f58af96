"""Which symbols of a position behave alike: for the program (one group of arcs), and for the network too (one symbol).

Used by `formula.py`.  Both are said of one position at a time, and exactly: at position t two symbols are in one group iff
they lead from the same states to the same states, and twins iff no row of the query gives them different weights there either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..models.automata.automaton import Automaton

Arc = tuple[int, int, int]  # state, group, next state


def grouped(
    language: Automaton, together: bool = True
) -> tuple[tuple[tuple[tuple[int, ...], ...], ...], tuple[tuple[Arc, ...], ...]]:
    """Per position, the groups of its symbols in order of their first, and the arcs; each symbol on its own if not `together`."""
    groups, arcs = [], []
    for layer in language.edges:
        moves: dict[int, list[tuple[int, int]]] = {}
        for source, symbol, target in layer:
            moves.setdefault(symbol, []).append((source, target))
        alike: dict[tuple[object, ...], list[int]] = {}
        for symbol in sorted(moves):
            alike.setdefault(tuple(moves[symbol]) if together else (symbol,), []).append(symbol)
        here = tuple(map(tuple, alike.values()))
        groups.append(here)
        arcs.append(
            tuple(
                sorted(
                    (source, g, target) for g, group in enumerate(here) for source, target in moves[group[0]]
                )
            )
        )
    return tuple(groups), tuple(arcs)


def without_twins(
    language: Automaton, rows: Sequence[np.ndarray]
) -> tuple[Automaton, tuple[Mapping[int, tuple[int, ...]], ...]]:
    """The language with one symbol of each set of twins (the first), and per position, for each symbol that has some, the set.

    `rows`: the weights of each linear function, (length * symbol_count,).  Dropping a symbol leaves no state without a path,
    as its twin has the same edges.
    """
    weights = [row.reshape(language.length, language.symbol_count).tolist() for row in rows]
    edges, twins = [], []
    for t, (layer, groups) in enumerate(zip(language.edges, grouped(language)[0], strict=True)):
        kept: dict[tuple[object, ...], list[int]] = {}
        for g, group in enumerate(groups):
            for symbol in group:
                kept.setdefault((g, *(w[t][symbol] for w in weights)), []).append(symbol)
        twins.append(
            {symbol: tuple(symbols) for symbols in kept.values() for symbol in symbols if len(symbols) > 1}
        )
        stay = {symbols[0] for symbols in kept.values()}
        edges.append(tuple(edge for edge in layer if edge[1] in stay))
    return replace(language, edges=tuple(edges)), tuple(twins)
