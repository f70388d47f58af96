"""The exact network: a DAG of affine and ReLU nodes over the rationals.

First in the flow: `onnx_reader` builds a `Network` from bytes, `claim` puts it into a claim,
encoders and verifiers only ever see this form.  Parameters are integers over one denominator per
node, so every value of node k is an integer over the fixed `scale[k]`, and evaluation never rounds.
LeakyReLU needs no node of its own: leaky(x) = a*x + (1-a)*relu(x), exactly.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from ...common.errors import TooLarge
from .head import Head
from .integers import FLOAT64_EXACT, INT64_LIMIT, dyadic, integer_array

MAX_DENSE = 2**26  # entries of sparse matrices that may be written out


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A matrix by its entries that are not 0: numerators[e] at rows[e], columns[e]; row by row, no place twice."""

    shape: tuple[int, int]
    rows: np.ndarray
    columns: np.ndarray
    numerators: np.ndarray

    ndim = 2

    @property
    def dtype(self) -> np.dtype:
        return self.numerators.dtype

    def dense(self) -> np.ndarray:
        out = np.zeros(self.shape, dtype=self.dtype)
        out[self.rows, self.columns] = self.numerators
        return out


@dataclass(frozen=True, eq=False)
class Affine:
    """out = (sum_k weights[k] @ value(sources[k]) + bias) / denominator.

    weights[k]: integers, shape (size, size of node sources[k]); bias: integers, shape (size,).  `matrices` are the weights; those of
    large convolutions may be sparse there (`models/onnx_tensors.Builder.sparse`).
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
        """All of them dense.  Raises TooLarge where that would be too much."""
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
        return int(self.bias.shape[0])


@dataclass(frozen=True)
class Relu:
    """out = max(0, value(source)), elementwise."""

    source: int


Node = Affine | Relu
_Used = tuple[
    np.ndarray | None, np.ndarray
]  # the rows of a matrix that are not zero (None: all are kept), and the matrix without the others
Encoding = Literal["one_hot", "ids", "real"]


@dataclass(frozen=True, eq=False)
class Network:
    """A network: node 0 is the input vector, node k > 0 is `nodes[k - 1]`, the last one is the output.

    `encoding` says how the file takes its input: "one_hot" float [1, positions*alphabet], "ids" int64
    [1, positions], or "real".  In this form the input is always the vector of `input_size` numbers;
    for "ids" it is the one-hot vector, position-major, that the ids stand for.
    `source` is the ONNX file's bytes (for onnxruntime and the digest), `output` the name of the file's output that it gives (empty: there is
    one).  With a `head`, the file goes on from this network's outputs, and only who asks for one gets it (`onnx_reader`).
    """

    input_size: int
    nodes: tuple[Node, ...]
    encoding: Encoding = "one_hot"
    source: bytes = b""
    name: str = "network"
    rounding: tuple[
        str, ...
    ] = ()  # operators of the file that may round in floating point although the nodes below are exact
    output: str = ""
    head: Head | None = None
    sizes: tuple[int, ...] = field(init=False)
    scales: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        sizes, scales = [self.input_size], [1]
        if not self.nodes or self.input_size < 1:
            raise ValueError("a network has at least one input and one node")
        for k, node in enumerate(self.nodes, start=1):
            sources = node.sources if isinstance(node, Affine) else (node.source,)
            if any(not 0 <= s < k for s in sources):
                raise ValueError(f"node {k} reads a node that does not come before it")
            if isinstance(node, Affine):
                if any(w.shape[1] != sizes[s] for s, w in zip(sources, node.matrices, strict=True)):
                    raise ValueError(f"node {k}: weights do not fit the sizes of its sources")
                sizes.append(node.size)
                scales.append(node.denominator * math.lcm(1, *(scales[s] for s in sources)))
            else:
                sizes.append(sizes[node.source])
                scales.append(scales[node.source])
        object.__setattr__(self, "sizes", tuple(sizes))
        object.__setattr__(self, "scales", tuple(scales))

    @property
    def output_size(self) -> int:
        return self.sizes[-1]

    @property
    def result_size(self) -> int:
        """How many numbers the file gives."""
        return self.output_size if self.head is None else len(self.head.elements)

    @property
    def scale(self) -> int:
        """Outputs are integers over this."""
        return self.scales[-1]

    @property
    def relu_count(self) -> int:
        return sum(self.sizes[n.source] for n in self.nodes if isinstance(n, Relu))

    def integer_form(self, k: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Weights and bias of affine node k >= 1 as they act on the sources' integer numerators."""
        return self._integer_forms[k - 1]

    @cached_property
    def _integer_forms(self) -> tuple[tuple[tuple[np.ndarray, ...], np.ndarray], ...]:
        forms: list[tuple[tuple[np.ndarray, ...], np.ndarray]] = []
        for k, node in enumerate(self.nodes, start=1):
            if isinstance(node, Relu):
                forms.append(((), integer_array([])))
                continue
            common = self.scales[k] // node.denominator
            weights = tuple(
                integer_array(w.astype(object) * (common // self.scales[s]))
                if common != self.scales[s]
                else w
                for s, w in zip(node.sources, node.weights, strict=True)
            )
            bias = integer_array(node.bias.astype(object) * common) if common != 1 else node.bias
            forms.append((weights, bias))
        return tuple(forms)

    def magnitudes(self, input_magnitude: int = 1) -> tuple[int, ...]:
        """Per node, a bound on every numerator and on every partial sum that computes it, for |input| <= input_magnitude.

        By intervals per neuron, so that what ReLUs cut off does not add up: unrolled networks have hundreds of layers.
        """
        bounds = [input_magnitude]
        low = [np.full(self.input_size, -input_magnitude, dtype=object)]
        high = [np.full(self.input_size, input_magnitude, dtype=object)]
        for k, node in enumerate(self.nodes, start=1):
            if isinstance(node, Relu):
                bounds.append(bounds[node.source])
                low.append(np.maximum(low[node.source], 0))
                high.append(np.maximum(high[node.source], 0))
                continue
            weights, bias = self.integer_form(k)
            least = most = bias.astype(object)
            rows = np.abs(least)
            for s, w in zip(node.sources, weights, strict=True):
                if w.shape[1]:
                    plus, minus = np.maximum(w, 0).astype(object), np.minimum(w, 0).astype(object)
                    least = least + plus @ low[s] + minus @ high[s]
                    most = most + plus @ high[s] + minus @ low[s]
                    rows = rows + (plus - minus) @ np.maximum(np.abs(low[s]), np.abs(high[s]))
            bounds.append(max((int(r) for r in rows), default=0))
            low.append(least)
            high.append(most)
        return tuple(bounds)

    @cached_property
    def arithmetic(self) -> np.dtype:
        """The fastest dtype in which every number and partial sum is exact, on inputs 0 and 1."""
        return self._arithmetic(1)

    def _arithmetic(self, input_magnitude: int) -> np.dtype:
        largest = max(
            *self.magnitudes(input_magnitude),
            *(
                int(abs(int(v)))
                for f in self._integer_forms
                for w in (*f[0], f[1])
                for v in (w.max(initial=0), w.min(initial=0))
            ),
        )
        if largest < FLOAT64_EXACT:
            return np.dtype(np.float64)
        return np.dtype(np.int64) if largest <= INT64_LIMIT else np.dtype(object)

    @cached_property
    def _one_hot_plan(self) -> tuple[np.dtype, tuple[tuple[tuple[_Used, ...], np.ndarray], ...]]:
        return self._plan(1)

    def _plan(self, magnitude: int) -> tuple[np.dtype, tuple[tuple[tuple[_Used, ...], np.ndarray], ...]]:
        dtype = self._arithmetic(magnitude)
        return dtype, tuple(
            (tuple(_used_rows(w.T.astype(dtype)) for w in ws), b.astype(dtype))
            for ws, b in self._integer_forms
        )

    def values(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Exact numerators of every node for a batch of integer inputs, shape (batch, input_size).

        Value k is `result[k] / scales[k]`.  Floating point is used only where every partial sum is
        proven to be an integer below 2**53, so the result is exact in each case.
        """
        inputs = np.asarray(inputs)
        if inputs.ndim != 2 or inputs.shape[1] != self.input_size:
            raise ValueError(f"inputs have shape {inputs.shape}, expected (batch, {self.input_size})")
        if inputs.dtype.kind == "f" and not (np.isfinite(inputs) & (inputs == np.rint(inputs))).all():
            raise ValueError("inputs must be integers; scale rational inputs first")
        magnitude = max((abs(int(v)) for v in (inputs.max(), inputs.min())), default=1) if inputs.size else 1
        dtype, forms = self._one_hot_plan if magnitude <= 1 else self._plan(magnitude)
        values = [inputs.astype(dtype)]
        for node, (weights, bias) in zip(self.nodes, forms, strict=True):
            if isinstance(node, Relu):
                values.append(np.maximum(values[node.source], 0))
                continue
            total = np.broadcast_to(bias, (len(inputs), node.size))
            for s, (used, w) in zip(node.sources, weights, strict=True):
                total = total + (values[s] if used is None else values[s][:, used]) @ w
            values.append(total)
        return values

    def evaluate(self, inputs: np.ndarray) -> np.ndarray:
        """Exact output numerators over `scale`, shape (batch, output_size), dtype int64 or object."""
        out = self.values(inputs)[-1]
        return out.astype(np.int64) if out.dtype == np.float64 else out

    @cached_property
    def digest(self) -> str:
        """sha256 over structure and parameters in one canonical form."""
        h = hashlib.sha256(f"network {self.input_size} {self.encoding}".encode())
        for node in self.nodes:
            if isinstance(node, Relu):
                h.update(f"|relu {node.source}".encode())
                continue
            h.update(f"|affine {node.sources} {node.size} {node.denominator}".encode())
            for array in (*node.weights, node.bias):
                h.update((";" + ",".join(str(int(v)) for v in array.flat)).encode())
        if self.head is not None:
            h.update(f"|head {self.head.canonical()}".encode())
        return h.hexdigest()


def _used_rows(matrix: np.ndarray) -> _Used:
    """Unrolled networks read one position of many per node: leaving out what is not read saves most of the work."""
    used = np.flatnonzero(matrix.any(axis=1))
    if 2 * len(used) > len(matrix):
        return None, np.ascontiguousarray(matrix)
    return used, np.ascontiguousarray(matrix[used])


def feed_forward(
    layers: Sequence[tuple[np.ndarray, np.ndarray]], *, encoding: Encoding = "one_hot", name: str = "network"
) -> Network:
    """A plain multi-layer perceptron from float (weight (out, in), bias (out,)) pairs, ReLU between them."""
    if not layers:
        raise ValueError("a network has at least one layer")
    nodes: list[Node] = []
    for i, (weight, bias) in enumerate(layers):
        joined, denominator = dyadic(np.concatenate([weight, bias[:, None]], axis=1))
        if i:
            nodes.append(Relu(len(nodes)))
        nodes.append(
            Affine((len(nodes),), (integer_array(joined[:, :-1]),), integer_array(joined[:, -1]), denominator)
        )
    return Network(int(layers[0][0].shape[1]), tuple(nodes), encoding, name=name)
