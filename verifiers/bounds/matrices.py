"""Weight matrices of large convolutions in float64: only what is not zero is kept and multiplied.

Beside `floats.py`, whose error bounds hold for them as they are: every result is a sum of at most as many
products as a dense matrix would add up, in some order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SPARSE_COST = 4  # how much longer than in a dense matrix a product takes, about
FEW = 0.5  # of the rows that are used: below that, the others are left out


class SparseFloats:
    """Takes the place of an array (size, source) in `a @ w`, `w @ x`, `x @ w.T`, `abs(w)` and `w[rows]`,
    which gives arrays.
    """

    __array_ufunc__ = None  # so that array @ self asks here

    def __init__(self, forward: csr_array, backward: csr_array) -> None:
        self._forward, self._backward = forward, backward

    @classmethod
    def of(
        cls, shape: tuple[int, int], rows: np.ndarray, columns: np.ndarray, values: np.ndarray
    ) -> SparseFloats:
        from scipy.sparse import csr_array

        forward = csr_array((values, (rows, columns)), shape=shape)
        return cls(forward, forward.T.tocsr())

    @property
    def shape(self) -> tuple[int, int]:
        result: tuple[int, int] = self._forward.shape
        return result

    @property
    def size(self) -> int:
        """Products that one vector costs."""
        return int(self._forward.nnz)

    @property
    def T(self) -> SparseFloats:
        return SparseFloats(self._backward, self._forward)

    def __abs__(self) -> SparseFloats:
        return SparseFloats(abs(self._forward), abs(self._backward))

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        result: np.ndarray = self._forward[rows].toarray()
        return result

    def first_columns(self) -> np.ndarray:
        """Per row: the first column that is not zero (any, where there is none)."""
        found = np.append(self._forward.indices, 0)
        result: np.ndarray = found[np.minimum(self._forward.indptr[:-1], len(found) - 1)]
        return result

    def entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and values of what is not zero."""
        found = self._forward.tocoo()
        return found.row, found.col, found.data

    def __matmul__(self, x: np.ndarray) -> np.ndarray:
        result: np.ndarray = self._forward @ x
        return result

    def __rmatmul__(self, a: np.ndarray) -> np.ndarray:
        """a @ self for rows a: what is carried backwards from a few neurons of a convolution has mostly
        zeros.
        """
        used: Any = np.flatnonzero(a.any(axis=0))
        if len(used) < FEW * a.shape[1]:
            some, back = np.ascontiguousarray(a[:, used].T), self._forward[used].T.tocsr()
        else:
            some, back = np.ascontiguousarray(a.T), self._backward
        return np.ascontiguousarray((back @ some).T)


Matrix = np.ndarray | SparseFloats


def magnitudes(w: Matrix) -> Matrix:
    return np.abs(w) if isinstance(w, np.ndarray) else abs(w)
