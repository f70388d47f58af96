"""ONNX bytes -> `Network`: parse, check, walk the graph once over exact symbolic tensors.

First in the flow, after `onnx_files`.  The operators are in `onnx_ops`, what a value is in `onnx_tensors`.  Everything that cannot be
taken exactly is refused by name.
"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...common.deadline import LIMITS, check
from ...common.errors import InputError, TooLarge
from ..network.head import Wanted
from ..network.network import Encoding, Network, dyadic
from .files import load_model, outside, parsed
from .operators import all_operators
from .operators.call import Call
from .operators.head import AFTER, MADE, Squashed, head_of
from .reading import Reading, Step
from .tensors import (  # fmt: skip
    FLOATS,
    INTEGER_RANGES,
    MAX_ELEMENTS,
    Builder,
    Const,
    Lookup,
    OverLimit,
    Refused,
    Tensor,
    Values,
    constant,
    lookup,
)

if TYPE_CHECKING:
    import onnx

OLDEST_OPSET = 7  # before that, broadcasting had other rules
OPERATORS = all_operators()
SHOWN = 12  # refused nodes that are listed one by one
DOMAINS = ("", "ai.onnx.ml")


def load_onnx(
    path: str | Path,
    *,
    positions: int | None = None,
    alphabet: int | None = None,
    real_size: int | None = None,
    wanted: Wanted | None = None,
) -> Network:
    """`read_onnx` of a file; .gz is read in place, and so are weights in files beside it."""
    return load_traced(
        path, positions=positions, alphabet=alphabet, real_size=real_size, wanted=wanted
    ).network


def load_traced(
    path: str | Path,
    *,
    positions: int | None = None,
    alphabet: int | None = None,
    real_size: int | None = None,
    wanted: Wanted | None = None,
) -> Reading:
    """`load_onnx` with the way to the network, for `onnx_agreement`."""
    return trace_onnx(
        load_model(path),
        origin=str(path),
        positions=positions,
        alphabet=alphabet,
        real_size=real_size,
        wanted=wanted,
    )


def read_onnx(
    data: bytes,
    *,
    origin: str,
    positions: int | None = None,
    alphabet: int | None = None,
    real_size: int | None = None,
    wanted: Wanted | None = None,
) -> Network:
    """The network that an ONNX file describes, over the rationals (docs/reference/semantics.md).

    `positions` and `alphabet` are the domain's: with them a float input is read as one-hot (`encoding` "one_hot"), without
    them as real numbers ("real").  An int64 input ("ids") needs them.  `real_size`: how many real numbers one input has, where the
    file's first axis may be a batch of several; large convolutions are sparse then.  `wanted`: the file may have several outputs, and
    end in what is not piecewise linear; the network then ends before that and has a `head`.  Raises InputError.
    """
    return trace_onnx(
        data, origin=origin, positions=positions, alphabet=alphabet, real_size=real_size, wanted=wanted
    ).network


def trace_onnx(
    data: bytes,
    *,
    origin: str,
    positions: int | None = None,
    alphabet: int | None = None,
    real_size: int | None = None,
    wanted: Wanted | None = None,
) -> Reading:
    """`read_onnx` with the way to the network, for `onnx_agreement`."""
    graph = _Graph(data, origin, wanted)
    encoding, start, input_size = graph.entry(positions, alphabet, real_size)
    build = Builder(input_size, graph.opset, sparse=real_size is not None)
    steps: list[Step] = []
    output, head = graph.walk(start, build, steps), None
    try:
        if isinstance(output, Squashed):
            output, head = head_of(output, tuple(graph.ending))
            build.rounding.append(f"{' and '.join(graph.ending)} after the last layer rounds")
        nodes = build.finish(output)
    except Refused as reason:
        raise InputError(
            origin, f"output {graph.output!r}: {reason}", "export a network with float outputs in one row"
        ) from None
    several = graph.output if len(graph.graph.output) > 1 else ""
    network = Network(
        input_size,
        nodes,
        encoding,
        data,
        Path(origin).name or "network",
        tuple(build.rounding),
        several,
        head,
    )
    return Reading(network, start, tuple(steps), tuple(build.nodes), tuple(build.offsets), tuple(build.sizes))


def _type_name(code: int) -> str:
    from onnx import TensorProto

    if code not in TensorProto.DataType.values():
        return f"type {code}"
    name = TensorProto.DataType.Name(code).lower()  # type: ignore[arg-type]
    return {"float": "float32", "double": "float64"}.get(name, name)


def _element_type(value: onnx.TypeProto) -> int:
    """Of a tensor, or of the values in a sequence of dictionaries (ZipMap)."""
    if value.HasField("sequence_type") and value.sequence_type.elem_type.HasField("map_type"):
        value = value.sequence_type.elem_type.map_type.value_type
    return value.tensor_type.elem_type


class _Graph:
    """A parsed file that passed every check that needs no arithmetic."""

    def __init__(self, data: bytes, origin: str, wanted: Wanted | None) -> None:
        self.origin, self.wanted = origin, wanted
        self.ending: list[str] = []  # operators that make what is not piecewise linear
        self.model = parsed(data, origin)
        self.graph = self.model.graph
        self.opset = self._opset()
        if len(self.model.functions):
            raise self._error("the file defines functions of its own", "export with functions inlined")
        if (name := outside(self.model)) is not None:
            raise self._error(
                f"tensor {name!r} lies in another file", "save the model with its weights inside"
            )
        self._initialisers = {t.name: t for t in self.graph.initializer}
        self._sparse = {t.values.name: t for t in self.graph.sparse_initializer}
        self.output = self._chosen_output()
        self._order = self._needed(self._sorted()) if len(self.graph.output) > 1 else self._sorted()

    def _error(self, what: str, mend: str = "") -> InputError:
        return InputError(self.origin, what, mend)

    def _opset(self) -> int:
        from onnx.defs import onnx_opset_version

        versions = {o.domain: o.version for o in self.model.opset_import}
        version = versions.get("", versions.get("ai.onnx"))
        if version is None:
            raise self._error("the file names no ONNX opset", "export it again as a complete ONNX model")
        if not OLDEST_OPSET <= version <= onnx_opset_version():
            raise self._error(
                f"opset {version} is not known (known: {OLDEST_OPSET} to {onnx_opset_version()})",
                "export with opset 13",
            )
        self._versions = versions | {"": int(version)}
        return int(version)

    def _chosen_output(self) -> str:
        names = [str(v.name) for v in self.graph.output]
        if len(names) == 1:
            return names[0]
        if self.wanted is not None:
            if self.wanted.name in names:
                return self.wanted.name
            if 1 < self.wanted.count == len(names):
                return names[self.wanted.place]
            floats = [str(v.name) for v in self.graph.output if _type_name(_element_type(v.type)) in FLOATS]
            if len(floats) == 1:
                return floats[0]
        raise self._error(f"the graph has {len(names)} outputs{_listed(names)}", "keep one output")

    def _needed(self, order: list[tuple[int, onnx.NodeProto]]) -> list[tuple[int, onnx.NodeProto]]:
        """Only the nodes that the output stands on."""
        needed, kept = {self.output}, []
        for i, node in reversed(order):
            if needed & set(node.output):
                needed.update(node.input)
                kept.append((i, node))
        return kept[::-1]

    def _sorted(self) -> list[tuple[int, onnx.NodeProto]]:
        """The nodes with their numbers in the file, each after those it reads.  Raises on cycles and undefined or repeated names."""
        known = {v.name for v in self.graph.input} | set(self._initialisers) | set(self._sparse)
        maker: dict[str, int] = {}
        for i, node in enumerate(self.graph.node):
            for name in node.output:
                if name and (name in known or name in maker):
                    raise self._error(
                        f"{_title(i, node)}: its output {name!r} is defined twice",
                        "the file is damaged: export it again",
                    )
                maker[name] = i
        readers: dict[int, list[int]] = {}
        missing = []
        for i, node in enumerate(self.graph.node):
            for name in node.input:
                if name and name not in known and name not in maker:
                    raise self._error(
                        f"{_title(i, node)}: its input {name!r} is not defined",
                        "the file is damaged: export it again",
                    )
            makers = {maker[name] for name in node.input if name and name not in known}
            missing.append(len(makers))
            for j in makers:
                readers.setdefault(j, []).append(i)
        if self.output not in known and self.output not in maker:
            raise self._error(
                f"the output {self.output!r} is not computed by any node",
                "the file is damaged: export it again",
            )
        ready = [i for i, n in enumerate(missing) if n == 0]
        heapify(ready)
        order = []
        while ready:
            i = heappop(ready)
            order.append((i, self.graph.node[i]))
            for j in readers.get(i, ()):
                missing[j] -= 1
                if missing[j] == 0:
                    heappush(ready, j)
        if len(order) < len(self.graph.node):
            i = next(i for i, n in enumerate(missing) if n)
            title = _title(i, self.graph.node[i])
            raise self._error(
                f"{title}: it depends on its own output (a cycle)", "the file is damaged: export it again"
            )
        return order

    def entry(
        self, positions: int | None, alphabet: int | None, real_size: int | None = None
    ) -> tuple[Encoding, tuple[str, Tensor], int]:
        """How the file takes its input: the encoding, the input's name and tensor, and the size of the network's input vector."""
        inputs = [
            v for v in self.graph.input if v.name not in self._initialisers and v.name not in self._sparse
        ]
        if len(inputs) != 1:
            raise self._error(
                f"the graph has {len(inputs)} inputs{_listed([v.name for v in inputs])}", "keep one input"
            )
        value = inputs[0]
        dtype = _type_name(value.type.tensor_type.elem_type)
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise self._error(f"the input {value.name!r} has no shape", "export with a fixed input shape")
        dims = [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim]
        if dtype == "int64":
            if positions is None or alphabet is None:
                what = f"the input {value.name!r} is token ids (int64)"
                raise self._error(what, "give the domain (a claim file): it says how many words there are")
            shape = self._resolved(value.name, dims, [(positions,)])
            if math.prod(shape) != positions:
                what = f"the input takes {math.prod(shape)} ids, the domain has {positions} positions"
                raise self._error(what, "check [domain] length, prefix and suffix")
            where = np.arange(positions).reshape(shape)
            table = np.broadcast_to(np.arange(alphabet), (*shape, alphabet))
            self._fits(positions * alphabet)
            return "ids", (value.name, lookup(where, table, "int64")), positions * alphabet
        if dtype not in FLOATS:
            mend = "use int64 ids or a float32 one-hot vector" if dtype in INTEGER_RANGES else "use float32"
            raise self._error(f"the input {value.name!r} has type {dtype}", mend)
        one_hot = positions is not None and alphabet is not None
        shape = self._resolved(
            value.name,
            dims,
            [(positions * alphabet,), (positions, alphabet)] if positions and alphabet else [],
        )
        if real_size is not None and len(shape) > 1 and shape[0] > 1 and math.prod(shape[1:]) == real_size:
            shape = (1, *shape[1:])  # a batch of several inputs: the question is about one
        size = math.prod(shape)
        self._fits(size)
        if positions and alphabet and size == positions * alphabet:
            plain = [d for d in shape if d != 1]
            if plain not in ([d for d in (positions, alphabet) if d != 1], [d for d in (size,) if d != 1]):
                what = (
                    f"the input's shape {list(shape)} is neither [1, {size}] nor [1, {positions}, {alphabet}]"
                )
                raise self._error(what, "put positions first, then words")
        return (
            "one_hot" if one_hot else "real",
            (value.name, Values(np.arange(size).reshape(shape), dtype)),
            size,
        )

    def _fits(self, size: int) -> None:
        if not 0 < size <= MAX_ELEMENTS:
            raise self._error(f"the input has {size} values, the limit is {MAX_ELEMENTS}")

    def _resolved(
        self, name: str, dims: list[int | None], candidates: list[tuple[int, ...]]
    ) -> tuple[int, ...]:
        """The input's shape: a dynamic batch axis is 1, other dynamic axes come from the domain."""
        if None not in dims:
            return tuple(d for d in dims if d is not None)
        batched = [1, *dims[1:]] if len(dims) > 1 and dims[0] is None else dims
        if None not in batched:
            return tuple(d for d in batched if d is not None)
        for shape in candidates:
            for full in ((1, *shape), shape):
                if len(full) == len(batched) and all(
                    d is None or d == e for d, e in zip(batched, full, strict=True)
                ):
                    return full
        shown = ["?" if d is None else d for d in dims]
        raise self._error(
            f"the input {name!r} has the open shape [{', '.join(map(str, shown))}]",
            "export with a fixed input shape",
        )

    def walk(self, start: tuple[str, Tensor], build: Builder, steps: list[Step]) -> Tensor:
        """Every node's value, in order, which `steps` gets; raises one InputError that lists all nodes that cannot be taken."""
        values: dict[str, Tensor | None] = dict(
            [start]
        )  # None: could not be computed, and why is in `refused`
        refused: list[str] = []
        only_large = True
        for i, node in self._order:
            check()
            first, build.label = len(build.nodes), _title(i, node)
            try:
                result = self._evaluated(node, values, build)
            except Refused as reason:
                refused.append(f"{_title(i, node)}: {reason}")
                only_large &= isinstance(reason, OverLimit)
                result = None
            values.update(dict.fromkeys((name for name in node.output if name), None))
            results = result if isinstance(result, tuple) else (result,)
            made = {name: r for name, r in zip(node.output, results, strict=False) if name and r is not None}
            values.update(made)
            read = {name: r for name in node.input if (r := values.get(name)) is not None}
            factor = 1.0 + sum(abs(v) for a in node.attribute for v in (a.f, *a.floats))
            shown = {name: r for name, r in made.items() if isinstance(r, Const | Values | Lookup)}
            steps.append(
                Step(build.label, read, shown, first, len(build.nodes), build.hidden.get(build.label), factor)
            )
        if refused:
            more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
            what = f"cannot take {len(refused)} node{'s' if len(refused) > 1 else ''}: {', '.join(refused[:SHOWN])}{more}"
            raise (TooLarge if only_large else InputError)(
                self.origin, what, "see docs/reference/semantics.md for the operators"
            )
        self._schema()
        found = values[self.output] if self.output in values else self._stored(self.output)
        if found is None:
            raise self._error(
                f"the output {self.output!r} is a secondary output of its node, which is not supported",
                "keep one output",
            )
        return found

    def _schema(self) -> None:
        """What the ONNX project's own checker has against the file."""
        from onnx import ModelProto, checker

        model = ModelProto()
        model.CopyFrom(self.model)
        del model.graph.node[:]
        model.graph.node.extend(node for _, node in self._sorted())  # onnxruntime sorts too
        del model.graph.value_info[:]
        for value in model.graph.output:
            if not value.type.HasField("tensor_type"):
                continue
            value.type.tensor_type.shape.SetInParent()  # an output may leave its shape out; the checker would not have it
        try:
            checker.check_model(model)
        except LIMITS:
            raise
        except Exception as error:
            raise self._error(
                f"is no valid ONNX model ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
            ) from None

    def _evaluated(
        self, node: onnx.NodeProto, values: dict[str, Tensor | None], build: Builder
    ) -> Tensor | tuple[Tensor, ...] | None:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain not in DOMAINS:
            raise Refused(f"operators of the domain {domain!r} are not supported")
        operator = f"{domain}.{node.op_type}" if domain else node.op_type
        heads = self.wanted is not None
        if operator not in OPERATORS and not (heads and (operator in MADE or operator in AFTER)):
            raise Refused("the operator is not supported")
        inputs = []
        for name in node.input:
            if name and name not in values:
                values[name] = self._stored(name)
            inputs.append(values[name] if name else None)
        if any(x is None and name for x, name in zip(inputs, node.input, strict=True)):
            secondary = {n for other in self.graph.node for n in other.output[1:]}
            if secondary & set(node.input):
                raise Refused("it reads a secondary output of a node")
            return None  # it stands on a node that is refused already
        self._fits_schema(node, domain)
        attributes = {a.name: self._attribute(a) for a in node.attribute}
        function = (
            OPERATORS.get(operator) or MADE.get(operator) or AFTER[operator]
        )  # ZipMap and others are in AFTER only
        if any(isinstance(x, Squashed) for x in inputs):
            if operator not in AFTER:
                raise Refused(f"it takes what {self.ending[-1]} gives, which is not piecewise linear")
            function = AFTER[operator]
        if operator in MADE:
            self.ending.append(node.op_type)
        return function(Call(tuple(inputs), attributes, build, len(node.output)))

    def _fits_schema(self, node: onnx.NodeProto, domain: str) -> None:
        """Attributes of the right names and types, and as many inputs as the operator has at this opset."""
        from onnx.defs import SchemaError, get_schema

        opset = self._versions.get(domain)
        if opset is None:
            raise Refused(f"the file names no opset of {domain}")
        try:
            schema = get_schema(node.op_type, opset, domain)
        except SchemaError:
            raise Refused(f"opset {opset} has no such operator") from None
        if not schema.min_input <= len(node.input) <= schema.max_input:
            raise Refused(f"it has {len(node.input)} inputs")
        for a in node.attribute:
            if a.name not in schema.attributes:
                raise Refused(f"opset {opset} knows no attribute {a.name!r}")
            if a.type != schema.attributes[a.name].type.value:  # type: ignore[attr-defined]
                raise Refused(f"attribute {a.name!r} has the wrong type")

    def _stored(self, name: str) -> Tensor:
        if name in self._sparse:
            return self._dense(self._sparse[name])
        return self._constant(self._initialisers[name])

    def _attribute(self, a: onnx.AttributeProto) -> Any:
        from onnx import AttributeProto, helper

        if a.type == AttributeProto.TENSOR:
            return self._constant(a.t)
        if a.type == AttributeProto.SPARSE_TENSOR:
            return self._dense(a.sparse_tensor)
        if a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            raise Refused("it holds a graph of its own (control flow)")
        if a.ref_attr_name:
            raise Refused(f"attribute {a.name!r} refers to a function")
        try:
            value = helper.get_attribute_value(a)
        except ValueError as error:
            raise Refused(f"attribute {a.name!r} cannot be read ({error})") from None
        if a.name in ("to", "output_dtype"):
            return _type_name(value)
        if a.type in (AttributeProto.FLOAT, AttributeProto.FLOATS) and not np.isfinite(value).all():
            raise Refused(f"attribute {a.name!r} holds NaN or infinity")
        return value

    def _constant(self, t: onnx.TensorProto) -> Const:
        from onnx import numpy_helper

        dtype = _type_name(t.data_type)
        if dtype not in FLOATS and dtype not in INTEGER_RANGES:
            raise Refused(f"tensor {t.name!r} has type {dtype}")
        if math.prod(t.dims) > 4 * MAX_ELEMENTS or any(d < 0 for d in t.dims):
            raise self._error(
                f"tensor {t.name!r} has the shape {list(t.dims)}, over the limit of {4 * MAX_ELEMENTS} elements"
            )
        try:
            array = numpy_helper.to_array(t)
        except LIMITS:
            raise
        except Exception as error:
            raise self._error(
                f"tensor {t.name!r} does not hold what its shape {list(t.dims)} says ({error})",
                "export it again",
            ) from None
        if dtype in INTEGER_RANGES:
            return constant(array, 1, dtype)
        with np.errstate(invalid="ignore"):  # what a cast of NaN would warn of is what is being asked
            finite = np.isfinite(array.astype(np.float64)).all()
        if not finite:
            raise self._error(f"tensor {t.name!r} holds NaN or infinity", "retrain or repair the weights")
        numerators, denominator = dyadic(array)
        return Const(numerators, denominator, dtype)

    def _dense(self, t: onnx.SparseTensorProto) -> Const:
        entries, index = self._constant(t.values), self._constant(t.indices).numerators
        shape = tuple(t.dims)
        if math.prod(shape) > MAX_ELEMENTS or any(d < 0 for d in shape):
            raise self._error(
                f"sparse tensor {t.values.name!r} has the shape {list(shape)}, over the limit of {MAX_ELEMENTS} elements"
            )
        dense = np.zeros(math.prod(shape), dtype=entries.numerators.dtype)
        try:
            flat = index if index.ndim == 1 else np.ravel_multi_index(tuple(index.T), shape)
            if (np.asarray(flat) < 0).any():
                raise IndexError("negative index")
            dense[flat] = entries.numerators
        except (ValueError, IndexError, TypeError) as error:
            raise self._error(
                f"sparse tensor {t.values.name!r} does not fit its shape {list(shape)} ({error})"
            ) from None
        return Const(dense.reshape(shape), entries.denominator, entries.dtype)


def _title(i: int, node: onnx.NodeProto) -> str:
    name = f"{node.name} " if node.name else ""  # bytes where a damaged file holds no UTF-8
    return f"node {i} {name}({node.op_type})"


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})" if names else ""
