"""ONNX files as linear forms: every number in the graph is a constant or a sum of inputs and ReLU outputs
with exact factors.

The graph is run once, on forms instead of numbers.  A form's variables are the one-hot inputs 0 .. n-1 and,
after them, the elements of the ReLU nodes in the order of the file.  An id is the form sum_s s * [symbol =
s], so that looking it up in a table is a form again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from flint import fmpq
from onnx import numpy_helper

from .claim import Claim, Rejected, Unsupported


@dataclass
class Form:
    """const + sum of factor * variable."""

    const: fmpq
    terms: dict[int, fmpq] = field(default_factory=dict)


def weighted(pairs: list[tuple[fmpq, Form]]) -> Form:
    out = Form(fmpq(0))
    for factor, form in pairs:
        if factor:
            out.const += factor * form.const
            for v, c in form.terms.items():
                out.terms[v] = out.terms.get(v, 0) + factor * c
    out.terms = {v: c for v, c in out.terms.items() if c}
    return out


def exact(value: object) -> fmpq:
    n, d = float(value).as_integer_ratio()  # type: ignore[arg-type]
    return fmpq(n, d)


def forms(array: np.ndarray) -> np.ndarray:
    """A tensor with forms for its constant numbers."""
    if array.dtype == object:
        return array
    out = np.empty(array.shape, dtype=object)
    for i, v in np.ndenumerate(array):
        out[i] = Form(fmpq(int(v)) if array.dtype.kind in "iu" else exact(v))
    return out


def each(array: np.ndarray, function) -> np.ndarray:  # type: ignore[no-untyped-def]
    out = np.empty(array.shape, dtype=object)
    for i, v in np.ndenumerate(array):
        out[i] = function(v)
    return out


def product(a: Form, b: Form) -> Form:
    if a.terms and b.terms:
        raise Rejected("a product of two values")
    return weighted([(a.const, b)]) if not a.terms else weighted([(b.const, a)])


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.ndim > 2 and b.ndim == 2:
        return matmul(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise Unsupported(f"a product of shapes {a.shape} and {b.shape}")
    out = np.empty((a.shape[0], b.shape[1]), dtype=object)
    constant_b = constant(b)
    if not constant_b and not constant(a):
        raise Rejected("a product of two values")
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            pairs = zip(b[:, j], a[i], strict=True) if constant_b else zip(a[i], b[:, j], strict=True)
            out[i, j] = weighted([(factor.const, form) for factor, form in pairs])
    return out


def constant(array: np.ndarray) -> bool:
    return not any(f.terms for f in array.flat)


def scaled(array: np.ndarray, factor: fmpq) -> np.ndarray:
    return each(array, lambda f: weighted([(factor, f)]))


def plus(a: np.ndarray, b: np.ndarray, sign: int = 1) -> np.ndarray:
    x, y = np.broadcast_arrays(a, b)
    out = np.empty(x.shape, dtype=object)
    for i in np.ndindex(x.shape):
        out[i] = weighted([(fmpq(1), x[i]), (fmpq(sign), y[i])])  # type: ignore[list-item]
    return out


@dataclass
class Network:
    inputs: int
    relus: list[list[Form]]  # per ReLU node, its arguments
    outputs: list[Form]


class Reader:
    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.inputs = claim.positions * claim.alphabet
        self.relus: list[list[Form]] = []
        self.count = self.inputs
        self.tensors: dict[str, np.ndarray] = {}

    def read(self) -> Network:
        model = onnx.load_model_from_string(Path(self.claim.network).read_bytes())
        graph = model.graph
        if any(o.domain not in ("", "ai.onnx") for o in model.opset_import):
            raise Unsupported("other operators than ONNX's own")
        self.opset = next(o.version for o in model.opset_import)
        self.tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        names = [i for i in graph.input if i.name not in self.tensors]
        if len(names) != 1 or len(graph.output) != 1:
            raise Rejected("not one input and one output")
        self.tensors[names[0].name] = self.input_tensor(names[0].type.tensor_type)
        for node in graph.node:
            operator = getattr(self, "op_" + node.op_type.lower(), None)
            if operator is None:
                raise Unsupported(f"operator {node.op_type}")
            arguments = [self.tensors[n] if n else None for n in node.input]
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            self.tensors[node.output[0]] = operator(*arguments, **attributes)
        outputs = list(forms(self.tensors[graph.output[0].name]).flat)
        width, i = self.claim.width, self.claim.position
        if width is not None and len(outputs) != width * (self.claim.longest if self.claim.every else 1):
            raise Rejected("the network's outputs are not the labels")
        if i is not None:
            outputs = outputs[i * width : (i + 1) * width]
        return self.needed(outputs)

    def needed(self, outputs: list[Form]) -> Network:
        """Without the ReLU nodes that no output depends on."""
        starts = np.cumsum([self.inputs] + [len(r) for r in self.relus])
        node_of = {v: k for k in range(len(self.relus)) for v in range(starts[k], starts[k + 1])}
        wanted: set[int] = set()
        todo = list(outputs)
        while todo:
            for k in {node_of[v] for v in todo.pop().terms if v >= self.inputs} - wanted:
                wanted.add(k)
                todo += self.relus[k]
        renamed = {v: v for v in range(self.inputs)}
        for k in sorted(wanted):
            renamed |= {int(v): len(renamed) + i for i, v in enumerate(range(starts[k], starts[k + 1]))}

        def moved(f: Form) -> Form:
            return Form(f.const, {renamed[v]: c for v, c in f.terms.items()})

        return Network(
            self.inputs,
            [[moved(f) for f in self.relus[k]] for k in sorted(wanted)],
            [moved(f) for f in outputs],
        )

    def input_tensor(self, kind: onnx.TypeProto.Tensor) -> np.ndarray:
        p, a = self.claim.positions, self.claim.alphabet
        ids = kind.elem_type == onnx.TensorProto.INT64
        if ids != (self.claim.encoding == "ids"):
            raise Rejected("the input's encoding is not the claim's")
        if ids:
            elements = [Form(fmpq(0), {i * a + s: fmpq(s) for s in range(1, a)}) for i in range(p)]
        else:
            elements = [Form(fmpq(0), {i: fmpq(1)}) for i in range(p * a)]
        shape = tuple(d.dim_value for d in kind.shape.dim)
        full = [(1, p), (p,)] if ids else [(1, p * a), (p * a,), (1, p, a), (p, a)]
        for fit in full:
            if len(fit) == len(shape) and all(d in (0, n) for d, n in zip(shape, fit, strict=True)):
                out = np.empty(len(elements), dtype=object)
                out[:] = elements
                return out.reshape(fit)
        raise Rejected(f"an input of shape {shape} for {p} positions and {a} symbols")

    # operators: docs/reference/semantics.md, 1

    def op_gemm(self, a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0):  # type: ignore[no-untyped-def]
        a, b = (forms(x) for x in (a, b))
        out = matmul(a.T if transA else a, b.T if transB else b)
        if alpha != 1:
            out = scaled(out, exact(alpha))
        if c is None or not beta:
            return out
        return plus(out, forms(c) if beta == 1 else scaled(forms(c), exact(beta)))

    def op_matmul(self, a, b):  # type: ignore[no-untyped-def]
        return matmul(forms(a), forms(b))

    def op_add(self, a, b):  # type: ignore[no-untyped-def]
        return plus(forms(a), forms(b))

    def op_sub(self, a, b):  # type: ignore[no-untyped-def]
        return plus(forms(a), forms(b), -1)

    def op_mul(self, a, b):  # type: ignore[no-untyped-def]
        a, b = np.broadcast_arrays(forms(a), forms(b))
        out = np.empty(a.shape, dtype=object)
        for i in np.ndindex(a.shape):
            out[i] = product(a[i], b[i])
        return out

    def op_neg(self, a):  # type: ignore[no-untyped-def]
        return scaled(forms(a), fmpq(-1))

    def op_relu(self, a):  # type: ignore[no-untyped-def]
        flat = list(forms(a).flat)
        self.relus.append(flat)
        out = np.empty(len(flat), dtype=object)
        out[:] = [Form(fmpq(0), {self.count + i: fmpq(1)}) for i in range(len(flat))]
        self.count += len(flat)
        return out.reshape(a.shape)

    def op_leakyrelu(self, a, alpha=0.01):  # type: ignore[no-untyped-def]
        slope, below = exact(np.float32(alpha)), forms(a)
        above = self.op_relu(below)
        out = np.empty(below.shape, dtype=object)
        for i in np.ndindex(below.shape):
            out[i] = weighted([(slope, below[i]), (1 - slope, above[i])])  # type: ignore[list-item]
        return out

    def op_identity(self, a):  # type: ignore[no-untyped-def]
        return a

    def op_cast(self, a, to):  # type: ignore[no-untyped-def]
        if a.dtype != object and to not in (
            onnx.TensorProto.FLOAT,
            onnx.TensorProto.DOUBLE,
            onnx.TensorProto.INT64,
        ):
            raise Unsupported("a Cast")
        return a if a.dtype == object else a.astype(onnx.helper.tensor_dtype_to_np_dtype(to))

    def op_constant(self, value=None, value_floats=None, value_ints=None):  # type: ignore[no-untyped-def]
        if value is not None:
            return numpy_helper.to_array(value)
        return (
            np.array(value_floats, dtype=np.float32)
            if value_floats is not None
            else np.array(value_ints, dtype=np.int64)
        )

    def op_flatten(self, a, axis=1):  # type: ignore[no-untyped-def]
        return a.reshape(math.prod(a.shape[:axis]), -1)

    def op_reshape(self, a, shape, allowzero=0):  # type: ignore[no-untyped-def]
        sizes = [a.shape[i] if d == 0 and not allowzero else int(d) for i, d in enumerate(shape)]
        return a.reshape(sizes)

    def op_transpose(self, a, perm=None):  # type: ignore[no-untyped-def]
        return a.transpose(perm)

    def op_squeeze(self, a, axes=None):  # type: ignore[no-untyped-def]
        return a.squeeze(None if axes is None else tuple(int(x) for x in axes))

    def op_unsqueeze(self, a, axes):  # type: ignore[no-untyped-def]
        return np.expand_dims(a, tuple(int(x) for x in axes))

    def op_concat(self, *parts, axis):  # type: ignore[no-untyped-def]
        if all(p.dtype != object for p in parts):
            return np.concatenate(parts, axis=axis)
        return np.concatenate([forms(p) for p in parts], axis=axis)

    def op_gather(self, table, indices, axis=0):  # type: ignore[no-untyped-def]
        if indices.dtype != object:
            return np.take(table, indices.astype(np.int64), axis=axis)
        if axis != 0:
            raise Unsupported("a lookup along another axis")
        table = forms(table)
        if any(f.terms for f in table.flat):
            raise Rejected("a table that depends on the input")
        out = np.empty((*indices.shape, *table.shape[1:]), dtype=object)
        for i, form in np.ndenumerate(indices):
            out[i] = self.looked_up(form, table)
        return out

    def looked_up(self, form: Form, table: np.ndarray) -> np.ndarray | Form:
        a = self.claim.alphabet
        at = {v // a for v in form.terms}
        if len(at) != 1:
            raise Unsupported("an index that does not depend on one position")
        p = at.pop()
        rows = []
        for s in range(a):
            index = form.const + form.terms.get(p * a + s, 0)
            if index.q != 1 or not -table.shape[0] <= index < table.shape[0]:
                raise Rejected("an id outside the table")
            rows.append(table[int(index)])
        stack = np.empty((a, *table.shape[1:]), dtype=object)
        stack[:] = rows
        out = np.empty(table.shape[1:], dtype=object)
        for i in np.ndindex(out.shape):
            consts = [stack[(s, *i)].const for s in range(a)]
            out[i] = Form(fmpq(0), {p * a + s: c for s, c in enumerate(consts) if c})
        return out if out.shape else out[()]


def read(claim: Claim) -> Network:
    return Reader(claim).read()
