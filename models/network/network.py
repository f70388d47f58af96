"""The exact network: a directed acyclic graph of affine and ReLU nodes over the rationals.

The first form in the flow: `onnx/reader.py` builds a `Network` from bytes, a claim holds it, and encoders and
verifiers only ever see this form.  Parameters are integers over one denominator per node, so every value of
node k is an integer over the fixed `scales[k]`, and evaluation never rounds.  LeakyReLU needs no node of its
own: leaky(x) = a * x + (1 - a) * relu(x), exactly.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from .head import Head
from .integers import FLOAT64_EXACT, INT64_LIMIT, dyadic, integer_array
from .nodes import Affine, Node, Relu, SparseMatrix

__all__ = ["Affine", "Encoding", "Network", "Node", "Relu", "SparseMatrix", "feed_forward"]


# The rows of a matrix that are not zero (None: all are kept), and the matrix without the others.
_Used = tuple[np.ndarray | None, np.ndarray]
Encoding = Literal["one_hot", "ids", "real"]


@dataclass(frozen=True, eq=False)
class Network:
    """A network.  Node 0 is the input vector, node k > 0 is `nodes[k - 1]`, and the last node is the output.

    - `encoding`: how the file takes its input: "one_hot" (float, [1, positions * alphabet]), "ids" (int64,
      [1, positions]) or "real".  Here, the input is always a vector of `input_size` numbers.  For "ids" it is
      the one-hot vector, position by position, that the ids stand for.
    - `source`: the bytes of the ONNX file, for onnxruntime and the digest.
    - `rounding`: operators of the file that may round in floating point, although the nodes are exact.
    - `output`: the name of the file's output that is meant; "" if there is only one.
    - `head`: what the file computes from this network's outputs, if it goes on (Softmax); only read on
      request.
    - `sizes` and `scales`: per node, the number of values and their common denominator.

    Raises ValueError if sizes or sources do not fit.
    """

    input_size: int
    nodes: tuple[Node, ...]
    encoding: Encoding = "one_hot"
    source: bytes = b""
    name: str = "network"
    rounding: tuple[str, ...] = ()
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

    def __repr__(self) -> str:
        relus = [n for n, node in zip(self.sizes[1:], self.nodes, strict=True) if isinstance(node, Relu)]
        return f"<Network {self.name}: {self.input_size} -> {self.output_size}, {sum(relus)} ReLUs>"

    @property
    def output_size(self) -> int:
        """Return the number of outputs."""
        return self.sizes[-1]

    @property
    def result_size(self) -> int:
        """Return how many numbers the file gives."""
        return self.output_size if self.head is None else len(self.head.elements)

    @property
    def scale(self) -> int:
        """Return the denominator of the outputs."""
        return self.scales[-1]

    @property
    def relu_count(self) -> int:
        """Return the number of ReLUs."""
        return sum(self.sizes[n.source] for n in self.nodes if isinstance(n, Relu))

    def integer_form(self, k: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Return weights and bias of affine node k >= 1 as they act on the numerators of its sources."""
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
        """Return per node a bound on every numerator, and on every partial sum that computes it.

        `input_magnitude` bounds the inputs' absolute values.  Intervals per neuron keep the bounds from
        growing with each layer: unrolled networks have hundreds.
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
        """Return the fastest dtype in which every number and partial sum is exact, for inputs 0 and 1."""
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
        """Return the exact numerators of every node for a batch of integer inputs, (batch, input_size).

        Value k is `result[k] / scales[k]`.  Floating point is used only if every partial sum is proved to be
        an integer below 2**53, so the result is always exact.  Raises ValueError if the inputs do not fit.
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
        """Return the exact output numerators over `scale`: (batch, output_size), int64 or Python integers."""
        out = self.values(inputs)[-1]
        return out.astype(np.int64) if out.dtype == np.float64 else out

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of structure and parameters in one canonical form, in hexadecimal."""
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
    """Leave out rows that are zero.

    Unrolled networks read one position of many per node, so this saves most of the work.
    """
    used = np.flatnonzero(matrix.any(axis=1))
    if 2 * len(used) > len(matrix):
        return None, np.ascontiguousarray(matrix)
    return used, np.ascontiguousarray(matrix[used])


def feed_forward(
    layers: Sequence[tuple[np.ndarray, np.ndarray]], *, encoding: Encoding = "one_hot", name: str = "network"
) -> Network:
    """Return a multi-layer perceptron with ReLUs between its layers.

    `layers`: for each layer its floats, weight (out, in) and bias (out,).  Raises ValueError if there are
    none, or on NaN and infinities.
    """
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
