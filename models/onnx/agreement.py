"""Is the network that was read the one that runs?  A file in onnxruntime, compared node by node.

After `reader.py`, before a proof about the network is believed.  Every inner value of the file becomes an
output of a copy.  Each node is judged on the numbers that onnxruntime itself fed into it.  So the rounding of
earlier nodes does not add up, the bound is as tight for deep networks as for flat ones, and the first node
that differs is the one that is named.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...common.errors import InputError, TooLarge
from ..network.exact_point import exact_outputs
from ..network.head import Choice, Head
from ..network.head_result import result
from ..network.network import Network, Relu
from ..network.runtime import OnnxRuntime, RuntimeUnavailable, Session
from .reading import OnnxReading, OnnxStep
from .rounding import Rounding, affine, numbers
from .tensors import FLOATS, Const, Lookup, Tensor, Values

MOST_VALUES = 1 << 22  # of all nodes together, on one batch
LARGEST = 1 << 27  # values of all nodes together, on one input; larger networks are refused
SHOWN = 8  # numbers of an input that are shown in a message
RESULTS, COARSE = 4, 1e-3  # inputs on which a head's results are compared, and the relative tolerance
MEND = (
    "write it with other operators; if onnxruntime follows the ONNX text here,"
    " the reader is wrong: please report it"
)


def compare(reading: OnnxReading, inputs: np.ndarray, deadline: float = math.inf) -> str:
    """Run the file on `inputs` and compare every node with the reading.

    - `inputs`: (batch, values), as the network takes them, one-hot or real.
    - `deadline`: of time.monotonic, in seconds; no batch is begun after it.

    Returns why that was not done, or "".  Raises InputError, which names the first node that onnxruntime
    computes differently, beyond rounding, and TooLarge.
    """
    name, size = reading.network.name, reading.offsets[-1] + reading.sizes[-1]
    if size > LARGEST:
        raise TooLarge(
            name,
            f"has {size} inner values, too many to compare them with onnxruntime's (at most {LARGEST})",
            "use a smaller network",
        )
    if time.monotonic() > deadline:
        return f"there was no time to run {name} in onnxruntime"
    try:
        shown = _Shown(reading)
        batch = max(1, MOST_VALUES // size)
        for start in range(0, len(inputs), batch):
            if start and time.monotonic() > deadline:
                break
            some = inputs[start : start + batch]
            _Comparison(reading, some.astype(np.float64), shown.values(some)).check()
        if reading.network.head is not None:
            _same_results(reading.network, reading.network.head, inputs[:RESULTS])
    except RuntimeUnavailable as error:
        return str(error)
    return ""


def _same_results(network: Network, head: Head, inputs: np.ndarray) -> None:
    """Compare what the file makes of its logits.  Coarsely: another axis, or another class, is far off.

    Raises InputError.
    """
    runtime = OnnxRuntime(network)
    for x in inputs.astype(runtime.input_type):
        got = runtime.run(x[None])[0].astype(np.float64)
        logits = exact_outputs(network, [Fraction(float(v)) for v in x])
        for k, element in enumerate(head.elements):
            expected = float(result(element, logits))
            if isinstance(element, Choice):
                last, best = (
                    sorted(float(logits[i]) if i >= 0 else 0.0 for i in element.group)[-2:]
                    if len(element.group) > 1
                    else (0.0, 1.0)
                )
                if best - last <= COARSE * (1 + abs(best)):
                    continue  # rounding may choose another class
            if not abs(got[k] - expected) <= COARSE * (1 + abs(expected)):
                operators, result_number = " and ".join(head.operators), k + 1
                what = (
                    f"{operators}: onnxruntime gives {got[k]:.9g} where the reader has {expected:.9g}"
                    f" as result {result_number}"
                )
                raise InputError(network.name, what, MEND)


class _Shown:
    """A copy of the file whose outputs are all its inner values."""

    def __init__(self, reading: OnnxReading) -> None:
        import onnx

        self.input, self.entry = reading.entry
        self.names = [name for step in reading.steps for name in step.outputs]
        model = onnx.ModelProto.FromString(reading.network.source)
        del model.graph.value_info[:], model.graph.output[:]
        for value in model.graph.input:
            if value.name == self.input:  # several inputs at once: the reader takes one
                del value.type.tensor_type.shape.dim[:]
                for d in self.entry.shape:
                    value.type.tensor_type.shape.dim.add().dim_value = d
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self.names)
        self.session = Session(model.SerializeToString(), reading.network.name)

    def values(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return every inner tensor: (batch, *shape)."""
        fed = inputs.reshape(
            len(inputs), *self.entry.shape, *((-1,) if isinstance(self.entry, Lookup) else ())
        )
        fed = fed.argmax(axis=-1) if isinstance(self.entry, Lookup) else fed
        rows = [self.session.run(row.astype(self.session.input_type), self.names) for row in fed]
        return {name: np.stack([row[i] for row in rows]) for i, name in enumerate(self.names)}


@dataclass(eq=False)
class _Comparison:
    """One batch of inputs on its way through all nodes.

    `values` and `errors`, (batch, scalars): onnxruntime's values (ours if it shows none), and how far off
    they may be.
    """

    reading: OnnxReading
    inputs: np.ndarray
    theirs: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        size, taken = self.reading.offsets[-1] + self.reading.sizes[-1], self.inputs.shape[1]
        self.values, self.errors = np.zeros((len(self.inputs), size)), np.zeros((len(self.inputs), size))
        self.seen = np.zeros(size, dtype=bool)
        self.values[:, :taken], self.seen[:taken] = self.inputs, True
        self.rounded: dict[
            str, float
        ] = {}  # constants that onnxruntime rounds, and how much, relative to their size

    def check(self) -> None:
        """Compare all nodes.  Raises InputError for the first one that differs."""
        with np.errstate(all="ignore"):
            for step in self.reading.steps:
                lost = math.prod(1 + self.rounded.get(name, 0.0) for name in step.inputs) - 1
                kind = next((t.dtype for t in step.outputs.values() if t.dtype in FLOATS), "float32")
                rounding = Rounding(kind, lost, step.factor)
                for k in range(step.first, step.last):
                    self._node(k, rounding)
                for name, tensor in step.outputs.items():
                    self._tensor(step, name, tensor, rounding)

    def _span(self, k: int) -> slice:
        return slice(self.reading.offsets[k], self.reading.offsets[k] + self.reading.sizes[k])

    def _node(self, k: int, rounding: Rounding) -> None:
        """Compute the network's node k + 1 from the values of its sources."""
        node, at = self.reading.nodes[k], self._span(k + 1)
        if isinstance(node, Relu):
            source = self._span(node.source)
            self.values[:, at], self.errors[:, at] = (
                np.maximum(self.values[:, source], 0),
                self.errors[:, source],
            )
        else:
            given = [(self.values[:, s], self.errors[:, s]) for s in map(self._span, node.sources)]
            self.values[:, at], self.errors[:, at] = affine(node, given, rounding)

    def _tensor(self, step: OnnxStep, name: str, tensor: Tensor, rounding: Rounding) -> None:
        got = self.theirs[name]
        if got.shape[1:] != tensor.shape:
            shapes = list(got.shape[1:]), list(tensor.shape)
            what = f"{step.title}: onnxruntime gives shape {shapes[0]} where the reader has {shapes[1]}"
            raise InputError(self.reading.network.name, what, MEND)
        got = got.reshape(len(got), -1)
        if isinstance(tensor, Lookup):
            self._same(step, got, self._looked_up(tensor))
        elif isinstance(tensor, Const):
            self._constant(step, name, tensor, got[:1], rounding)
        else:
            self._computed(step, tensor, got.astype(np.float64), rounding)

    def _looked_up(self, tensor: Lookup) -> np.ndarray:
        alphabet = tensor.table.shape[-1]
        ids = self.inputs.reshape(len(self.inputs), -1, alphabet).argmax(axis=-1)
        flat = tensor.table.reshape(-1, alphabet)
        result: np.ndarray = flat[np.arange(len(flat)), ids[:, tensor.position.reshape(-1)]]
        return result

    def _constant(
        self, step: OnnxStep, name: str, tensor: Const, got: np.ndarray, rounding: Rounding
    ) -> None:
        """Compare a constant.  Integers must be equal.

        For floats made of other floats, the bound comes from the sizes of all of them.  It is coarse, and
        only needed if one is rounded.
        """
        if tensor.dtype not in FLOATS:
            return self._same(step, got, tensor.numerators.reshape(1, -1))
        expected = numbers(tensor.numerators, tensor.denominator).reshape(1, -1)
        got = got.astype(np.float64)
        if (got == expected).all():
            return None
        parts = [numbers(t.numerators, t.denominator) for t in step.inputs.values() if isinstance(t, Const)]
        reach = np.abs(expected) + step.factor * math.prod(1 + float(np.abs(p).sum()) for p in parts)
        self._same(
            step, got, expected, rounding.of(reach, sum(p.size for p in parts)) + rounding.lost * reach
        )
        ratios = np.abs(got - expected) / np.abs(expected)
        self.rounded[name] = float(ratios.max(initial=0.0, where=got != expected))
        return None

    def _computed(self, step: OnnxStep, tensor: Values, got: np.ndarray, rounding: Rounding) -> None:
        refs = tensor.refs.reshape(-1)
        expected, known = self.values[:, refs], self.errors[:, refs]
        size = np.abs(expected) + (0.0 if step.hidden is None else step.hidden.reshape(-1))
        self._same(step, got, expected, known + rounding.of(size))
        finite, new = np.isfinite(got), ~self.seen[refs]
        off = np.where(new, 0.0, np.maximum(known, np.abs(got - expected)))
        self.errors[:, refs] = np.where(finite, off, np.inf)
        self.values[:, refs] = np.where(finite & new, got, expected)
        self.seen[refs] = True

    def _same(
        self, step: OnnxStep, got: np.ndarray, expected: np.ndarray, allowed: np.ndarray | None = None
    ) -> None:
        """Raise InputError unless the numbers agree within `allowed` (None: exactly)."""
        far = (
            got != expected
            if allowed is None
            else ~((np.abs(got - expected) <= allowed) | np.isposinf(allowed))
        )
        if not far.any():
            return
        row, place = (int(a[0]) for a in np.nonzero(far))
        beyond = "" if allowed is None else f", and rounding explains {allowed[row, place]:.3g}"
        given = " ".join(f"{v:.9g}" for v in self.inputs[row, :SHOWN]) + (
            " ..." if self.inputs.shape[1] > SHOWN else ""
        )
        numbers_differ = f"onnxruntime gives {got[row, place]} where the reader has {expected[row, place]}"
        what = f"{step.title}: {numbers_differ}{beyond} (network input {given})"
        raise InputError(self.reading.network.name, what, MEND)
