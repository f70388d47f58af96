"""The nodes of an exact network: affine functions with integer parameters, and ReLUs.

Under `network.py`, which is where other modules import them from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...common.errors import TooLarge

MAX_DENSE = 2**26  # how many entries of sparse matrices may be written out as dense ones


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A matrix by its nonzero entries: numerators[e] at (rows[e], columns[e]).

    Entries are sorted by row, and no place occurs twice.
    """

    shape: tuple[int, int]
    rows: np.ndarray
    columns: np.ndarray
    numerators: np.ndarray

    ndim = 2

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the entries: int64, or object for Python integers."""
        return self.numerators.dtype

    def dense(self) -> np.ndarray:
        """Return the matrix written out."""
        out = np.zeros(self.shape, dtype=self.dtype)
        out[self.rows, self.columns] = self.numerators
        return out


@dataclass(frozen=True, eq=False)
class Affine:
    """out = (sum_k weights[k] @ value(sources[k]) + bias) / denominator.

    `weights[k]` has integers of shape (size, size of node sources[k]), and `bias` has shape (size,).
    `matrices` are the weights as they are stored; those of large convolutions may be sparse
    (`onnx/builder.py`).
    """

    sources: tuple[int, ...]
    matrices: tuple[np.ndarray | SparseMatrix, ...]
    bias: np.ndarray
    denominator: int = 1

    def __post_init__(self) -> None:
        if self.denominator < 1:
            raise ValueError("an affine node's denominator is a positive integer")
        if len(self.sources) != len(self.matrices):
            raise ValueError("an affine node needs one weight matrix per source")
        for array in (*self.matrices, self.bias):
            if array.dtype != np.int64 and array.dtype != object:
                raise ValueError(
                    f"an affine node's parameters are integers (see integer_array), not {array.dtype}"
                )
        if self.bias.ndim != 1 or any(w.ndim != 2 or w.shape[0] != self.size for w in self.matrices):
            raise ValueError("an affine node's shapes do not fit: weights (size, source), bias (size,)")

    @cached_property
    def weights(self) -> tuple[np.ndarray, ...]:
        """Return all weights as dense arrays.  Raises TooLarge if they would be too large."""
        entries = sum(m.shape[0] * m.shape[1] for m in self.matrices if isinstance(m, SparseMatrix))
        if entries > MAX_DENSE:
            raise TooLarge(
                "the network",
                f"has a layer whose matrices have {entries} entries, too many for this",
                "use a smaller network",
            )
        return tuple(m.dense() if isinstance(m, SparseMatrix) else m for m in self.matrices)

    @property
    def size(self) -> int:
        """Return the number of outputs."""
        return int(self.bias.shape[0])


@dataclass(frozen=True)
class Relu:
    """out = max(0, value(source)), elementwise."""

    source: int


Node = Affine | Relu
