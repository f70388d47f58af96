"""From ONNX bytes to a `Network`: walk the graph once, over exact symbolic tensors.

The first step with a network, after `files.py` and `graph.py`.  The operators are in `operators/`, what a
value is in `tensors.py`.  Whatever cannot be taken exactly is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.deadline import check
from ...common.errors import InputError, TooLarge
from ..network.head import Wanted
from ..network.network import Network
from .builder import Builder
from .files import load_model
from .graph import OnnxGraph, title
from .heads import head_of
from .operators.call import Call
from .operators.registry import Result, all_operators
from .reading import OnnxReading, OnnxStep
from .stored import StoredTensors
from .tensors import Const, HeadValues, Lookup, OverLimit, Refused, Tensor, Values

if TYPE_CHECKING:
    import onnx

REGISTRY = all_operators()
LISTED = 12  # refused nodes that are listed one by one
DOMAINS = ("", "ai.onnx.ml")


def load_onnx(
    path: str | Path,
    *,
    positions: int | None = None,
    alphabet: int | None = None,
    real_size: int | None = None,
    wanted: Wanted | None = None,
) -> Network:
    """Read a file with `read_onnx`.  Files in .gz are unpacked, and weights may lie in files beside it."""
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
) -> OnnxReading:
    """Read a file with `trace_onnx`."""
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
    """Return the network that an ONNX file describes, over the rationals (docs/reference/semantics.md).

    - `data`: the file's bytes; `origin`: its name in messages.
    - `positions` and `alphabet`: those of the domain.  With them, a float input is read as one-hot (encoding
      "one_hot"), else as real numbers ("real").  An int64 input ("ids") needs them.
    - `real_size`: how many real numbers one input has, if the file's first axis may be a batch of several.
      Large convolutions are then kept sparse.
    - `wanted`: the output to read, if there are several.  With it, the file may also end in operators that
      are not piecewise linear: the network then ends before them and has a `head`.

    Raises InputError, which lists all nodes that cannot be taken.
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
) -> OnnxReading:
    """Read as `read_onnx` does, and also return how each node was read, for `agreement.py`."""
    graph = OnnxGraph(data, origin, wanted)
    encoding, start, input_size = graph.entry(positions, alphabet, real_size)
    build = Builder(input_size, graph.opset, sparse=real_size is not None)
    walk = _GraphWalk(graph, start, build)
    output, head = walk.run(), None
    try:
        if isinstance(output, HeadValues):
            output, head = head_of(output, tuple(walk.ending))
            build.rounding.append(f"{' and '.join(walk.ending)} after the last layer rounds")
        nodes = build.finish(output)
    except Refused as reason:
        raise InputError(
            origin, f"output {graph.output!r}: {reason}", "export a network with float outputs in one row"
        ) from None
    network = Network(
        input_size=input_size,
        nodes=nodes,
        encoding=encoding,
        source=data,
        name=Path(origin).name or "network",
        rounding=tuple(build.rounding),
        output=graph.output if len(graph.graph.output) > 1 else "",
        head=head,
    )
    places = (tuple(build.nodes), tuple(build.offsets), tuple(build.sizes))
    return OnnxReading(network, start, tuple(walk.steps), *places)


class _GraphWalk:
    """The nodes of a graph, evaluated one after the other.

    - `values`: the tensors so far by name, None for those that could not be computed.
    - `ending`: the operators that end the network, by name.
    - `steps`: what each node became.
    """

    def __init__(self, graph: OnnxGraph, start: tuple[str, Tensor], build: Builder) -> None:
        self.graph, self.build = graph, build
        self.stored = StoredTensors(graph.origin)
        self.values: dict[str, Tensor | HeadValues | None] = dict([start])
        self.ending: list[str] = []
        self.steps: list[OnnxStep] = []
        ends = () if graph.wanted is None else (REGISTRY.after_heads, REGISTRY.heads)
        self._known = {name: f for table in (*ends, REGISTRY.plain) for name, f in table.items()}

    def run(self) -> Tensor | HeadValues:
        """Evaluate all nodes and return the output.

        Raises one InputError that lists all nodes that cannot be taken (TooLarge if all are too large).
        """
        refused: list[str] = []
        only_large = True
        for i, node in self.graph.order:
            check()
            first, self.build.label = len(self.build.nodes), title(i, node)
            try:
                result = self._evaluated(node)
            except Refused as reason:
                refused.append(f"{title(i, node)}: {reason}")
                only_large &= isinstance(reason, OverLimit)
                result = None
            self.values.update(dict.fromkeys((name for name in node.output if name), None))
            results = result if isinstance(result, tuple) else (result,)
            made = {name: r for name, r in zip(node.output, results, strict=False) if name and r is not None}
            self.values.update(made)
            self.steps.append(self._step(node, made, first))
        if refused:
            more = f" and {len(refused) - LISTED} more" if len(refused) > LISTED else ""
            nodes = f"{len(refused)} node{'s' if len(refused) > 1 else ''}"
            raise (TooLarge if only_large else InputError)(
                self.graph.origin,
                f"cannot take {nodes}: {', '.join(refused[:LISTED])}{more}",
                "see docs/reference/semantics.md for the operators",
            )
        self.graph.check_schema()
        output = self.graph.output
        found = self.values[output] if output in self.values else self._stored(output)
        if found is None:
            raise self.graph.error(
                f"the output {output!r} is a secondary output of its node, which is not supported",
                "keep one output",
            )
        return found

    def _step(self, node: onnx.NodeProto, made: Mapping[str, Tensor | HeadValues], first: int) -> OnnxStep:
        """Record what a node read and made, for the comparison with onnxruntime."""
        values = ((name, self.values.get(name)) for name in node.input)
        return OnnxStep(
            title=self.build.label,
            inputs={name: x for name, x in values if x is not None},
            outputs={name: x for name, x in made.items() if isinstance(x, Const | Values | Lookup)},
            first=first,
            last=len(self.build.nodes),
            hidden=self.build.hidden.get(self.build.label),
            factor=1.0 + sum(abs(v) for a in node.attribute for v in (a.f, *a.floats)),
        )

    def _evaluated(self, node: onnx.NodeProto) -> Result | None:
        """Return what a node gives, None if it depends on a node that was refused.  Raises Refused."""
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain not in DOMAINS:
            raise Refused(f"operators of the domain {domain!r} are not supported")
        operator = f"{domain}.{node.op_type}" if domain else node.op_type
        if operator not in self._known:
            raise Refused("the operator is not supported")
        inputs = []
        for name in node.input:
            if name and name not in self.values:
                self.values[name] = self._stored(name)
            inputs.append(self.values[name] if name else None)
        if any(x is None and name for x, name in zip(inputs, node.input, strict=True)):
            secondary = {n for other in self.graph.graph.node for n in other.output[1:]}
            if secondary & set(node.input):
                raise Refused("it reads a secondary output of a node")
            return None
        self.graph.check_node(node, domain)
        attributes = {a.name: self.stored.attribute(a) for a in node.attribute}
        if any(isinstance(x, HeadValues) for x in inputs):
            if operator not in REGISTRY.after_heads:
                raise Refused(f"it reads the result of {self.ending[-1]}, which is not piecewise linear")
            function = REGISTRY.after_heads[operator]
        else:
            function = self._known[operator]
        if operator in REGISTRY.heads:
            self.ending.append(node.op_type)
        return function(Call(tuple(inputs), attributes, self.build, len(node.output)))

    def _stored(self, name: str) -> Tensor:
        if name in self.graph.sparse:
            return self.stored.dense(self.graph.sparse[name])
        return self.stored.constant(self.graph.initialisers[name])
