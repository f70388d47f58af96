"""A TorchScript file as a circuit: ids in, labels or logits out.

Such a file is a program: torch interprets the code in it, with all the rights of the user, from the moment that it is loaded.  No look at
its bytes tells good code from bad.  So whoever asks says so (`--run-code`), and until then not a byte of it is read.
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
from ..black_box import BlackBox, vocabulary_beside

MOST_BYTES = 1 << 31


def read_torchscript(path: Path, run_code: bool) -> BlackBox:
    """The script's `forward`, run on CPU in float as it is.  Raises InputError where `run_code` does not allow that, before the file is opened."""
    where = str(path)
    if run_code is not True:
        mend = "--run-code (in Python run_code=True) runs it with your rights; weights alone belong in a folder with beeg_config.json"
        raise InputError(where, "is a program (TorchScript), and nothing of it was loaded", mend)
    import torch

    data = _read(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            script = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
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
            raise InputError(
                where,
                f"fails on ids of shape {ids.shape} ({_said(error)})",
                "it takes int64 ids [batch, positions]",
            ) from None

    return BlackBox(path.stem, vocabulary_beside(path), run, "TorchScript model, run as it is", where)


def _read(path: Path) -> bytes:
    try:
        data = read_file(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(
            str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}", "check the path"
        ) from None
    if len(data) > MOST_BYTES:
        raise InputError(str(path), f"is over {MOST_BYTES} bytes", "take a smaller model")
    return data


def _said(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][:160]}" if lines else type(error).__name__
