"""Symbolic tensors: what an ONNX value is while a graph is read.

Between `reader.py`, which walks the graph, and the operators.  A tensor is an exact constant, an array of
references to scalar values of the network, or integers that depend on the id at one position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..network.integers import integer_array, magnitude
from .integer_arrays import lowest_terms

MAX_ELEMENTS = 2**24  # elements of one tensor
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGER_RANGES = {"bool": (0, 1)}
INTEGER_RANGES |= {f"int{b}": (-(2 ** (b - 1)), 2 ** (b - 1) - 1) for b in (2, 4, 8, 16, 32, 64)}
INTEGER_RANGES |= {f"uint{b}": (0, 2**b - 1) for b in (2, 4, 8, 16, 32, 64)}
WIDE = 320  # bits: float32 numbers over one denominator are not wider
MAX_BITS = 1 << 28  # of a constant with wider numbers, as products of products make them


class Refused(Exception):
    """This node cannot be taken; the message says why.  The reader reports all of them together."""


class OverLimit(Refused):
    """This node would take too much memory."""


@dataclass(frozen=True, eq=False)
class Const:
    """Known values: numerators / denominator, exactly."""

    numerators: np.ndarray
    denominator: int
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape."""
        return self.numerators.shape

    def rearranged(self, move: Callable[[np.ndarray], np.ndarray]) -> Const:
        """Return the elements moved: `move` takes and returns an array."""
        return replace(self, numerators=move(self.numerators))

    def integers(self) -> list[int]:
        """Return the elements as a flat list, for shapes and axes.

        Raises Refused if the type is no index type.
        """
        if self.dtype not in ("int64", "int32"):
            raise Refused(f"a shape, axis or index must be int64, not {self.dtype}")
        return [int(v) for v in self.numerators.flat]


@dataclass(frozen=True, eq=False)
class Values:
    """Values of the network: `refs` are numbers of scalar values (see `builder.Builder`)."""

    refs: np.ndarray
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape."""
        return self.refs.shape

    def rearranged(self, move: Callable[[np.ndarray], np.ndarray]) -> Values:
        """Return the elements moved: `move` takes and returns an array."""
        return replace(self, refs=move(self.refs))


@dataclass(frozen=True, eq=False)
class Lookup:
    """Integers that depend on one id each: element e is table[e, id at position[e]].

    The graph's int64 input is one.  The table's shape is (*position.shape, alphabet).
    """

    position: np.ndarray
    table: np.ndarray  # shape (*position.shape, alphabet)
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape."""
        return self.position.shape

    def rearranged(self, move: Callable[[np.ndarray], np.ndarray]) -> Lookup:
        """Return the elements moved: `move` takes and returns an array."""
        order = move(np.arange(self.position.size).reshape(self.shape))
        return replace(
            self,
            position=self.position.reshape(-1)[order],
            table=self.table.reshape(-1, self.table.shape[-1])[order],
        )


@dataclass(frozen=True, eq=False)
class HeadValues:
    """Results of operators after the network's last layer, such as Softmax.

    `elements`: an array of elements of a head (`network/head.py`), whose groups are numbers of scalar values.
    Only operators that are registered for it take such a tensor, so it cannot be mistaken for piecewise
    linear values.
    """

    elements: np.ndarray
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape."""
        return self.elements.shape

    def rearranged(self, move: Callable[[np.ndarray], np.ndarray]) -> HeadValues:
        # If a single element is left, it is not an array: asarray makes one.
        """Return the elements moved: `move` takes and returns an array."""
        return replace(self, elements=np.asarray(move(self.elements), dtype=object))


Tensor = Const | Values | Lookup


def constant(numerators: object, denominator: int, dtype: str) -> Const:
    """Return a constant in lowest terms.

    Raises Refused if an integer does not fit its type, and OverLimit if the numbers are too wide.
    """
    array = integer_array(numerators)
    if dtype in INTEGER_RANGES:
        low, high = INTEGER_RANGES[dtype]
        if array.size and not (low <= int(array.min()) and int(array.max()) <= high):
            raise Refused(f"integers overflow {dtype}")
        return Const(array, 1, dtype)
    if (
        array.dtype == object
        and (bits := magnitude(array).bit_length()) > WIDE
        and array.size * bits > MAX_BITS
    ):
        raise OverLimit(
            f"makes {array.size} numbers of {bits} bits: no floats are as wide,"
            " and they would take too much memory"
        )
    array, denominator = lowest_terms(array, denominator)
    return Const(array, denominator, dtype)


def lookup(position: np.ndarray, table: np.ndarray, dtype: str) -> Lookup:
    """Return integers that depend on ids.  Raises Refused if one does not fit its type."""
    return Lookup(position, constant(table, 1, dtype).numerators, dtype)


def nothing(shape: tuple[int, ...], dtype: str) -> Values:
    """Return no values at all, in a shape that has a 0."""
    return Values(np.zeros(shape, dtype=np.int64), dtype)


def check_size(size: int) -> None:
    """Raise OverLimit if a tensor of so many elements would be too large."""
    if size > MAX_ELEMENTS:
        raise OverLimit(f"makes a tensor of {size} elements, over the limit of {MAX_ELEMENTS}")
