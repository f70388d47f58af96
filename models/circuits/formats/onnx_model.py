"""An ONNX model as a circuit: token ids in, labels or logits out, executed in onnxruntime and not read any further.

Softmax, norms and the rest are no obstacle here: only its answers matter.  (`reader.py` is for networks that are proved.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ....common.deadline import LIMITS
from ....common.errors import InputError
from ...onnx.files import load_model
from ..black_box import BlackBox, vocabulary_beside

_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


def read_onnx_model(path: Path) -> BlackBox:
    """The model's first output for its one input, ids [batch, positions]."""
    where = str(path)
    data = load_model(path)
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:  # from bytes that are the whole model: onnxruntime would look for other files in the current folder
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except LIMITS:
        raise
    except Exception as error:
        raise InputError(where, f"onnxruntime cannot load it ({_said(error)})", "export it anew") from None
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES or len(inputs[0].shape) != 2:
        said = ", ".join(f"{entry.name} {entry.type} {entry.shape}" for entry in inputs)
        raise InputError(
            where, f"its inputs are {said or 'none'}", "a circuit takes one: integer ids [batch, positions]"
        )
    name, dtype, (rows, columns) = inputs[0].name, _TYPES[inputs[0].type], inputs[0].shape
    output = session.get_outputs()[0].name

    def run(ids: np.ndarray) -> Any:
        if isinstance(columns, int) and ids.shape[1] != columns:
            what = f"takes {columns} positions, the domain's sequences have {ids.shape[1]} with prefix and suffix"
            raise InputError(where, what, "change the domain's length, prefix or suffix")
        step = rows if isinstance(rows, int) and rows > 0 else max(len(ids), 1)
        parts = []
        for start in range(0, len(ids), step):
            some = ids[start : start + step]
            full = (
                np.concatenate([some, np.repeat(some[-1:], step - len(some), axis=0)])
                if len(some) < step
                else some
            )
            try:
                parts.append(np.asarray(session.run([output], {name: full.astype(dtype)})[0])[: len(some)])
            except LIMITS:
                raise
            except Exception as error:
                raise InputError(
                    where,
                    f"fails on ids of shape {full.shape} ({_said(error)})",
                    "it takes ids [batch, positions]",
                ) from None
        return np.concatenate(parts) if parts else np.zeros((0,), dtype=np.int64)

    return BlackBox(path.stem, vocabulary_beside(path), run, "ONNX model, run as it is", where)


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
