"""The exact maximum of linear functions over a language: a dynamic program over its automaton.

This is how bounds take the program and the domain into account.  Used by the encoders' bounds and the proof
checker.
"""

from __future__ import annotations

import numpy as np

from ..network.integers import INT64_SAFE, magnitude
from .automaton import Automaton

CHUNK = 4_000_000  # cells of one dynamic-programming table


def maxima(automaton: Automaton, weights: np.ndarray) -> np.ndarray:
    """Return for each function the exact maximum over the words of sum_t weights[function, t, symbol_t].

    `weights`: integers, (functions, length, symbols).  The language must not be empty.
    """
    count = len(weights)
    reach = sum((magnitude(weights[:, t]) for t in range(automaton.length)), start=0)
    dtype = np.int64 if reach < INT64_SAFE else object
    layers = [np.array(layer, dtype=np.int64).reshape(-1, 3) for layer in automaton.edges]
    step = max(1, CHUNK // max((len(layer) for layer in layers), default=1))
    out = np.zeros(count, dtype=dtype)
    for start in range(0, count, step):
        part = weights[start : start + step].astype(dtype)
        best = np.zeros((len(part), automaton.layer_sizes[-1]), dtype=dtype)
        for t in reversed(range(automaton.length)):
            source, symbol, target = layers[t].T
            first = np.searchsorted(
                source, np.arange(automaton.layer_sizes[t])
            )  # edges are sorted, and every state has one
            best = np.maximum.reduceat(part[:, t, symbol] + best[:, target], first, axis=1)
        out[start : start + step] = best.max(axis=1)
    return out
