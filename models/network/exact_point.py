"""A network at one rational point, exactly: for replaying counterexamples over boxes.

Beside `network.py`, whose own evaluation takes integer inputs.  Only nonzero weights are touched, so large
layers stay cheap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from .network import Network, Relu, SparseMatrix

PIECE = 1 << 18


def exact_outputs(network: Network, inputs: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return the outputs at `inputs`, over the rationals.  Raises ValueError if their number does not fit."""
    if len(inputs) != network.input_size:
        raise ValueError(f"{len(inputs)} inputs where the network has {network.input_size}")
    common = math.lcm(1, *(x.denominator for x in inputs))
    numerators = np.empty(len(inputs), dtype=object)
    numerators[:] = [x.numerator * (common // x.denominator) for x in inputs]
    values: list[tuple[np.ndarray, int]] = [(numerators, common)]  # value = numerators / denominator
    for node in network.nodes:
        if isinstance(node, Relu):
            above, denominator = values[node.source]
            values.append((np.maximum(above, 0), denominator))
            continue
        common = math.lcm(1, *(values[s][1] for s in node.sources))
        total = node.bias.astype(object) * common
        for s, w in zip(node.sources, node.matrices, strict=True):
            vector, denominator = values[s]
            total = total + _product(w, vector * (common // denominator))
        values.append((total, common * node.denominator))
    last, denominator = values[-1]
    return tuple(Fraction(int(v), denominator) for v in last)


def _product(matrix: np.ndarray | SparseMatrix, vector: np.ndarray) -> np.ndarray:
    """Return matrix @ vector, computed in pieces.

    Large convolutions have millions of products, which are Python integers.
    """
    if isinstance(matrix, SparseMatrix):
        rows, columns, numerators = matrix.rows, matrix.columns, matrix.numerators
    else:
        rows, columns = np.nonzero(matrix)
        numerators = matrix[rows, columns]
    out = np.zeros(matrix.shape[0], dtype=object)
    for a in range(0, len(rows), PIECE):
        row = rows[a : a + PIECE]
        products = numerators[a : a + PIECE].astype(object) * vector[columns[a : a + PIECE]]
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        out[row[starts]] += np.add.reduceat(products, starts)
    return out
