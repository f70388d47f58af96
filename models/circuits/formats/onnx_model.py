"""Format: an ONNX model, token ids in, labels or logits out, executed in onnxruntime.

Softmax, norms and the rest are no obstacle here, since only the answers matter.  (`models/onnx/reader.py`
reads the networks that claims are about.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ....common.deadline import LIMITS
from ....common.errors import InputError
from ...onnx.files import load_model
from ..black_box import BlackBox
from ..source import CircuitFormat, Source
from ..vocabulary import VOCABULARY_FILE, vocabulary_beside

_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
_SAID = 200  # characters of onnxruntime's message that are passed on


def read_onnx_model(path: Path) -> BlackBox:
    """Make a circuit of the model's first output for its one input, ids [batch, positions].

    Raises:
        InputError: the file is no ONNX model, onnxruntime cannot load it, or it has other inputs.
    """
    where = str(path)
    data = load_model(path)
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:  # from bytes that are the whole model: given a path, onnxruntime would look for other files
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except LIMITS:
        raise
    except Exception as error:
        raise InputError(where, f"onnxruntime cannot load it ({_said(error)})", "export it anew") from None
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES or len(inputs[0].shape) != 2:
        said = ", ".join(f"{entry.name} {entry.type} {entry.shape}" for entry in inputs) or "none"
        mend = "a circuit takes one: integer ids [batch, positions]"
        raise InputError(where, f"its inputs are {said}", mend)
    name, dtype, (rows, columns) = inputs[0].name, _TYPES[inputs[0].type], inputs[0].shape
    output = session.get_outputs()[0].name

    def run_batch(ids: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(session.run([output], {name: ids.astype(dtype)})[0])
        except LIMITS:
            raise
        except Exception as error:
            what = f"fails on ids of shape {ids.shape} ({_said(error)})"
            raise InputError(where, what, "it takes ids [batch, positions]") from None

    def run(ids: np.ndarray) -> Any:
        if isinstance(columns, int) and ids.shape[1] != columns:
            here = f"the domain's sequences have {ids.shape[1]} with prefix and suffix"
            what = f"takes {columns} positions, {here}"
            raise InputError(where, what, "change the domain's length, prefix or suffix")
        step = rows if isinstance(rows, int) and rows > 0 else max(len(ids), 1)
        answers = []
        for start in range(0, len(ids), step):
            batch = ids[start : start + step]
            filled = np.concatenate([batch, np.repeat(batch[-1:], step - len(batch), axis=0)])
            answers.append(run_batch(filled)[: len(batch)])
        return np.concatenate(answers) if answers else np.zeros((0,), dtype=np.int64)

    return BlackBox(path.stem, vocabulary_beside(path), run, "ONNX model, run as it is", where)


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:_SAID] if lines else type(error).__name__


def _recognises(source: Source) -> bool:
    return source.suffix == ".onnx"


def _read(source: Source) -> BlackBox:
    return read_onnx_model(source.path)


FORMAT = CircuitFormat("a .onnx file", _recognises, _read, (VOCABULARY_FILE,))
