"""Format: a TorchScript file, ids in, labels or logits out.

Such a file contains code: torch interprets it with all the rights of the user, from the moment that it is
loaded.  No look at its bytes tells good code from bad.  So the user has to allow it (`--run-code`), and until
then not a byte is read.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ....common.deadline import LIMITS
from ....common.errors import InputError
from ....common.files import read_file
from ....common.optional import require
from ..black_box import BlackBox
from ..source import CircuitFormat, Source
from ..vocabulary import VOCABULARY_FILE, vocabulary_beside

MOST_BYTES = 1 << 31
_SAID = 160  # characters of torch's message that are passed on


def read_torchscript(path: Path, run_code: bool) -> BlackBox:
    """Make a circuit of the script's `forward`, run on the CPU.

    Raises:
        InputError: `run_code` does not allow it (the file is then not opened), torch is missing, or it cannot
            load the file.
    """
    where = str(path)
    if run_code is not True:
        ask = "--run-code (in Python run_code=True) runs it with your rights"
        mend = f"{ask}; weights alone belong in a folder with beeg_config.json"
        raise InputError(where, "contains code (TorchScript), and nothing of it was loaded", mend)
    require("torch", where)
    import torch

    data = _bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            script = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except LIMITS:
        raise
    except Exception as error:
        mend = "save the model with torch.jit.script or torch.jit.trace, or as ONNX"
        raise InputError(where, f"torch cannot load it as TorchScript ({_said(error)})", mend) from None

    def run(ids: np.ndarray) -> Any:
        try:
            with torch.inference_mode():
                return script(torch.from_numpy(ids))
        except LIMITS:
            raise
        except Exception as error:
            what = f"fails on ids of shape {ids.shape} ({_said(error)})"
            raise InputError(where, what, "it takes int64 ids [batch, positions]") from None

    return BlackBox(path.stem, vocabulary_beside(path), run, "TorchScript model, run as it is", where)


def _bytes(path: Path) -> bytes:
    try:
        data = read_file(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise InputError(str(path), f"cannot be read: {said}", "check the path") from None
    if len(data) > MOST_BYTES:
        raise InputError(str(path), f"is over {MOST_BYTES} bytes", "take a smaller model")
    return data


def _said(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][:_SAID]}" if lines else type(error).__name__


def _recognises(source: Source) -> bool:
    return source.suffix in (".pt", ".pth", ".ts", ".jit")


def _read(source: Source) -> BlackBox:
    return read_torchscript(source.path, source.run_code)


FORMAT = CircuitFormat("a TorchScript .pt file", _recognises, _read, (VOCABULARY_FILE,))
