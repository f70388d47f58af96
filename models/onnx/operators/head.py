"""ONNX operators at the end of a network: Softmax, LogSoftmax, Sigmoid, Tanh, ArgMax, and what may stand after them.

Beside `onnx_ops`, for readers that ask for a head (`models/network/head.py`).  Their results are `Squashed`: one element of a head each, with references
to values of the network.  Nothing but the operators in `AFTER` may read them, so that they cannot be taken for values that are piecewise linear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ...network.head import ZERO, Choice, Element, Head, LogShare, Share
from ..tensors import FLOATS, INTEGER_RANGES, Const, Refused, Tensor, Term, Values
from . import arithmetic  # noqa: F401  (it enters Gather)
from .call import OPERATORS, Call, Function
from .ml import scores
from .shapes import axis_of

MADE: dict[str, Function] = {}  # operators that make squashed values
AFTER: dict[str, Function] = {}  # operators that read them


@dataclass(frozen=True, eq=False)
class Squashed:
    """`elements`: an array of elements of a head, whose groups are global numbers of scalar values (`Builder.offsets`)."""

    elements: np.ndarray
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.elements.shape

    def rearranged(self, move: Callable[[np.ndarray], np.ndarray]) -> Squashed:
        return replace(
            self, elements=np.asarray(move(self.elements), dtype=object)
        )  # one element alone is none


def _enter(registry: dict[str, Function], *names: str) -> Callable[[Function], Function]:
    def enter(function: Function) -> Function:
        registry.update(dict.fromkeys(names, function))
        return function

    return enter


def head_of(x: Tensor | Squashed, operators: tuple[str, ...]) -> tuple[Values, Head]:
    """The logits that a result stands on, each once, and the head that makes it of them."""
    assert isinstance(x, Squashed)
    used: dict[int, int] = {}

    def numbered(group: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(ZERO if r == ZERO else used.setdefault(r, len(used)) for r in group)

    elements: list[Element] = [replace(e, group=numbered(e.group)) for e in x.elements.flat]
    if not used:
        raise Refused("it does not depend on the input")
    return Values(np.array(list(used), dtype=np.int64), "float32"), Head(tuple(elements), operators)


def _values(call: Call, i: int = 0) -> Values:
    x = call.input(i)
    if not isinstance(x, Values) or x.dtype not in FLOATS:
        raise Refused("it takes floats that depend on the input")
    return x


def _array(shape: tuple[int, ...], elements: list[Element]) -> np.ndarray:
    out = np.empty(len(elements), dtype=object)
    out[:] = elements
    return out.reshape(shape)


def _grouped(call: Call, usual: int, make: Callable[[tuple[int, ...], int], Element]) -> Squashed:
    """One softmax along an axis; before opset 13 over all axes from there on."""
    x = _values(call)
    axis = axis_of(call.attributes.get("axis", usual), len(x.shape))
    if call.opset < 13:
        refs = x.refs.reshape(int(np.prod(x.shape[:axis])), -1)
        made = [make(tuple(map(int, row)), k) for row in refs for k in range(refs.shape[1])]
        return Squashed(_array(x.shape, made), x.dtype)
    refs = np.moveaxis(x.refs, axis, -1)
    made = [
        make(tuple(map(int, row)), k)
        for row in refs.reshape(-1, refs.shape[-1])
        for k in range(refs.shape[-1])
    ]
    return Squashed(np.moveaxis(_array(refs.shape, made), -1, axis), x.dtype)


@_enter(MADE, "Softmax")
def softmax(call: Call) -> Any:
    return _grouped(call, 1 if call.opset < 13 else -1, Share)


@_enter(MADE, "LogSoftmax")
def log_softmax(call: Call) -> Any:
    return _grouped(call, 1 if call.opset < 13 else -1, LogShare)


@_enter(MADE, "Sigmoid")
def sigmoid(call: Call) -> Any:
    x = _values(call)
    return Squashed(_array(x.shape, [Share((int(r), ZERO), 0) for r in x.refs.flat]), x.dtype)


@_enter(MADE, "Tanh")
def tanh(call: Call) -> Any:
    x = _values(call)
    rows = np.arange(x.refs.size)
    twice = call.build.affine(
        x.shape, x.dtype, [Term(rows, x.refs.reshape(-1), np.full(x.refs.size, 2, dtype=np.int64))]
    )
    elements: list[Element] = [Share((int(r), ZERO), 0, Fraction(2), Fraction(-1)) for r in twice.refs.flat]
    return Squashed(_array(x.shape, elements), x.dtype)


@_enter(MADE, "ArgMax")
def arg_max(call: Call) -> Any:
    """Of values; of shares of one softmax, whose order is that of its logits, and of sigmoids."""
    x: Any = call.input(0)
    if call.attributes.get("select_last_index", 0):
        raise Refused("select_last_index is not supported")
    rank = len(x.shape)
    axis = axis_of(call.attributes.get("axis", 0), rank)
    if isinstance(x, Squashed):
        numbers = np.moveaxis(np.frompyfunc(_ordered, 1, 1)(x.elements), axis, -1)
        groups = [tuple(_one_softmax(row)) for row in numbers.reshape(-1, numbers.shape[-1])]
    else:
        numbers = np.moveaxis(_values(call).refs, axis, -1)
        groups = [tuple(map(int, row)) for row in numbers.reshape(-1, numbers.shape[-1])]
    places = tuple(map(Fraction, range(numbers.shape[-1])))
    chosen = _array(numbers.shape[:-1], [Choice(g, places) for g in groups])
    kept = np.expand_dims(chosen, axis) if call.attributes.get("keepdims", 1) else chosen
    return Squashed(kept, "int64")


AFTER["ArgMax"] = arg_max


def _ordered(element: Element) -> Share | LogShare:
    if isinstance(element, LogShare) or (
        isinstance(element, Share) and element.factor == 1 and element.offset == 0
    ):
        return element
    raise Refused("it chooses among what is no softmax")


def _one_softmax(row: np.ndarray) -> list[int]:
    """The logits in whose order the elements are: they are shares of one softmax, or each a sigmoid."""
    logits = [e.group[e.member] for e in row]
    one, sigmoids = (
        len({e.group for e in row}) == 1,
        all(e.group == (own, ZERO) for e, own in zip(row, logits, strict=True)),
    )
    if len({type(e) for e in row}) > 1 or not (one or sigmoids):
        raise Refused("it chooses among shares of several softmaxes")
    return logits


# What may stand after them


def _moved(function: Function) -> Function:
    """An operator that only rearranges its first input."""

    def moved(call: Call) -> Any:
        if any(isinstance(x, Squashed) for x in call.inputs[1:]):
            raise Refused("it takes places from what Softmax or the like gives")
        return function(call)

    return moved


for _name in (
    "Identity",
    "Dropout",
    "Flatten",
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Split",
    "Gather",
):
    AFTER[_name] = _moved(OPERATORS[_name])


def _squashed(call: Call) -> Squashed:
    x = call.input(0)
    if not isinstance(x, Squashed):
        raise Refused("it reads what Softmax or the like gives in an unexpected place")
    return x


@_enter(AFTER, "Cast")
def cast(call: Call) -> Any:
    x, to = _squashed(call), call.required("to")
    if x.dtype in FLOATS and to not in ("float32", "float64"):
        raise Refused(f"it casts {x.dtype} to {to}")
    if x.dtype in INTEGER_RANGES:
        low, high = (-(2**24), 2**24) if to in ("float32", "float64") else INTEGER_RANGES.get(to, (0, -1))
        if any(not low <= v <= high for e in x.elements.flat for v in e.table):
            raise Refused(f"it casts {x.dtype} to {to}, which does not hold all of its values")
    return Squashed(x.elements, to)


@_enter(AFTER, "Concat")
def concat(call: Call) -> Any:
    parts: list[Any] = [call.input(i) for i in range(len(call.inputs))]
    if not all(isinstance(p, Squashed) and p.dtype == parts[0].dtype for p in parts):
        raise Refused("it joins what Softmax or the like gives with other values")
    axis = axis_of(call.required("axis"), len(parts[0].shape))
    try:
        return Squashed(
            np.concatenate([p.elements for p in parts if isinstance(p, Squashed)], axis), parts[0].dtype
        )
    except ValueError:
        raise Refused(f"shapes {', '.join(str(list(p.shape)) for p in parts)} do not fit") from None


def _affine(
    call: Call, of: Callable[[Fraction, Fraction], tuple[Fraction, Fraction]], *, first: bool = True
) -> Any:
    """factor and offset of each element anew from a constant; `first`: it may also be the first operand."""
    a, b = call.input(0), call.input(1)
    if not first and not isinstance(a, Squashed):
        raise Refused("it divides by what Softmax or the like gives")
    x, c = (a, b) if isinstance(a, Squashed) else (b, a)
    if not isinstance(x, Squashed) or not isinstance(c, Const) or x.dtype != c.dtype or x.dtype not in FLOATS:
        raise Refused("it combines what Softmax or the like gives with other values")
    try:
        shape = np.broadcast_shapes(x.shape, c.shape)
    except ValueError:
        raise Refused(f"shapes {list(x.shape)} and {list(c.shape)} do not fit") from None
    elements, numbers = np.broadcast_to(x.elements, shape), np.broadcast_to(c.numerators, shape)
    return Squashed(
        _array(
            shape,
            [
                _scaled(e, *of(Fraction(int(n), c.denominator), Fraction(1)))
                for e, n in zip(elements.flat, numbers.flat, strict=True)
            ],
        ),
        x.dtype,
    )


def _scaled(element: Element, factor: Fraction, offset: Fraction) -> Element:
    if not isinstance(element, Share):
        raise Refused("it computes with what LogSoftmax or ArgMax gives")
    if factor == 0:
        raise Refused("it multiplies by 0")
    if (
        factor == -1
        and offset == 1
        and (element.factor, element.offset) == (1, 0)
        and len(element.group) == 2
    ):
        return replace(element, member=1 - element.member)  # 1 - p is the other share
    return replace(element, factor=factor * element.factor, offset=factor * element.offset + offset)


@_enter(AFTER, "Add")
def add(call: Call) -> Any:
    return _affine(call, lambda c, one: (one, c))


@_enter(AFTER, "Sub")
def sub(call: Call) -> Any:
    if isinstance(call.input(0), Squashed):
        return _affine(call, lambda c, one: (one, -c))
    return _affine(call, lambda c, one: (-one, c))


@_enter(AFTER, "Mul")
def mul(call: Call) -> Any:
    return _affine(call, lambda c, one: (c, one - one))


@_enter(AFTER, "Div")
def div(call: Call) -> Any:
    def inverse(c: Fraction, one: Fraction) -> tuple[Fraction, Fraction]:
        if c == 0:
            raise Refused("it divides by zero")
        return one / c, one - one

    return _affine(call, inverse, first=False)


# ai.onnx.ml: what scikit-learn's classifiers end with


@_enter(AFTER, "ai.onnx.ml.ZipMap")
def zip_map(call: Call) -> Any:
    """A dictionary per row, from classes to the row's values; here, and for what a property says, the values in the order of the classes."""
    x = call.input(0)
    labels = call.attributes.get("classlabels_int64s") or call.attributes.get("classlabels_strings")
    if not labels or len(labels) != x.shape[-1] or list(labels) != sorted(set(labels)):
        raise Refused(
            f"its {len(labels or ())} classes are not in ascending order, or do not fit {list(x.shape)}"
        )
    return x


@_enter(AFTER, "ai.onnx.ml.ArrayFeatureExtractor")
def array_feature_extractor(call: Call) -> Any:
    """Along the last axis of a constant, the entries that a choice names."""
    table, index = call.input(0), call.input(1)
    if not isinstance(index, Squashed) or not isinstance(table, Const) or index.dtype != "int64":
        raise Refused("it is supported for a constant and the places that ArgMax gives")
    entries = table.numerators.reshape(-1)
    if table.shape[-1:] != (entries.size,) or index.elements.size == 0:
        raise Refused(f"it takes a row of classes, not {list(table.shape)}")

    def looked_up(e: Choice) -> Choice:
        if any(not 0 <= v < entries.size for v in e.table):
            raise Refused("a place is outside of its table")
        return replace(e, table=tuple(Fraction(int(entries[int(v)]), table.denominator) for v in e.table))

    return Squashed(
        _array((1, index.elements.size), [looked_up(e) for e in index.elements.flat]), table.dtype
    )


@_enter(MADE, "ai.onnx.ml.LinearClassifier")
def linear_classifier(call: Call) -> Any:
    """The class of the largest score, and scores, their softmax or their sigmoids; one row per class."""
    classes = call.attributes.get("classlabels_ints")
    if not classes or len(classes) < 2 or list(classes) != sorted(set(classes)):
        raise Refused("it is supported for two classes or more that are ascending integers")
    found = scores(call, len(classes))
    assert isinstance(found, Values)
    groups = [tuple(map(int, row)) for row in found.refs]
    label = Squashed(
        _array((len(groups),), [Choice(g, tuple(map(Fraction, classes))) for g in groups]), "int64"
    )
    transform = call.attributes.get("post_transform", b"NONE")
    if transform == b"NONE":
        return label, found
    if transform == b"SOFTMAX":
        elements: list[Element] = [Share(g, k) for g in groups for k in range(len(g))]
    elif transform == b"LOGISTIC":
        elements = [Share((r, ZERO), 0) for g in groups for r in g]
    else:
        raise Refused(f"post_transform {transform!r} is not supported")
    return label, Squashed(_array(found.shape, elements), "float32")
