"""The builder of a network's nodes: what operators call to add affine nodes and ReLUs.

Used by `reader.py` through the operators.  Scalar values are numbered through all nodes, so that a tensor can
refer to any of them.  Reshape, Transpose, Concat and Gather only move such references; only arithmetic adds
nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..network.float32 import FORMATS, representable
from ..network.integers import INT64_LIMIT, integer_array
from ..network.network import Affine, Node, Relu, SparseMatrix
from .integer_arrays import common_factor, over, times
from .simplify import simplified
from .tensors import FLOATS, Const, Lookup, OverLimit, Refused, Tensor, Values, check_size, constant, nothing

MAX_WEIGHTS = 2**26  # entries of one weight matrix
MAX_ALL_WEIGHTS = 2**27  # entries of all of them
SPARSE_COST = 3  # memory of a sparse entry in numbers: two places and the value
SPARSE_FROM = 2**20  # larger matrices are kept sparse if fewer than one in eight entries is not 0


@dataclass(frozen=True, eq=False)
class AffineTerm:
    """Part of an affine node: row[e] of the result gets numerators[e] / denominator * value(refs[e]).

    No pair (row, ref) occurs twice.
    """

    rows: np.ndarray
    refs: np.ndarray
    numerators: np.ndarray
    denominator: int = 1


@dataclass
class Builder:
    """The network's nodes so far.  The first scalar value of node k (0: the input) has the number offsets[k].

    - `sparse`: large matrices with few nonzero entries may become `SparseMatrix`, whose zeros do not count
      towards the limits.
    - `rounding`: the operators that may round in floating point (see `Network.rounding`).
    - `label`: the ONNX node that is being read, for notes.
    - `hidden`: amounts that a run adds and takes away again, by label (see `reading.OnnxStep`).
    """

    input_size: int
    opset: int
    sparse: bool = False
    nodes: list[Node] = field(default_factory=list)
    rounding: list[str] = field(default_factory=list)  # see `Network.rounding`
    label: str = ""  # the ONNX node that is being read, for notes

    def __post_init__(self) -> None:
        self.offsets, self.sizes = [0], [self.input_size]
        self._relus: dict[int, int] = {}
        self.hidden: dict[str, np.ndarray] = {}  # by label, see `reading.OnnxStep`
        self._weights = 0

    def note(self, what: str) -> None:
        """Note that the present operator may round in floating point, although its nodes are exact."""
        self.rounding.append(f"{self.label} {what}")

    def _append(self, node: Node, size: int) -> int:
        self.nodes.append(node)
        self.offsets.append(self.offsets[-1] + self.sizes[-1])
        self.sizes.append(size)
        return len(self.nodes)

    def _all(self, k: int) -> np.ndarray:
        return np.arange(self.offsets[k], self.offsets[k] + self.sizes[k])

    def _owner(self, refs: np.ndarray) -> np.ndarray:
        return np.searchsorted(np.array(self.offsets), refs, side="right") - 1

    def affine(
        self, shape: tuple[int, ...], dtype: str, terms: Sequence[AffineTerm], bias: Const | None = None
    ) -> Values:
        """Add an affine node of a shape.  If the result only repeats existing values, refer to these instead.

        Raises OverLimit if it would be too large.
        """
        size = math.prod(shape)
        check_size(size)
        if not size:
            return nothing(shape, dtype)
        if dtype in ("float16", "bfloat16"):
            self.note(f"computes in {dtype}")
        terms = [_without_zeros(t) for t in terms]
        plain = bias is None or not bias.numerators.any()
        if plain and len(terms) == 1 and _selects(terms[0], size):
            order = np.empty(size, dtype=np.int64)
            order[terms[0].rows] = terms[0].refs
            return Values(order.reshape(shape), dtype)
        return Values(self._all(self._affine_node(size, terms, bias)).reshape(shape), dtype)

    def _affine_node(self, size: int, terms: Sequence[AffineTerm], bias: Const | None) -> int:
        """Add the node that computes `size` rows.  Returns its number."""
        denominator = math.lcm(1 if bias is None else bias.denominator, *(t.denominator for t in terms))
        owners = [self._owner(t.refs) for t in terms]
        counts = (
            np.sum([np.bincount(o, minlength=len(self.nodes) + 1) for o in owners], axis=0)
            if owners
            else np.zeros(1, dtype=np.int64)
        )
        sources = [int(k) for k in np.flatnonzero(counts)] or [0]
        weights: list[np.ndarray | SparseMatrix] = []
        for k in sources:
            shape = size, self.sizes[k]
            sparse = self.sparse and math.prod(shape) > SPARSE_FROM and 8 * int(counts[k]) < math.prod(shape)
            if not sparse and math.prod(shape) > MAX_WEIGHTS:
                raise OverLimit(
                    f"needs a weight matrix of {size} x {self.sizes[k]} entries,"
                    f" over the limit of {MAX_WEIGHTS}"
                )
            self._weights += SPARSE_COST * int(counts[k]) if sparse else math.prod(shape)
            if self._weights > MAX_ALL_WEIGHTS:
                raise OverLimit(f"the weight matrices have more than {MAX_ALL_WEIGHTS} entries in all")
            parts = []
            for term, owner in zip(terms, owners, strict=True):
                here = owner == k
                scaled = times(term.numerators[here], denominator // term.denominator)
                parts.append((term.rows[here], term.refs[here] - self.offsets[k], scaled))
            weights.append((_sparse if sparse else _dense)(shape, parts))
        offset = np.zeros(size, dtype=np.int64)
        if bias is not None:
            offset = times(bias.numerators.reshape(-1), denominator // bias.denominator)
        common = common_factor(
            denominator, *(w.numerators if isinstance(w, SparseMatrix) else w for w in weights), offset
        )
        lowest = tuple(_with_numerators(w, lambda n: integer_array(over(n, common))) for w in weights)
        node = Affine(tuple(sources), lowest, integer_array(over(offset, common)), denominator // common)
        return self._append(node, size)

    def hides(self, amounts: np.ndarray) -> None:
        """Say that a run of the operator adds and takes away amounts that its nodes do not show.

        It rounds them as well.  `amounts`: their sizes, in the shape of the operator's output.
        """
        self.hidden[self.label] = amounts

    def copied(self, x: Values) -> Values:
        """Return the same tensor on a node of its own, so that no value occurs twice in it."""
        n = x.refs.size
        if not n:
            return x
        term = AffineTerm(np.arange(n), x.refs.reshape(-1), np.ones(n, dtype=np.int64))
        return Values(self._all(self._affine_node(n, [term], None)).reshape(x.shape), x.dtype)

    def known(self, c: Const) -> Values:
        """Return a constant as values of the network."""
        if not c.numerators.size:
            return nothing(c.shape, c.dtype)
        return Values(self._all(self._affine_node(c.numerators.size, [], c)).reshape(c.shape), c.dtype)

    def relu(self, x: Values) -> Values:
        """Return max(0, x).  Only values that were asked for get a ReLU, and each at most one."""
        if not x.refs.size:
            return x
        k = int(self._owner(x.refs.reshape(-1)[:1])[0])
        if not np.array_equal(np.unique(x.refs), self._all(k)):
            # Part of a node, or parts of several: select first, so that no unused neuron is made.
            x = self.copied(x)
            k = len(self.nodes)
        if k not in self._relus:
            self._relus[k] = self._append(Relu(k), self.sizes[k])
        return Values(x.refs - self.offsets[k] + self.offsets[self._relus[k]], x.dtype)

    def finish(self, output: Tensor) -> tuple[Node, ...]:
        """Return the nodes that the output needs, with sums merged and the output last.

        Raises Refused if the output is empty or an integer.
        """
        check_size(math.prod(output.shape))
        if not math.prod(output.shape):
            raise Refused("is an empty tensor")
        if isinstance(output, Lookup):
            raise Refused("the output is an integer")
        values = self.known(output) if isinstance(output, Const) else output
        refs = values.refs.reshape(-1)
        last = int(self._owner(refs[:1])[0])
        if last == 0 or not np.array_equal(refs, self._all(last)):
            self.copied(values)
            last = len(self.nodes)
        return simplified(self.nodes[:last])


def _without_zeros(t: AffineTerm) -> AffineTerm:
    keep = t.numerators != 0
    return t if keep.all() else AffineTerm(t.rows[keep], t.refs[keep], t.numerators[keep], t.denominator)


def _selects(t: AffineTerm, size: int) -> bool:
    """Return whether a term only selects values, one per row."""
    return (
        len(t.rows) == size and bool((t.numerators == t.denominator).all()) and len(np.unique(t.rows)) == size
    )


def _dense(shape: tuple[int, int], parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    largest = sum(max(abs(int(n.max())), abs(int(n.min()))) for _, _, n in parts if n.size)
    out = np.zeros(shape, dtype=np.int64 if largest <= INT64_LIMIT else object)
    for rows, columns, numerators in parts:
        out[rows, columns] += numerators.astype(out.dtype)
    return out


def _sparse(
    shape: tuple[int, int], parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> SparseMatrix:
    largest = sum(max(abs(int(n.max())), abs(int(n.min()))) for _, _, n in parts if n.size)
    place = np.concatenate([rows * shape[1] + columns for rows, columns, _ in parts])
    numerators = np.concatenate(
        [n.astype(np.int64 if largest <= INT64_LIMIT else object) for _, _, n in parts]
    )
    order = np.argsort(place, kind="stable")
    place, numerators = place[order], numerators[order]
    first = np.flatnonzero(np.diff(place, prepend=-1))
    place, numerators = place[first], np.add.reduceat(numerators, first)
    return SparseMatrix(
        shape, (place // shape[1]).astype(np.int32), (place % shape[1]).astype(np.int32), numerators
    )


def _with_numerators(
    matrix: np.ndarray | SparseMatrix, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray | SparseMatrix:
    return (
        replace(matrix, numerators=change(matrix.numerators))
        if isinstance(matrix, SparseMatrix)
        else change(matrix)
    )


def folded(
    build: Builder, numerators: np.ndarray, denominator: int, dtype: str, *, single_step: bool = True
) -> Const:
    """Return the exact result of an operator on constants, and note it if a run in `dtype` may round.

    `single_step`: the operator rounds at most once, so that it is exact if `dtype` can hold the result.
    """
    result = constant(numerators, denominator, dtype)
    if dtype in FLOATS and not (
        single_step and representable(result.numerators, result.denominator, *FORMATS[dtype]).all()
    ):
        build.note("computes on constants and may round")
    return result
