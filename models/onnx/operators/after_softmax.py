"""What ONNX operators do after Softmax and the like: rescale, join, cast, and name classes.

Operators that only rearrange are registered with `rearranges=True` in `shapes.py` and `lookups.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ...network.head import Choice, Element, SoftmaxShare
from ..tensors import (
    FLOATS,
    INTEGER_RANGES,
    Const,
    HeadValues,
    Refused,
)
from .call import Call, axis_of
from .operands import (
    array_of,
    common_shape,
)
from .registry import after_head


def _squashed(call: Call) -> HeadValues:
    """Return the first input, which must be `HeadValues`.  Raises Refused."""
    x = call.input(0)
    if not isinstance(x, HeadValues):
        raise Refused("it reads the result of Softmax or the like in an unexpected place")
    return x


@after_head("Cast")
def cast(call: Call) -> Any:
    """Return the values in another type that holds all of them."""
    x, to = _squashed(call), call.required("to")
    if x.dtype in FLOATS and to not in ("float32", "float64"):
        raise Refused(f"it casts {x.dtype} to {to}")
    if x.dtype in INTEGER_RANGES:
        low, high = (-(2**24), 2**24) if to in ("float32", "float64") else INTEGER_RANGES.get(to, (0, -1))
        if any(not low <= v <= high for e in x.elements.flat for v in e.table):
            raise Refused(f"it casts {x.dtype} to {to}, which does not hold all of its values")
    return HeadValues(x.elements, to)


@after_head("Concat")
def concat(call: Call) -> Any:
    """Return the operands joined along an axis."""
    parts: list[Any] = [call.input(i) for i in range(len(call.inputs))]
    if not all(isinstance(p, HeadValues) and p.dtype == parts[0].dtype for p in parts):
        raise Refused("it joins the result of Softmax or the like with other values")
    axis = axis_of(call.required("axis"), len(parts[0].shape))
    try:
        return HeadValues(
            np.concatenate([p.elements for p in parts if isinstance(p, HeadValues)], axis), parts[0].dtype
        )
    except ValueError:
        raise Refused(f"shapes {', '.join(str(list(p.shape)) for p in parts)} do not fit") from None


def _affine(
    call: Call, of: Callable[[Fraction, Fraction], tuple[Fraction, Fraction]], *, first: bool = True
) -> Any:
    """Combine each element with a constant c: `of(c, 1)` gives the factor and the offset.

    `first`: the constant may be the first operand as well.
    """
    a, b = call.input(0), call.input(1)
    if not first and not isinstance(a, HeadValues):
        raise Refused("it divides by the result of Softmax or the like")
    x, c = (a, b) if isinstance(a, HeadValues) else (b, a)
    if (
        not isinstance(x, HeadValues)
        or not isinstance(c, Const)
        or x.dtype != c.dtype
        or x.dtype not in FLOATS
    ):
        raise Refused("it combines the result of Softmax or the like with other values")
    shape = common_shape(x.shape, c.shape)
    elements, numbers = np.broadcast_to(x.elements, shape), np.broadcast_to(c.numerators, shape)
    return HeadValues(
        array_of(
            shape,
            [
                _scaled(e, *of(Fraction(int(n), c.denominator), Fraction(1)))
                for e, n in zip(elements.flat, numbers.flat, strict=True)
            ],
        ),
        x.dtype,
    )


def _scaled(element: Element, factor: Fraction, offset: Fraction) -> Element:
    """Return factor * element + offset."""
    if not isinstance(element, SoftmaxShare):
        raise Refused("it computes with the result of LogSoftmax or ArgMax")
    if factor == 0:
        raise Refused("it multiplies by 0")
    if (
        factor == -1
        and offset == 1
        and element.factor == 1
        and element.offset == 0
        and len(element.group) == 2
    ):
        return replace(element, member=1 - element.member)  # 1 - p is the other share of two
    return replace(element, factor=factor * element.factor, offset=factor * element.offset + offset)


@after_head("Add")
def add(call: Call) -> Any:
    """Return the sum with a constant."""
    return _affine(call, lambda c, one: (one, c))


@after_head("Sub")
def sub(call: Call) -> Any:
    """Return the difference from a constant."""
    if isinstance(call.input(0), HeadValues):
        return _affine(call, lambda c, one: (one, -c))
    return _affine(call, lambda c, one: (-one, c))


@after_head("Mul")
def mul(call: Call) -> Any:
    """Return the product with a constant."""
    return _affine(call, lambda c, one: (c, one - one))


@after_head("Div")
def div(call: Call) -> Any:
    """Return the quotient by a constant."""

    def inverse(c: Fraction, one: Fraction) -> tuple[Fraction, Fraction]:
        if c == 0:
            raise Refused("it divides by zero")
        return one / c, one - one

    return _affine(call, inverse, first=False)


@after_head("ai.onnx.ml.ZipMap")
def zip_map(call: Call) -> Any:
    """Return the values as they are.

    The file gives a dictionary per row, from classes to values.  Here, and in properties, the values are in
    the order of the classes, which must be ascending.
    """
    x = call.input(0)
    labels = call.attributes.get("classlabels_int64s") or call.attributes.get("classlabels_strings")
    if not labels or len(labels) != x.shape[-1] or list(labels) != sorted(set(labels)):
        raise Refused(
            f"its {len(labels or ())} classes are not in ascending order, or do not fit {list(x.shape)}"
        )
    return x


@after_head("ai.onnx.ml.ArrayFeatureExtractor")
def array_feature_extractor(call: Call) -> Any:
    """Return the entries that a choice names, along the last axis of a constant."""
    table, index = call.input(0), call.input(1)
    if not isinstance(index, HeadValues) or not isinstance(table, Const) or index.dtype != "int64":
        raise Refused("it is supported for a constant and the places that ArgMax gives")
    entries = table.numerators.reshape(-1)
    if table.shape[-1:] != (entries.size,) or index.elements.size == 0:
        raise Refused(f"it takes a row of classes, not {list(table.shape)}")

    def looked_up(e: Choice) -> Choice:
        if any(not 0 <= v < entries.size for v in e.table):
            raise Refused("a place is outside of its table")
        return replace(e, table=tuple(Fraction(int(entries[int(v)]), table.denominator) for v in e.table))

    return HeadValues(
        array_of((1, index.elements.size), [looked_up(e) for e in index.elements.flat]), table.dtype
    )
