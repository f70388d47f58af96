"""An ONNX file with all that belongs to it, as one model: unpacked, with the weights from files beside it.

Before `reader.py`, and before onnxruntime, which would look for such weights in the folder where the command
was started.  Everything after this sees one self-contained model, so digests, proofs and saved copies cover
every byte.
"""

from __future__ import annotations

import gzip
import itertools
import math
import os
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...common.errors import InputError
from ...common.files import open_file, read_file

if TYPE_CHECKING:
    import onnx

MAX_BYTES = 2**31 - 1  # the limit of protobuf
GZIP = b"\x1f\x8b"


def load_model(path: str | Path) -> bytes:
    """Return the model's bytes: .gz unpacked, weights from files beside it put in.  Raises InputError."""
    path = Path(path)
    data = _file(path, str(path))
    model = parsed(data, str(path))
    tensors = list(_external(model))
    if not tensors:
        return data
    beside = _Beside(path)
    if len(data) + sum(map(beside.size, tensors)) > MAX_BYTES:
        raise InputError(
            str(path), "is larger than 2 GB with its weights", "models over 2 GB are not supported"
        )
    for tensor in tensors:
        found = beside.read(tensor)
        tensor.ClearField("data_location")
        tensor.ClearField("external_data")
        tensor.raw_data = found
    return bytes(model.SerializeToString(deterministic=True))


def parsed(data: bytes, origin: str) -> onnx.ModelProto:
    """Return the bytes as a model that has a graph.  `origin` is its name in messages.  Raises InputError."""
    import onnx
    from google.protobuf.message import DecodeError

    if len(data) > MAX_BYTES:
        raise InputError(origin, "the file is larger than 2 GB", "ONNX files over 2 GB are not supported")
    if not data:
        raise InputError(origin, "the file is empty", "give an ONNX file")
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise InputError(origin, "is not an ONNX file, or is truncated", "export it again") from None
    if not model.HasField("graph"):
        raise InputError(origin, "is not an ONNX file: it holds no graph", "export it again")
    return model


def locations(path: Path) -> list[str]:
    """Return the names of the files in which a model keeps weights, as it writes them.  Raises InputError."""
    found = (
        e.value
        for t in _external(parsed(_file(path, str(path)), str(path)))
        for e in t.external_data
        if e.key == "location"
    )
    return sorted({name for name in found if "\0" not in name})


def outside(model: onnx.ModelProto) -> str | None:
    """Return the name of a tensor that lies in another file; None if all are in the model."""
    return next((t.name for t in _external(model)), None)


def _file(path: Path, origin: str) -> bytes:
    try:
        data = read_file(path, MAX_BYTES)
        if data[:2] == GZIP:
            with gzip.open(BytesIO(data)) as unpacked:
                data = unpacked.read(MAX_BYTES + 1)
        return data
    except FileNotFoundError:
        raise InputError(origin, "there is no such file", "check the path") from None
    except (OSError, EOFError, ValueError) as error:
        what = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise InputError(origin, what, "check the path and its permissions") from None
    except zlib.error as error:
        raise InputError(origin, f"cannot be unpacked ({error})", "compress it again with gzip") from None


def _external(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    from onnx import TensorProto

    inside = (t for function in model.functions for node in function.node for t in _of_node(node))
    for t in itertools.chain(_tensors(model.graph), inside):
        if t.data_location == TensorProto.EXTERNAL or len(t.external_data):
            yield t


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _of_node(node)


def _of_node(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for a in node.attribute:
        if a.HasField("t"):
            yield a.t
        yield from a.tensors
        for sparse in (*((a.sparse_tensor,) if a.HasField("sparse_tensor") else ()), *a.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (*((a.g,) if a.HasField("g") else ()), *a.graphs):
            yield from _tensors(graph)


class _Beside:
    """The files beside a model that its tensors name."""

    def __init__(self, model: Path) -> None:
        self.origin, self.folder = str(model), model.parent.resolve()

    def _error(self, t: onnx.TensorProto, what: str) -> InputError:
        return InputError(
            self.origin,
            f"tensor {t.name!r}: {what}",
            "save the model again, with its weights inside or beside it",
        )

    def read(self, t: onnx.TensorProto) -> bytes:
        """Return a tensor's bytes: exactly as many as its shape and type need.  Raises InputError."""
        entries = {e.key: e.value for e in t.external_data}
        size = self.size(t)
        start, length = (
            self._number(t, entries, key, default) for key, default in (("offset", 0), ("length", size))
        )
        if length != size:
            raise self._error(t, f"its shape and type need {size} bytes, it says that it has {length}")
        location = entries.get("location", "")
        path = self._path(t, location)
        try:
            found, whole = _part(path, start, length)
        except (OSError, ValueError) as error:
            raise self._error(
                t, f"its file {location!r} cannot be read ({getattr(error, 'strerror', None) or error})"
            ) from None
        if start + length > whole:
            raise self._error(
                t,
                f"it is said to lie at bytes {start} to {start + length} of {location!r}, which has {whole}",
            )
        return found

    def size(self, t: onnx.TensorProto) -> int:
        """Return how many bytes a tensor's shape and type need.  Raises InputError."""
        from onnx import TensorProto, helper

        if t.data_type not in TensorProto.DataType.values() or t.data_type in (
            TensorProto.UNDEFINED,
            TensorProto.STRING,
        ):
            raise self._error(t, "its type cannot lie in another file")
        if any(d < 0 for d in t.dims):
            raise self._error(t, f"its shape is {list(t.dims)}")
        count = math.prod(t.dims)
        bits = {4: ("INT4", "UINT4", "FLOAT4E2M1"), 2: ("INT2", "UINT2")}
        name = TensorProto.DataType.Name(t.data_type)
        packed = next((b for b, names in bits.items() if name in names), None)
        size: int = (
            -(-count * packed // 8)
            if packed
            else count * helper.tensor_dtype_to_np_dtype(t.data_type).itemsize
        )
        if size > MAX_BYTES:
            raise self._error(t, f"its shape {list(t.dims)} is over 2 GB")
        return size

    def _number(self, t: onnx.TensorProto, entries: dict[str, str], key: str, default: int) -> int:
        text = entries.get(key, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise self._error(t, f"its {key} {text[:40]!r} is not a number")
        return int(text)

    def _path(self, t: onnx.TensorProto, location: str) -> Path:
        """Return a file in the model's folder, or in a folder inside it.

        Raises InputError for `..`, absolute paths, and links that lead out of the folder.
        """
        name = PurePosixPath(location)
        if not location or name.is_absolute() or ".." in name.parts or any(c in location for c in "\\\0:"):
            raise self._error(t, f"its file {location[:200]!r} is not one beside the model")
        try:
            path = (self.folder / name).resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise self._error(
                t, f"its file {location[:200]!r} cannot be read ({getattr(error, 'strerror', None) or error})"
            ) from None
        if not path.is_relative_to(self.folder):
            raise self._error(
                t, f"its file {location[:200]!r} is a link that leads out of the model's folder"
            )
        return path


def _part(path: Path, start: int, length: int) -> tuple[bytes, int]:
    """Return up to `length` bytes of a regular file from `start` on, and the size of the whole file.

    Raises OSError.
    """
    with open_file(path) as file:
        whole = os.fstat(file.fileno()).st_size
        file.seek(min(start, whole))
        return file.read(min(length, max(0, whole - start))), whole
