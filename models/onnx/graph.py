"""A parsed ONNX file: its nodes in order, its input and output, and all checks that need no arithmetic.

After `files.py`, before `reader.py`, which evaluates the nodes.  The file may come from anywhere: every error
is an InputError that names the place and a remedy.
"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from ...common.deadline import LIMITS
from ...common.errors import InputError
from ..network.head import Wanted
from ..network.network import Encoding
from .files import outside, parsed
from .stored import type_name
from .tensors import FLOATS, INTEGER_RANGES, MAX_ELEMENTS, Refused, Tensor, Values, lookup

if TYPE_CHECKING:
    import onnx

OLDEST_OPSET = 7  # older opsets broadcast by other rules
LISTED = 12  # names that are listed in a message


def _element_type(value: onnx.TypeProto) -> int:
    """Return the element type of a tensor, or of the values in a sequence of dictionaries (ZipMap)."""
    if value.HasField("sequence_type") and value.sequence_type.elem_type.HasField("map_type"):
        value = value.sequence_type.elem_type.map_type.value_type
    return value.tensor_type.elem_type


class OnnxGraph:
    """The graph of a file.

    - `order`: the nodes that the output needs, each after those that it reads, with their numbers in the
      file.
    - `initialisers` and `sparse`: the stored tensors by name.
    - `output`: the name of the output that is read.

    `wanted`: which output that is, if there are several.  Raises InputError.
    """

    def __init__(self, data: bytes, origin: str, wanted: Wanted | None) -> None:
        self.origin, self.wanted = origin, wanted
        self.model = parsed(data, origin)
        self.graph = self.model.graph
        self.opset = self._opset()
        if len(self.model.functions):
            raise self.error("the file defines functions of its own", "export with functions inlined")
        if (name := outside(self.model)) is not None:
            raise self.error(
                f"tensor {name!r} lies in another file", "save the model with its weights inside"
            )
        self.initialisers = {t.name: t for t in self.graph.initializer}
        self.sparse = {t.values.name: t for t in self.graph.sparse_initializer}
        self.output = self._chosen_output()
        self.order = self._needed(self._sorted()) if len(self.graph.output) > 1 else self._sorted()

    def error(self, what: str, mend: str = "") -> InputError:
        """Return the error that says what is wrong with the file, and how to mend it."""
        return InputError(self.origin, what, mend)

    def _opset(self) -> int:
        from onnx.defs import onnx_opset_version

        versions = {o.domain: o.version for o in self.model.opset_import}
        version = versions.get("", versions.get("ai.onnx"))
        if version is None:
            raise self.error("the file names no ONNX opset", "export it again as a complete ONNX model")
        if not OLDEST_OPSET <= version <= onnx_opset_version():
            raise self.error(
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
            floats = [str(v.name) for v in self.graph.output if type_name(_element_type(v.type)) in FLOATS]
            if len(floats) == 1:
                return floats[0]
        raise self.error(f"the graph has {len(names)} outputs{_listed(names)}", "keep one output")

    def _needed(self, order: list[tuple[int, onnx.NodeProto]]) -> list[tuple[int, onnx.NodeProto]]:
        """Return only the nodes that the output depends on."""
        needed, kept = {self.output}, []
        for i, node in reversed(order):
            if needed & set(node.output):
                needed.update(node.input)
                kept.append((i, node))
        return kept[::-1]

    def _sorted(self) -> list[tuple[int, onnx.NodeProto]]:
        """Return the nodes with their numbers in the file, each after those that it reads.

        Raises InputError on cycles and on undefined or repeated names.
        """
        known = {v.name for v in self.graph.input} | set(self.initialisers) | set(self.sparse)
        maker: dict[str, int] = {}
        for i, node in enumerate(self.graph.node):
            for name in node.output:
                if name and (name in known or name in maker):
                    raise self.error(
                        f"{title(i, node)}: its output {name!r} is defined twice",
                        "the file is damaged: export it again",
                    )
                maker[name] = i
        readers: dict[int, list[int]] = {}
        missing = []
        for i, node in enumerate(self.graph.node):
            for name in node.input:
                if name and name not in known and name not in maker:
                    raise self.error(
                        f"{title(i, node)}: its input {name!r} is not defined",
                        "the file is damaged: export it again",
                    )
            makers = {maker[name] for name in node.input if name and name not in known}
            missing.append(len(makers))
            for j in makers:
                readers.setdefault(j, []).append(i)
        if self.output not in known and self.output not in maker:
            raise self.error(
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
            where = title(i, self.graph.node[i])
            raise self.error(
                f"{where}: it depends on its own output (a cycle)", "the file is damaged: export it again"
            )
        return order

    def entry(
        self, positions: int | None, alphabet: int | None, real_size: int | None = None
    ) -> tuple[Encoding, tuple[str, Tensor], int]:
        """Return the encoding, the input's name with its tensor, and the size of the network's input vector.

        `positions` and `alphabet` are those of the domain, if there is one; `real_size` is how many real
        numbers one input has.  Raises InputError.
        """
        inputs = [
            v for v in self.graph.input if v.name not in self.initialisers and v.name not in self.sparse
        ]
        if len(inputs) != 1:
            raise self.error(
                f"the graph has {len(inputs)} inputs{_listed([v.name for v in inputs])}", "keep one input"
            )
        value = inputs[0]
        dtype = type_name(value.type.tensor_type.elem_type)
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise self.error(f"the input {value.name!r} has no shape", "export with a fixed input shape")
        dims = [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim]
        if dtype == "int64":
            if positions is None or alphabet is None:
                what = f"the input {value.name!r} is token ids (int64)"
                raise self.error(what, "give the domain (a claim file): it says how many words there are")
            shape = self._resolved(value.name, dims, [(positions,)])
            if math.prod(shape) != positions:
                what = f"the input takes {math.prod(shape)} ids, the domain has {positions} positions"
                raise self.error(what, "check [domain] length, prefix and suffix")
            where = np.arange(positions).reshape(shape)
            table = np.broadcast_to(np.arange(alphabet), (*shape, alphabet))
            self._fits(positions * alphabet)
            return "ids", (value.name, lookup(where, table, "int64")), positions * alphabet
        if dtype not in FLOATS:
            mend = "use int64 ids or a float32 one-hot vector" if dtype in INTEGER_RANGES else "use float32"
            raise self.error(f"the input {value.name!r} has type {dtype}", mend)
        one_hot = positions is not None and alphabet is not None
        shape = self._resolved(
            value.name,
            dims,
            [(positions * alphabet,), (positions, alphabet)] if positions and alphabet else [],
        )
        if real_size is not None and len(shape) > 1 and shape[0] > 1 and math.prod(shape[1:]) == real_size:
            shape = (1, *shape[1:])  # a batch of several inputs: read it for one
        size = math.prod(shape)
        self._fits(size)
        if positions and alphabet and size == positions * alphabet:
            plain = [d for d in shape if d != 1]
            if plain not in ([d for d in (positions, alphabet) if d != 1], [d for d in (size,) if d != 1]):
                what = (
                    f"the input's shape {list(shape)} is neither [1, {size}] nor [1, {positions}, {alphabet}]"
                )
                raise self.error(what, "put positions first, then words")
        return (
            "one_hot" if one_hot else "real",
            (value.name, Values(np.arange(size).reshape(shape), dtype)),
            size,
        )

    def _fits(self, size: int) -> None:
        if not 0 < size <= MAX_ELEMENTS:
            raise self.error(f"the input has {size} values, the limit is {MAX_ELEMENTS}")

    def _resolved(
        self, name: str, dims: list[int | None], candidates: list[tuple[int, ...]]
    ) -> tuple[int, ...]:
        """Return the input's shape.  An open batch axis is 1, other open axes come from `candidates`."""
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
        raise self.error(
            f"the input {name!r} has the open shape [{', '.join(map(str, shown))}]",
            "export with a fixed input shape",
        )

    def check_schema(self) -> None:
        """Run the ONNX project's own checker on the graph.  Raises InputError."""
        from onnx import ModelProto, checker

        model = ModelProto()
        model.CopyFrom(self.model)
        del model.graph.node[:]
        model.graph.node.extend(node for _, node in self._sorted())  # the checker wants them sorted
        del model.graph.value_info[:]
        for value in model.graph.output:
            if not value.type.HasField("tensor_type"):
                continue
            # An output may leave its shape out, but the checker insists on one.
            value.type.tensor_type.shape.SetInParent()
        try:
            checker.check_model(model)
        except LIMITS:
            raise
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self.error(f"is not a valid ONNX model ({reason})") from None

    def check_node(self, node: onnx.NodeProto, domain: str) -> None:
        """Check a node against its operator's schema: number of inputs, names and types of attributes.

        Raises Refused.
        """
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


def title(i: int, node: onnx.NodeProto) -> str:
    """Return a node's name for messages: its number, name and operator."""
    name = f"{node.name} " if node.name else ""  # it may be bytes, in a damaged file
    return f"node {i} {name}({node.op_type})"


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names[:LISTED])}{', ...' if len(names) > LISTED else ''})" if names else ""
