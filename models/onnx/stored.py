"""Stored tensors and attributes of an ONNX file, as exact constants and Python values.

Used by `reader.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...common.deadline import LIMITS
from ...common.errors import InputError
from ..network.integers import dyadic
from .tensors import FLOATS, INTEGER_RANGES, MAX_ELEMENTS, Const, Refused, constant

if TYPE_CHECKING:
    import onnx


def type_name(code: int) -> str:
    """Return the name of an ONNX element type, "float32" for example."""
    from onnx import TensorProto

    if code not in TensorProto.DataType.values():
        return f"type {code}"
    name = TensorProto.DataType.Name(code).lower()
    result: str = {"float": "float32", "double": "float64"}.get(name, name)
    return result


class StoredTensors:
    """Reads the tensors and attributes of one file.  `origin` is its name in messages."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def _error(self, what: str, mend: str = "") -> InputError:
        return InputError(self.origin, what, mend)

    def constant(self, t: onnx.TensorProto) -> Const:
        """Return a tensor as an exact constant.

        Raises Refused for element types that are not supported, and InputError if it is damaged, too large,
        or not finite.
        """
        from onnx import numpy_helper

        dtype = type_name(t.data_type)
        if dtype not in FLOATS and dtype not in INTEGER_RANGES:
            raise Refused(f"tensor {t.name!r} has type {dtype}")
        if math.prod(t.dims) > 4 * MAX_ELEMENTS or any(d < 0 for d in t.dims):
            raise self._error(
                f"tensor {t.name!r} has the shape {list(t.dims)},"
                f" over the limit of {4 * MAX_ELEMENTS} elements"
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
        with np.errstate(invalid="ignore"):  # NaN is what we look for, so its warning is not needed
            finite = np.isfinite(array.astype(np.float64)).all()
        if not finite:
            raise self._error(f"tensor {t.name!r} holds NaN or infinity", "retrain or repair the weights")
        numerators, denominator = dyadic(array)
        return Const(numerators, denominator, dtype)

    def dense(self, t: onnx.SparseTensorProto) -> Const:
        """Return a sparse tensor as an exact constant.  Raises as `constant` does."""
        entries, index = self.constant(t.values), self.constant(t.indices).numerators
        shape = tuple(t.dims)
        if math.prod(shape) > MAX_ELEMENTS or any(d < 0 for d in shape):
            raise self._error(
                f"sparse tensor {t.values.name!r} has the shape {list(shape)},"
                f" over the limit of {MAX_ELEMENTS} elements"
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

    def attribute(self, a: onnx.AttributeProto) -> Any:
        """Return an attribute as a Python value, tensors as constants.

        Raises Refused, and InputError as `constant` does.
        """
        from onnx import AttributeProto, helper

        if a.type == AttributeProto.TENSOR:
            return self.constant(a.t)
        if a.type == AttributeProto.SPARSE_TENSOR:
            return self.dense(a.sparse_tensor)
        if a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            raise Refused("it holds a graph of its own (control flow)")
        if a.ref_attr_name:
            raise Refused(f"attribute {a.name!r} refers to a function")
        try:
            value = helper.get_attribute_value(a)
        except ValueError as error:
            raise Refused(f"attribute {a.name!r} cannot be read ({error})") from None
        if a.name in ("to", "output_dtype"):
            return type_name(value)
        if a.type in (AttributeProto.FLOAT, AttributeProto.FLOATS) and not np.isfinite(value).all():
            raise Refused(f"attribute {a.name!r} holds NaN or infinity")
        return value
