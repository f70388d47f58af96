"""Running a network's own ONNX bytes in onnxruntime: the second opinion on counterexamples and surrogates.

After `onnx/reader.py` and `onnx/writer.py`.  Replay compares what this says with the exact evaluation.  Graph
optimisations are off and one thread is used, so the operators run as the file has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ...common.deadline import LIMITS
from .network import Network

INPUT_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
}


class WordInputs(Protocol):
    """How words become a network's inputs; `models.claims.domain.Domain` does it."""

    def ids(self, words: np.ndarray) -> np.ndarray:
        """Return the ids at all positions: (words, positions)."""
        ...

    def one_hot(self, words: np.ndarray) -> np.ndarray:
        """Return one-hot vectors: (words, positions * alphabet)."""
        ...


class RuntimeUnavailable(Exception):
    """onnxruntime is not installed, or it cannot load or run this file."""


class RuntimeMismatch(Exception):
    """onnxruntime ran the file, but its result cannot be this network's output."""


class Session:
    """The bytes of a file, loaded in onnxruntime.  Raises RuntimeUnavailable."""

    def __init__(self, data: bytes, name: str) -> None:
        try:
            import onnxruntime
        except LIMITS:
            raise
        except Exception as error:  # a broken installation may raise anything
            raise RuntimeUnavailable(f"onnxruntime cannot be imported ({_first_line(error)})") from None
        onnxruntime.set_default_logger_severity(4)  # errors arrive as exceptions anyway
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except LIMITS:
            raise
        except Exception as error:
            raise RuntimeUnavailable(f"onnxruntime cannot load {name} ({_first_line(error)})") from None
        entries = self._session.get_inputs()
        if len(entries) != 1 or entries[0].type not in INPUT_TYPES:
            raise RuntimeUnavailable(
                f"onnxruntime sees inputs of {name} that are not one tensor of floats or int64"
            )
        self.name, self.input_name = name, entries[0].name
        self.input_type, self.dims = np.dtype(INPUT_TYPES[entries[0].type]), tuple(entries[0].shape)

    def run(self, value: np.ndarray, outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        """Return the outputs of these names (None: all) for one input.  Raises RuntimeUnavailable."""
        try:
            return [_array(v) for v in self._session.run(outputs, {self.input_name: value})]
        except LIMITS:
            raise
        except Exception as error:
            raise RuntimeUnavailable(f"onnxruntime fails on {self.name} ({_first_line(error)})") from None


class OnnxRuntime:
    """A network's file, loaded in onnxruntime.  Raises RuntimeUnavailable if it cannot be run."""

    def __init__(self, network: Network) -> None:
        if not network.source:
            raise RuntimeUnavailable(f"{network.name} has no ONNX bytes")
        self._session = Session(network.source, network.name)
        self.network, self._dtype, self._dims = network, self._session.input_type, self._session.dims

    @property
    def input_type(self) -> np.dtype:
        """Return the element type of the file's input."""
        return np.dtype(self._dtype)

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs for rows in the file's form, one-hot vectors or ids.

        They are float32 as they came: (batch, outputs).  Raises ValueError if the inputs do not fit,
        RuntimeUnavailable, and RuntimeMismatch.
        """
        inputs = np.asarray(inputs)
        if inputs.ndim != 2:
            raise ValueError(f"inputs have shape {inputs.shape}, expected (batch, values)")
        shape = self._shape(inputs.shape[1])
        typed = inputs.astype(self._dtype)
        if inputs.dtype.kind in "biuf" and not (typed == inputs).all():
            raise ValueError(f"inputs are not exact in {np.dtype(self._dtype)}")
        rows = [
            self._one(np.resize(row, shape)) for row in typed
        ]  # a batch of several gets the same row several times
        return np.stack(rows) if rows else np.zeros((0, self.network.result_size), dtype=np.float32)

    def run_words(self, domain: WordInputs, words: np.ndarray) -> np.ndarray:
        """Run padded words of a domain, in the encoding that the file takes."""
        return self.run(domain.ids(words) if self.network.encoding == "ids" else domain.one_hot(words))

    def _one(self, value: np.ndarray) -> np.ndarray:
        out = self._session.run(value, [self.network.output] if self.network.output else None)[0].reshape(-1)
        size = self.network.result_size
        if value.size > self.network.input_size and value.size // self.network.input_size * size == out.size:
            out = out[:size]
        if out.shape != (size,):
            raise RuntimeMismatch(f"onnxruntime gives {out.size} outputs, the network has {size}")
        if not np.isfinite(out.astype(np.float64)).all():
            raise RuntimeMismatch(
                "onnxruntime gives NaN or infinity: the network overflows in floating point"
            )
        return out

    def _shape(self, size: int) -> tuple[int, ...]:
        """Return the file's input shape, with open axes as the reader resolves them."""
        dims = [d if isinstance(d, int) and d >= 0 else None for d in self._dims]
        if len(dims) > 1 and dims[0] is None:
            dims[0] = 1
        known = math.prod(d for d in dims if d is not None)
        if dims.count(None) == 1 and known and size % known == 0:
            dims[dims.index(None)] = size // known
        if (
            None in dims
        ):  # [1, positions, words], both open: any split runs, but only the domain knows the right one
            raise RuntimeUnavailable(f"the input of {self.network.name} has several open axes")
        shape = tuple(d for d in dims if d is not None)
        if math.prod(shape) != size and not (len(shape) > 1 and math.prod(shape[1:]) == size):
            raise ValueError(f"inputs have {size} values, the file takes {list(shape)}")
        return shape


def _array(value: Any) -> np.ndarray:
    """Return a tensor as it is, and of a dictionary per row (ZipMap) the values in the order of the keys."""
    return (
        np.array([[row[key] for key in sorted(row)] for row in value])
        if isinstance(value, list)
        else np.asarray(value)
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
