"""Unroll networks that read one position after the other into feed-forward nodes whose numbers stay small.

For `cell.py` and `one_hot.py`.  Interval arithmetic (`models/network/float32.py`) has to show that float32 is
exact.  It does not know that a state stays in its range, so that the intervals of a state that is added up
grow from step to step.  If they get too wide, two ReLUs for each value, which change nothing (`clamped`), cut
them back.
"""

from __future__ import annotations

import numpy as np

from ..claims.domain import Domain
from ..network.integers import integer_array
from ..network.network import Affine, Network, Node, Relu

WIDE = 1 << 14  # the interval that a state may grow to before it is clamped; sums that read it need room


class Unroller:
    """Builds a network node by node, and knows an interval of every value.  Node 0 is the input."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.nodes: list[Node] = []
        self._low: list[np.ndarray] = [np.zeros(domain.input_size, dtype=object)]
        self._high: list[np.ndarray] = [np.ones(domain.input_size, dtype=object)]

    def reads(self, position: int, values: np.ndarray) -> np.ndarray:
        """Return input weights: row i has values[i, symbol] at that position of the sequence."""
        out = np.zeros((len(values), self.domain.positions, len(self.domain.alphabet)), dtype=np.int64)
        out[:, len(self.domain.prefix) + position, : values.shape[1]] = values
        return out.reshape(len(values), -1)

    def affine(self, parts: dict[int, np.ndarray], bias: np.ndarray) -> int:
        """Add a node for the sum of weights @ value(node) over the parts, plus bias."""
        used = {node: np.asarray(w, dtype=np.int64) for node, w in parts.items() if np.any(w)}
        low, high = bias.astype(object), bias.astype(object)
        for node, w in used.items():
            if node == 0:
                grouped = w.reshape(len(w), self.domain.positions, -1)
                low, high = low + grouped.min(axis=2).sum(axis=1), high + grouped.max(axis=2).sum(axis=1)
                continue
            plus, minus = np.maximum(w, 0).astype(object), np.minimum(w, 0).astype(object)
            low = low + plus @ self._low[node] + minus @ self._high[node]
            high = high + plus @ self._high[node] + minus @ self._low[node]
        if not used:
            used = {0: np.zeros((len(bias), self.domain.input_size), dtype=np.int64)}
        self.nodes.append(Affine(tuple(used), tuple(map(integer_array, used.values())), integer_array(bias)))
        return self._added(low, high)

    def relu(self, node: int) -> int:
        """Add a ReLU of a node."""
        self.nodes.append(Relu(node))
        return self._added(np.maximum(self._low[node], 0), np.maximum(self._high[node], 0))

    def wide(self, node: int) -> bool:
        """Tell whether it is time to clamp."""
        return bool(
            max(np.abs(self._low[node]).max(initial=0), np.abs(self._high[node]).max(initial=0)) > WIDE
        )

    def clamped(self, node: int, low: np.ndarray, high: np.ndarray) -> int:
        """Add nodes with the same values, which are known to lie in low..high, so that intervals show it."""
        size = len(low)
        over = self.relu(self.affine({node: -np.eye(size, dtype=np.int64)}, high))
        under = self.relu(self.affine({over: -np.eye(size, dtype=np.int64)}, high - low))
        return self.affine({under: np.eye(size, dtype=np.int64)}, low)

    def network(self) -> Network:
        """Return what was built."""
        return Network(self.domain.input_size, tuple(self.nodes), name="surrogate")

    def _added(self, low: np.ndarray, high: np.ndarray) -> int:
        self._low.append(low)
        self._high.append(high)
        return len(self.nodes)
