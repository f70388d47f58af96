"""Symbols that behave alike at a position: for the program (a group), and for the network as well (twins).

Used by `formula.py`.  Two symbols are in one group at position t iff they lead from the same states to the
same states. They are twins iff, besides, no row of the query gives them different weights there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..models.automata.automaton import Automaton

Arc = tuple[int, int, int]  # state, group, next state


def grouped(
    language: Automaton,
) -> tuple[tuple[tuple[tuple[int, ...], ...], ...], tuple[tuple[Arc, ...], ...]]:
    """Return per position the groups of its symbols, ordered by their first symbols, and the arcs."""
    groups, arcs = [], []
    for layer in language.edges:
        moves: dict[int, list[tuple[int, int]]] = {}
        for source, symbol, target in layer:
            moves.setdefault(symbol, []).append((source, target))
        alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
        for symbol in sorted(moves):
            alike.setdefault(tuple(moves[symbol]), []).append(symbol)
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
    """Return the language with only the first symbol of each set of twins, and per position the set of each
    symbol.

    `rows`: the weights of each linear function, (length * symbol_count,).  Only symbols that have twins are
    listed. Dropping a symbol leaves no state without a path, because its twin has the same edges.
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
