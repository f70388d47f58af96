"""Symbolic tensors: what an ONNX value is while `onnx_reader` walks a graph, and the builder of the network's nodes.

Between `onnx_reader` (which walks) and `onnx_ops` (one function per operator).  A tensor is an exact constant, an array
of references to scalar values of the network, or integers that depend on the id at one position.  References make Reshape,
Transpose, Concat and constant Gather cost nothing: only arithmetic makes nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..network.float32 import FORMATS, representable
from ..network.integers import magnitude
from ..network.network import INT64_LIMIT, Affine, Node, Relu, SparseMatrix, integer_array

MAX_ELEMENTS = 2**24  # elements of one tensor
MAX_WEIGHTS = 2**26  # entries of one weight matrix
MAX_ALL_WEIGHTS = 2**27  # entries of all of them
SPARSE_COST = 3  # places and numbers, and both orders of them later on
SPARSE_FROM = 2**20  # entries of a matrix that may be kept sparse, if less than one in eight is not 0
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGER_RANGES = {"bool": (0, 1)}
INTEGER_RANGES |= {f"int{b}": (-(2 ** (b - 1)), 2 ** (b - 1) - 1) for b in (2, 4, 8, 16, 32, 64)}
INTEGER_RANGES |= {f"uint{b}": (0, 2**b - 1) for b in (2, 4, 8, 16, 32, 64)}


class Refused(Exception):
    """This node cannot be taken, and why.  The reader collects these and reports all at once."""


WIDE = 320  # bits: float32 numbers, over one denominator, are not wider
MAX_BITS = 1 << 28  # of one constant with wider numbers, as products of products make them


class OverLimit(Refused):
    """It would take too much memory."""


@dataclass(frozen=True, eq=False)
class Const:
    """Known values: numerators / denominator, exactly."""

    numerators: np.ndarray
    denominator: int
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.numerators.shape

    def rearranged(self, move: Callable[[np.ndarray], np.ndarray]) -> Const:
        return replace(self, numerators=move(self.numerators))

    def integers(self) -> list[int]:
        """As a flat list, for shapes and axes."""
        if self.dtype not in ("int64", "int32"):
            raise Refused(f"a shape, axis or index must be int64, not {self.dtype}")
        return [int(v) for v in self.numerators.flat]


@dataclass(frozen=True, eq=False)
class Values:
    """Values of the network: `refs` are global numbers of scalar values (see `Builder.offsets`)."""

    refs: np.ndarray
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.refs.shape

    def rearranged(self, move: Callable[[np.ndarray], np.ndarray]) -> Values:
        return replace(self, refs=move(self.refs))


@dataclass(frozen=True, eq=False)
class Lookup:
    """Integers that depend on one id each: element e is table[e, id at position[e]].  The graph's int64 input is one."""

    position: np.ndarray
    table: np.ndarray  # shape (*position.shape, alphabet)
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.position.shape

    def rearranged(self, move: Callable[[np.ndarray], np.ndarray]) -> Lookup:
        order = move(np.arange(self.position.size).reshape(self.shape))
        return replace(
            self,
            position=self.position.reshape(-1)[order],
            table=self.table.reshape(-1, self.table.shape[-1])[order],
        )


Tensor = Const | Values | Lookup


def constant(numerators: object, denominator: int, dtype: str) -> Const:
    """A constant in lowest terms; integers must fit their type."""
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
            f"makes {array.size} numbers of {bits} bits: no floats are as wide, and they would take too much memory"
        )
    array, denominator = lowest_terms(array, denominator)
    return Const(array, denominator, dtype)


def lookup(position: np.ndarray, table: np.ndarray, dtype: str) -> Lookup:
    return Lookup(position, constant(table, 1, dtype).numerators, dtype)


def lowest_terms(array: np.ndarray, denominator: int) -> tuple[np.ndarray, int]:
    """The same rationals over the smallest common denominator."""
    common = common_factor(denominator, array)
    return (array, denominator) if common == 1 else (over(array, common), denominator // common)


def over(array: np.ndarray, divisor: int) -> np.ndarray:
    """array / divisor, where it divides exactly."""
    small = array.dtype != object and divisor <= INT64_LIMIT
    return array // divisor if small else integer_array(array.astype(object) // divisor)


def common_factor(start: int, *arrays: np.ndarray) -> int:
    for array in arrays:
        if start == 1:
            break
        if array.dtype == object:
            for v in array.flat:
                start = math.gcd(start, v)
                if start == 1:
                    break
        elif array.size:
            start = math.gcd(start, int(np.gcd.reduce(array, axis=None)))
    return start


def times(array: np.ndarray, factor: int) -> np.ndarray:
    """array * factor without overflow."""
    if factor == 1 or not array.size:
        return array
    largest = max(abs(int(array.max())), abs(int(array.min()))) * abs(factor)
    if largest == 0:
        return np.zeros_like(array)
    return array * factor if largest <= INT64_LIMIT else integer_array(array.astype(object) * factor)


@dataclass(frozen=True, eq=False)
class Term:
    """Part of an affine node: row[e] of the result gets numerators[e] / denominator * value(refs[e]).  No (row, ref) pair twice."""

    rows: np.ndarray
    refs: np.ndarray
    numerators: np.ndarray
    denominator: int = 1


@dataclass
class Builder:
    """Collects the network's nodes.  Scalar values are numbered through: node k's first one is offsets[k].

    `sparse`: large matrices with few entries may become `SparseMatrix`: of their entries, only those count that are not 0.
    """

    input_size: int
    opset: int
    sparse: bool = False
    nodes: list[Node] = field(default_factory=list)
    rounding: list[str] = field(default_factory=list)  # see Network.rounding
    label: str = ""  # the ONNX node that is being read, for notes

    def __post_init__(self) -> None:
        self.offsets, self.sizes = [0], [self.input_size]
        self._relus: dict[int, int] = {}
        self.hidden: dict[str, np.ndarray] = {}  # by label, see onnx_reading.Step
        self._weights = 0

    def note(self, what: str) -> None:
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
        self, shape: tuple[int, ...], dtype: str, terms: Sequence[Term], bias: Const | None = None
    ) -> Values:
        """A new affine node of that shape; none where the result only repeats existing values."""
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

    def _affine_node(self, size: int, terms: Sequence[Term], bias: Const | None) -> int:
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
                    f"needs a weight matrix of {size} x {self.sizes[k]} entries, over the limit of {MAX_WEIGHTS}"
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
        """A run of the operator adds and takes away such amounts, of its output's shape, that its nodes do not show: it rounds them, too."""
        self.hidden[self.label] = amounts

    def copied(self, x: Values) -> Values:
        """The same tensor on a node of its own, so that no value occurs twice in it."""
        n = x.refs.size
        if not n:
            return x
        term = Term(np.arange(n), x.refs.reshape(-1), np.ones(n, dtype=np.int64))
        return Values(self._all(self._affine_node(n, [term], None)).reshape(x.shape), x.dtype)

    def known(self, c: Const) -> Values:
        """A constant as values of the network."""
        if not c.numerators.size:
            return nothing(c.shape, c.dtype)
        return Values(self._all(self._affine_node(c.numerators.size, [], c)).reshape(c.shape), c.dtype)

    def relu(self, x: Values) -> Values:
        if not x.refs.size:
            return x
        k = int(self._owner(x.refs.reshape(-1)[:1])[0])
        if not np.array_equal(np.unique(x.refs), self._all(k)):
            # Only part of a node, or parts of several: select first, so that no neuron is made that nobody asked for.
            x = self.copied(x)
            k = len(self.nodes)
        if k not in self._relus:
            self._relus[k] = self._append(Relu(k), self.sizes[k])
        return Values(x.refs - self.offsets[k] + self.offsets[self._relus[k]], x.dtype)

    def finish(self, output: Tensor) -> tuple[Node, ...]:
        """The nodes that the output needs, sums merged, output last."""
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
        nodes: list[Node | None] = _drop_dead(list(self.nodes[:last]))
        _merge_sums(nodes)
        return _renumbered(_drop_dead(nodes))


def check_size(size: int) -> None:
    if size > MAX_ELEMENTS:
        raise OverLimit(f"makes a tensor of {size} elements, over the limit of {MAX_ELEMENTS}")


def nothing(shape: tuple[int, ...], dtype: str) -> Values:
    """No values at all, in a shape that has a 0."""
    return Values(np.zeros(shape, dtype=np.int64), dtype)


def _without_zeros(t: Term) -> Term:
    keep = t.numerators != 0
    return t if keep.all() else Term(t.rows[keep], t.refs[keep], t.numerators[keep], t.denominator)


def _selects(t: Term, size: int) -> bool:
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


def _sources(node: Node) -> tuple[int, ...]:
    return node.sources if isinstance(node, Affine) else (node.source,)


def _drop_dead(nodes: list[Node | None]) -> list[Node | None]:
    needed = {len(nodes)}
    for k in range(len(nodes), 0, -1):
        node = nodes[k - 1]
        if k in needed and node is not None:
            needed.update(_sources(node))
    return [node if k in needed else None for k, node in enumerate(nodes, start=1)]


def _renumbered(nodes: list[Node | None]) -> tuple[Node, ...]:
    number, out = {0: 0}, list[Node]()
    for k, node in enumerate(nodes, start=1):
        if node is None:
            continue
        if isinstance(node, Affine):
            out.append(replace(node, sources=tuple(number[s] for s in node.sources)))
        else:
            out.append(Relu(number[node.source]))
        number[k] = len(out)
    return tuple(out)


def _merge_sums(nodes: list[Node | None]) -> None:
    """Put `s` into `k` where k only adds to s (MatMul then Add): out = ... +- s[selected].

    Only with factors 1 and -1, only where nobody else reads s, only where they share no source, and only where no row has a
    bias in both (two could cancel): then the merged row's bound is at least the bound of each step, and what
    `exact_in_float32` says of the merged node holds for the steps too.
    """
    uses = dict.fromkeys(range(len(nodes) + 1), 0)
    for node in nodes:
        for s in set(_sources(node)) if node is not None else ():
            uses[s] += 1
    for k, node in enumerate(nodes, start=1):
        if not isinstance(node, Affine):
            continue
        for s in node.sources:
            inner = nodes[s - 1] if s else None
            others = [t for t in node.sources if t != s]
            if not isinstance(inner, Affine) or any(
                isinstance(m, SparseMatrix) for m in (*node.matrices, *inner.matrices)
            ):
                continue
            if uses[s] != 1 or set(inner.sources) & set(others) or node.sources.count(s) != 1:
                continue
            signs = node.weights[node.sources.index(s)]
            chosen = signs != 0
            if not (np.abs(signs[chosen]) == node.denominator).all() or (chosen.sum(axis=1) > 1).any():
                continue
            if (node.bias.astype(bool)[:, None] & chosen & inner.bias.astype(bool)[None, :]).any():
                continue
            node = _merged(node, s, inner)
            nodes[k - 1], nodes[s - 1] = node, None


def _merged(outer: Affine, s: int, inner: Affine) -> Affine:
    at = outer.sources.index(s)
    signs = outer.weights[at]
    rows, columns = np.nonzero(signs)
    direction = np.where(signs[rows, columns] > 0, 1, -1)
    denominator = math.lcm(outer.denominator, inner.denominator)

    def routed(part: np.ndarray) -> np.ndarray:
        scaled = times(part, denominator // inner.denominator)
        out = np.zeros((outer.size, *part.shape[1:]), dtype=scaled.dtype)
        out[rows] = (scaled[columns].T * direction).T
        return out

    factor = denominator // outer.denominator
    weights = [times(w, factor) for w in outer.weights]
    weights[at : at + 1] = [routed(w) for w in inner.weights]
    sources = (*outer.sources[:at], *inner.sources, *outer.sources[at + 1 :])
    bias = times(outer.bias, factor).astype(object) + routed(inner.bias).astype(object)
    common = common_factor(denominator, *weights, integer_array(bias))
    if common > 1:
        weights, bias = [over(w, common) for w in weights], bias // common
    return Affine(
        sources, tuple(integer_array(w) for w in weights), integer_array(bias), denominator // common
    )


def folded(
    build: Builder, numerators: np.ndarray, denominator: int, dtype: str, *, single_step: bool = True
) -> Const:
    """The exact result of an operator on constants; noted where a run in `dtype` may round it."""
    result = constant(numerators, denominator, dtype)
    if dtype in FLOATS and not (
        single_step and representable(result.numerators, result.denominator, *FORMATS[dtype]).all()
    ):
        build.note("computes on constants and may round")
    return result
