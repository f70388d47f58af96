"""The ONNX operator Einsum, of constants and at most one operand that depends on the input: an affine node.

The index space is that of all labels.  Constants are multiplied and summed first, so that a value meets each
row once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...network.integers import integer_array
from ..builder import AffineTerm, folded
from ..tensors import FLOATS, Const, Lookup, Refused, Tensor, Values, check_size
from .call import Call
from .registry import operator

ELLIPSIS = "..."


@dataclass(frozen=True)
class _Equation:
    """The labels of each operand and of the result.

    Letters are labels of the equation.  Numbers are axes of the ellipsis, counted from the end (-1 is the
    last).
    """

    operands: tuple[tuple[str | int, ...], ...]
    result: tuple[str | int, ...]


def _parsed(text: str, ranks: Sequence[int]) -> _Equation:
    left, arrow, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise Refused(f"equation {text!r} is about {len(terms)} operands, it has {len(ranks)}")
    operands = tuple(_labels(text, term, rank) for term, rank in zip(terms, ranks, strict=True))
    widest = max((sum(isinstance(x, int) for x in labels) for labels in operands), default=0)
    dots = tuple(range(-widest, 0))
    seen = [x for labels in operands for x in labels if isinstance(x, str)]
    if arrow:
        names, before, after = _split(text, right)
        if len(set(names)) < len(names) or not set(names) <= set(seen):
            raise Refused(f"equation {text!r}: its result has a label twice, or one that no operand has")
        if dots and ELLIPSIS not in right:
            raise Refused(f"equation {text!r}: its result leaves out the axes of the ellipsis")
        return _Equation(operands, (*before, *(dots if ELLIPSIS in right else ()), *after))
    return _Equation(operands, dots + tuple(sorted(x for x in set(seen) if seen.count(x) == 1)))


def _split(text: str, term: str) -> tuple[str, str, str]:
    before, _, after = term.partition(ELLIPSIS)
    names = before + after
    if not all(c.isascii() and c.isalpha() for c in names):
        raise Refused(f"equation {text!r} is not understood")
    return names, before, after


def _labels(text: str, term: str, rank: int) -> tuple[str | int, ...]:
    names, before, after = _split(text, term)
    spare = rank - len(names)
    if spare < 0 or (spare and ELLIPSIS not in term):
        raise Refused(f"equation {text!r}: {term!r} does not fit an operand of {rank} axes")
    return (*before, *range(-spare, 0), *after)


@operator("Einsum")
def einsum(call: Call) -> Tensor:
    """Return the sums that the equation describes."""
    operands = [call.input(i) for i in range(len(call.inputs))]
    text = call.required("equation")
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    dtype = operands[0].dtype
    if dtype not in FLOATS or any(o.dtype != dtype or isinstance(o, Lookup) for o in operands):
        raise Refused("it takes floats of one type")
    if sum(isinstance(o, Values) for o in operands) > 1:
        raise Refused("it multiplies two values that depend on the input")
    equation = _parsed(text, [len(o.shape) for o in operands])
    sizes = _sizes(text, equation, operands)
    wide = [_diagonal(o, labels) for o, labels in zip(operands, equation.operands, strict=True)]
    constants = [(o, labels) for o, labels in wide if isinstance(o, Const)]
    variable = next(((o, labels) for o, labels in wide if isinstance(o, Values)), None)
    kept = set(equation.result) | set(variable[1] if variable else ())
    factors, denominator, labels = _product(constants, sizes, kept)
    shape = tuple(sizes[x] for x in equation.result)
    if variable is None:
        return folded(
            call.build, _aligned(factors, labels, equation.result), denominator, dtype, single_step=False
        )
    return _weighted(call, variable, (factors, denominator, labels), equation.result, shape)


def _sizes(text: str, equation: _Equation, operands: Sequence[Tensor]) -> dict[str | int, int]:
    sizes: dict[str | int, int] = {}
    for operand, labels in zip(operands, equation.operands, strict=True):
        for x, n in zip(labels, operand.shape, strict=True):
            known = sizes.setdefault(x, n)
            if known != n:
                if isinstance(x, int) and 1 in (known, n):
                    sizes[x] = max(known, n)
                    continue
                raise Refused(f"equation {text!r}: label {x!r} is {known} long and {n}")
    return sizes


def _diagonal(x: Tensor, labels: tuple[str | int, ...]) -> tuple[Tensor, tuple[str | int, ...]]:
    """Return the operand with every label once: repeated labels take the diagonal."""
    while len(set(labels)) < len(labels):
        first = next(i for i, name in enumerate(labels) if labels.count(name) > 1)
        second = labels.index(labels[first], first + 1)
        x = x.rearranged(lambda i, a=first, b=second: np.diagonal(i, axis1=a, axis2=b))  # type: ignore[misc]
        labels = (*(n for k, n in enumerate(labels) if k not in (first, second)), labels[first])
    return x, labels


def _aligned(array: np.ndarray, labels: Sequence[str | int], wanted: Sequence[str | int]) -> np.ndarray:
    """Return the array with its axes in the wanted order; axes that it does not have are 1 long."""
    there = [x for x in wanted if x in labels]
    moved = array.transpose([labels.index(x) for x in there])
    return moved.reshape([moved.shape[there.index(x)] if x in there else 1 for x in wanted])


def _product(
    constants: Sequence[tuple[Const, tuple[str | int, ...]]],
    sizes: dict[str | int, int],
    kept: set[str | int],
) -> tuple[np.ndarray, int, tuple[str | int, ...]]:
    """Return the product of constants, summed over labels that are not kept.

    Returns integers, their common denominator, and the labels of the axes.
    """
    order = tuple(dict.fromkeys(x for _, labels in constants for x in labels))
    check_size(math.prod(sizes[x] for x in order))
    total = np.ones([sizes[x] for x in order], dtype=object)
    denominator = 1
    for c, labels in constants:
        total = total * _aligned(c.numerators.astype(object), labels, order)
        denominator *= c.denominator
    gone = tuple(k for k, x in enumerate(order) if x not in kept)
    summed = total.sum(axis=gone) if gone else total
    return integer_array(np.asarray(summed, dtype=object)), denominator, tuple(x for x in order if x in kept)


def _weighted(
    call: Call,
    variable: tuple[Values, tuple[str | int, ...]],
    constants: tuple[np.ndarray, int, tuple[str | int, ...]],
    result: tuple[str | int, ...],
    shape: tuple[int, ...],
) -> Tensor:
    """Return the operand that depends on the input, multiplied with the constants and summed."""
    x, own = variable
    factors, denominator, known = constants
    summed = tuple(n for n in own if n not in result)
    order = (*result, *summed)
    lengths = {**dict(zip(result, shape, strict=True)), **{n: x.shape[own.index(n)] for n in summed}}
    for n, length in zip(known, factors.shape, strict=True):
        lengths[n] = max(lengths[n], length)
    full = tuple(lengths[n] for n in order)
    check_size(math.prod(full))
    if summed and len(np.unique(x.refs)) < x.refs.size:  # a value occurs twice in one sum: keep both
        x = call.build.copied(x)
    refs = np.broadcast_to(_aligned(x.refs, own, order), full)
    rows = np.broadcast_to(np.arange(math.prod(shape)).reshape(*shape, *(1,) * len(summed)), full)
    numerators = np.broadcast_to(_aligned(factors, known, order), full)
    term = AffineTerm(rows.reshape(-1), refs.reshape(-1), numerators.reshape(-1), denominator)
    return call.build.affine(shape, x.dtype, [term])
