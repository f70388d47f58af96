"""The ONNX operators that end a network: Softmax, LogSoftmax, Sigmoid, Tanh, ArgMax and LinearClassifier.

Their results are `HeadValues`: each element names the logits that it is computed from.  `after_softmax.py`
has the operators that may follow.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ...network.head import ZERO, Choice, Element, LogSoftmaxShare, SoftmaxShare
from ..builder import AffineTerm
from ..tensors import FLOATS, HeadValues, Refused, Values
from .call import Call, axis_of
from .ml import scores
from .operands import array_of
from .registry import after_head, head_operator


def _values(call: Call, i: int = 0) -> Values:
    """Return input i, which must be floats that depend on the input.  Raises Refused."""
    x = call.input(i)
    if not isinstance(x, Values) or x.dtype not in FLOATS:
        raise Refused("it takes floats that depend on the input")
    return x


def _grouped(call: Call, usual: int, make: Callable[[tuple[int, ...], int], Element]) -> HeadValues:
    """Return one softmax along an axis; before opset 13, over all axes from there on."""
    x = _values(call)
    axis = axis_of(call.attributes.get("axis", usual), len(x.shape))
    if call.opset < 13:
        refs = x.refs.reshape(int(np.prod(x.shape[:axis])), -1)
        made = [make(tuple(map(int, row)), k) for row in refs for k in range(refs.shape[1])]
        return HeadValues(array_of(x.shape, made), x.dtype)
    refs = np.moveaxis(x.refs, axis, -1)
    made = [
        make(tuple(map(int, row)), k)
        for row in refs.reshape(-1, refs.shape[-1])
        for k in range(refs.shape[-1])
    ]
    return HeadValues(np.moveaxis(array_of(refs.shape, made), -1, axis), x.dtype)


@head_operator("Softmax")
def softmax(call: Call) -> Any:
    """Return the shares of a softmax."""
    return _grouped(call, 1 if call.opset < 13 else -1, SoftmaxShare)


@head_operator("LogSoftmax")
def log_softmax(call: Call) -> Any:
    """Return the logarithms of the shares of a softmax."""
    return _grouped(call, 1 if call.opset < 13 else -1, LogSoftmaxShare)


@head_operator("Sigmoid")
def sigmoid(call: Call) -> Any:
    """Return 1 / (1 + e^-x): a softmax of x and 0."""
    x = _values(call)
    return HeadValues(array_of(x.shape, [SoftmaxShare((int(r), ZERO), 0) for r in x.refs.flat]), x.dtype)


@head_operator("Tanh")
def tanh(call: Call) -> Any:
    """Return tanh(x) = 2 sigmoid(2 x) - 1."""
    x = _values(call)
    rows = np.arange(x.refs.size)
    twice = call.build.affine(
        x.shape, x.dtype, [AffineTerm(rows, x.refs.reshape(-1), np.full(x.refs.size, 2, dtype=np.int64))]
    )
    elements: list[Element] = [
        SoftmaxShare((int(r), ZERO), 0, Fraction(2), Fraction(-1)) for r in twice.refs.flat
    ]
    return HeadValues(array_of(x.shape, elements), x.dtype)


@after_head("ArgMax")
@head_operator("ArgMax")
def arg_max(call: Call) -> Any:
    """Return the place of the largest element along an axis.

    The elements are values, or shares of one softmax (which have the order of its logits), or sigmoids.
    """
    x: Any = call.input(0)
    if call.attributes.get("select_last_index", 0):
        raise Refused("select_last_index is not supported")
    rank = len(x.shape)
    axis = axis_of(call.attributes.get("axis", 0), rank)
    if isinstance(x, HeadValues):
        numbers = np.moveaxis(np.frompyfunc(_ordered, 1, 1)(x.elements), axis, -1)
        groups = [tuple(_one_softmax(row)) for row in numbers.reshape(-1, numbers.shape[-1])]
    else:
        numbers = np.moveaxis(_values(call).refs, axis, -1)
        groups = [tuple(map(int, row)) for row in numbers.reshape(-1, numbers.shape[-1])]
    places = tuple(map(Fraction, range(numbers.shape[-1])))
    chosen = array_of(numbers.shape[:-1], [Choice(g, places) for g in groups])
    kept = np.expand_dims(chosen, axis) if call.attributes.get("keepdims", 1) else chosen
    return HeadValues(kept, "int64")


def _ordered(element: Element) -> SoftmaxShare | LogSoftmaxShare:
    """Return an element if it grows with its logit.  Raises Refused."""
    if isinstance(element, LogSoftmaxShare) or (
        isinstance(element, SoftmaxShare) and element.factor == 1 and element.offset == 0
    ):
        return element
    raise Refused("it chooses among values that are not a softmax")


def _one_softmax(row: np.ndarray) -> list[int]:
    """Return the logits that are in the same order as the elements.

    The elements must be shares of one softmax, or all sigmoids.  Raises Refused.
    """
    logits = [e.group[e.member] for e in row]
    one, sigmoids = (
        len({e.group for e in row}) == 1,
        all(e.group == (own, ZERO) for e, own in zip(row, logits, strict=True)),
    )
    if len({type(e) for e in row}) > 1 or not (one or sigmoids):
        raise Refused("it chooses among shares of several softmaxes")
    return logits


@head_operator("ai.onnx.ml.LinearClassifier")
def linear_classifier(call: Call) -> Any:
    """Return the class of the largest score, and the scores, their softmax or their sigmoids.

    There is one row per class.
    """
    classes = call.attributes.get("classlabels_ints")
    if not classes or len(classes) < 2 or list(classes) != sorted(set(classes)):
        raise Refused("it is supported for two classes or more that are ascending integers")
    found = scores(call, len(classes))
    assert isinstance(found, Values)
    groups = [tuple(map(int, row)) for row in found.refs]
    label = HeadValues(
        array_of((len(groups),), [Choice(g, tuple(map(Fraction, classes))) for g in groups]), "int64"
    )
    transform = call.attributes.get("post_transform", b"NONE")
    if transform == b"NONE":
        return label, found
    if transform == b"SOFTMAX":
        elements: list[Element] = [SoftmaxShare(g, k) for g in groups for k in range(len(g))]
    elif transform == b"LOGISTIC":
        elements = [SoftmaxShare((r, ZERO), 0) for g in groups for r in g]
    else:
        raise Refused(f"post_transform {transform!r} is not supported")
    return label, HeadValues(array_of(found.shape, elements), "float32")
