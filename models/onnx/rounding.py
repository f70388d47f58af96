"""How far a run in floating point may be from one node of the network.

This is the bound that `agreement.py` judges by.  A sum of n products with k further roundings, in any order,
fused or not, is within (1 + u)^(n + k) - 1 of the sum of the products' sizes, where u is half the spacing of
the type (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3).  Each underflow adds at most the
smallest number.  Our own side is computed in float64 and rounds as well: its u is added.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..network.float32 import FORMATS
from ..network.network import Affine, SparseMatrix

FURTHER = 16  # roundings of an operator besides those of a sum: scales, shifts, divisions, a root
OURS = 2.0**-53
BLOCK = 1 << 22  # entries of a matrix that are converted to floats at a time
Given = tuple[np.ndarray, np.ndarray]  # (batch, size): values, and how far off they may be
Times = Callable[[np.ndarray, bool], np.ndarray]  # multiplies a batch with the entries, or with their sizes


@dataclass(frozen=True)
class Rounding:
    """A run of one operator in the type `kind`.

    Its constants are off by the share `lost`, and it scales by at most `factor`.
    """

    kind: str
    lost: float = 0.0
    factor: float = 1.0

    def of(self, size: np.ndarray, terms: np.ndarray | int = 0, largest: float = 0.0) -> np.ndarray:
        """Return how far off a sum may be; infinite if it may overflow.

        - `size`: the sum of the sizes of its terms; `terms`: how many there are.
        - `largest`: the largest value that enters, which multiplies a factor that underflows.
        """
        precision, smallest, overflow = FORMATS[self.kind]
        roundings = np.asarray(terms) + FURTHER
        share = np.expm1(roundings * math.log1p(2.0**-precision + OURS))
        found = (share * (1 + self.lost) + self.lost) * size + roundings * 2.0**smallest * (
            self.factor + largest
        )
        return np.where((size < 2.0 ** (overflow - 1)) & ~np.isnan(found), found, np.inf)


def affine(node: Affine, given: Sequence[Given], rounding: Rounding) -> Given:
    """Return a node's values, and how far off a run may be whose sources are as far off as given."""
    bias = numbers(node.bias, node.denominator)
    values, sizes = np.tile(bias, (len(given[0][0]), 1)), np.tile(np.abs(bias), (len(given[0][0]), 1))
    carried, terms = np.zeros_like(values), (bias != 0).astype(np.int64)
    for (x, off), matrix in zip(given, node.matrices, strict=True):
        for rows, times, count in _parts(matrix, node.denominator):
            values[:, rows] += times(x, False)
            sizes[:, rows] += times(np.abs(x) + off, True)
            terms[rows] += count
            if off.any():
                carried[:, rows] += np.nan_to_num(
                    times(off, True), nan=np.inf, posinf=np.inf
                )  # 0 times infinity
    largest = max(float(np.abs(x).max(initial=0.0)) for x, _ in given)
    return values, carried + rounding.of(sizes, terms, largest)


def _parts(matrix: np.ndarray | SparseMatrix, denominator: int) -> Iterator[tuple[slice, Times, np.ndarray]]:
    """Yield rows of a matrix, a function that multiplies them with a batch, and their nonzero counts."""
    if isinstance(matrix, SparseMatrix):
        starts = np.flatnonzero(np.diff(matrix.rows, prepend=-1))
        filled, entries = matrix.rows[starts], numbers(matrix.numerators, denominator)

        def by_entries(x: np.ndarray, size: bool) -> np.ndarray:
            out = np.zeros((len(x), matrix.shape[0]))
            for i, row in enumerate(x):
                out[i, filled] = np.add.reduceat(
                    row[matrix.columns] * (np.abs(entries) if size else entries), starts
                )
            return out

        yield slice(None), by_entries, np.bincount(matrix.rows, minlength=matrix.shape[0])
        return
    step = max(1, BLOCK // max(1, matrix.shape[1]))
    for start in range(0, len(matrix), step):
        rows = slice(start, start + step)
        w = numbers(matrix[rows], denominator)
        yield rows, partial(_product, w), np.count_nonzero(w, axis=1)


def _product(w: np.ndarray, x: np.ndarray, size: bool) -> np.ndarray:
    result: np.ndarray = x @ (np.abs(w) if size else w).T
    return result


def numbers(numerators: np.ndarray, denominator: int) -> np.ndarray:
    """Return numerators / denominator as float64, each rounded at most twice."""
    if numerators.dtype != object and denominator < 2**1000:
        return numerators / float(denominator)
    return np.asarray(
        np.frompyfunc(lambda n: int(n) / denominator, 1, 1)(numerators), dtype=np.float64
    ).reshape(numerators.shape)
