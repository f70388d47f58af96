"""The ONNX operators Concat, Constant, Cast and Gather: constants, types, and tables that ids look up."""

from __future__ import annotations

import math

import numpy as np

from ...network.float32 import FORMATS, representable
from ...network.integers import dyadic
from ..builder import AffineTerm, Builder
from ..integer_arrays import times
from ..tensors import (
    FLOATS,
    INTEGER_RANGES,
    Const,
    Lookup,
    Refused,
    Tensor,
    Values,
    check_size,
    constant,
    lookup,
)
from .call import Call, axis_of
from .operands import same_type
from .registry import operator


@operator("Concat")
def concat(call: Call) -> Tensor:
    """Return the operands joined along an axis."""
    parts = [call.input(i) for i in range(len(call.inputs))]
    axis = axis_of(call.required("axis"), len(parts[0].shape))
    for p in parts[1:]:
        same_type(parts[0], p)
        if (
            p.shape[:axis] != parts[0].shape[:axis]
            or p.shape[axis + 1 :] != parts[0].shape[axis + 1 :]
            or len(p.shape) <= axis
        ):
            raise Refused(f"shapes {', '.join(str(list(q.shape)) for q in parts)} do not fit")
    dtype = parts[0].dtype
    check_size(max(1, sum(math.prod(p.shape) for p in parts)))
    if any(isinstance(p, Lookup) for p in parts):
        alphabet = next(p.table.shape[-1] for p in parts if isinstance(p, Lookup))
        looked = [p if isinstance(p, Lookup) else _as_lookup(p, alphabet) for p in parts]
        return lookup(
            np.concatenate([p.position for p in looked], axis),
            np.concatenate([p.table.astype(object) for p in looked], axis),
            dtype,
        )
    if all(isinstance(p, Const) for p in parts):
        common = math.lcm(*(p.denominator for p in parts if isinstance(p, Const)))
        scaled = [times(p.numerators, common // p.denominator) for p in parts if isinstance(p, Const)]
        return constant(np.concatenate(scaled, axis), common, dtype)
    values = [call.build.known(p) if isinstance(p, Const) else p for p in parts if p.shape[axis]]
    if not values:
        return parts[0]
    return Values(np.concatenate([v.refs for v in values if isinstance(v, Values)], axis), dtype)


def _as_lookup(p: Tensor, alphabet: int) -> Lookup:
    """Return a constant as integers that do not depend on the id."""
    if not isinstance(p, Const):
        raise Refused("it joins integers and floats")
    return lookup(
        np.zeros(p.shape, dtype=np.int64), np.repeat(p.numerators[..., None], alphabet, axis=-1), p.dtype
    )


@operator("Constant")
def constant_of(call: Call) -> Tensor:
    """Return the value that the node stores."""
    if len(call.attributes) != 1:
        raise Refused("it needs exactly one value")
    ((name, value),) = call.attributes.items()
    if isinstance(value, Const):  # value and sparse_value, already read
        return value
    if name in ("value_float", "value_floats"):
        numerators, denominator = dyadic(np.array(value, dtype=np.float32))
        return constant(numerators, denominator, "float32")
    if name in ("value_int", "value_ints"):
        return constant(np.array(value, dtype=object), 1, "int64")
    raise Refused(f"{name} is not supported")


@operator("Cast")
def cast(call: Call) -> Tensor:
    """Return x in another type, if no value is rounded."""
    x, to = call.input(0), call.required("to")
    if to not in FLOATS and to not in INTEGER_RANGES:
        raise Refused(f"it casts to {to}")
    if isinstance(x, Const):
        return _cast_constant(x, to)
    if isinstance(x, Lookup):
        if to not in FLOATS:
            return lookup(x.position, x.table != 0 if to == "bool" else x.table, to)
        return _looked_up(call.build, x.position, x.table, 1, to)
    if to not in FLOATS:
        raise Refused(f"it truncates {x.dtype} to {to}")
    if FORMATS[to][0] < 24 and to != x.dtype:
        raise Refused(f"it rounds {x.dtype} to {to}")
    return Values(x.refs, to)


def _cast_constant(x: Const, to: str) -> Const:
    if to == "bool":
        return constant(x.numerators != 0, 1, to)
    if to in FLOATS:
        if not representable(x.numerators, x.denominator, *FORMATS[to]).all():
            raise Refused(f"it rounds constants to {to}; store them as {to}")
        return constant(x.numerators, x.denominator, to)
    towards_zero = np.frompyfunc(lambda n: abs(n) // x.denominator * (-1 if n < 0 else 1), 1, 1)
    return constant(towards_zero(x.numerators.astype(object)), 1, to)


def _looked_up(
    build: Builder, position: np.ndarray, table: np.ndarray, denominator: int, dtype: str
) -> Values:
    """Return values whose element e is table[e, id at position[e]] / denominator.

    They are linear in the one-hot input.
    """
    alphabet = table.shape[-1]
    check_size(table.size)
    rows = np.repeat(np.arange(position.size), alphabet)
    refs = (position.reshape(-1, 1) * alphabet + np.arange(alphabet)).reshape(-1)
    return build.affine(position.shape, dtype, [AffineTerm(rows, refs, table.reshape(-1), denominator)])


@operator("Gather", rearranges=True)
def gather(call: Call) -> Tensor:
    """Return the entries of an axis that indices name.  They are constant, or ids into a constant table."""
    data, index = call.input(0), call.input(1)
    axis = axis_of(call.attributes.get("axis", 0), len(data.shape))
    entries = data.shape[axis]
    if isinstance(index, Values) or index.dtype not in ("int64", "int32"):
        raise Refused(f"its indices are {index.dtype}")
    numbers = index.numerators if isinstance(index, Const) else index.table
    outside = numbers[(numbers < -entries) | (numbers >= entries)]
    if outside.size:
        what = (
            "the alphabet has more words than the table has rows"
            if isinstance(index, Lookup)
            else "out of range"
        )
        raise Refused(f"index {int(outside.flat[0])} into {entries} entries: {what}")
    numbers = numbers.astype(np.int64) % max(entries, 1)
    shape = (*data.shape[:axis], *index.shape, *data.shape[axis + 1 :])
    if isinstance(index, Const):
        check_size(max(1, math.prod(shape)))
        return data.rearranged(lambda i: np.take(i, numbers, axis=axis))
    if not isinstance(data, Const):
        raise Refused("it looks up ids in a table that depends on the input")
    check_size(math.prod(shape) * numbers.shape[-1])
    table = np.moveaxis(np.take(data.numerators, numbers, axis=axis), axis + len(index.shape), -1)
    after = (1,) * (len(data.shape) - axis - 1)
    position = np.broadcast_to(index.position.reshape(*index.shape, *after), shape)
    if data.dtype in FLOATS:
        return _looked_up(call.build, position, table, data.denominator, data.dtype)
    return lookup(position, table, data.dtype)
