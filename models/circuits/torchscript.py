"""A TorchScript file as a circuit: ids in, labels or logits out.

TorchScript is a language of its own that torch interprets; its files carry no Python, and a pickle that could run some is refused
before torch sees it.  The interpreter still has operators that touch files, so scripts that name one, or an operator from outside
torch's own, are refused too.  That is a fence, not a sandbox: docs/circuits.md says so.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import read_file
from .black_box import BlackBox, vocabulary_beside

MOST_BYTES = 1 << 31
_TOUCHES_FILES = re.compile(r"\b(from_file|_?save|_save_\w+|PythonOp|classes)\b")
_OPERATOR = re.compile(r"\bops\s*\.\s*(\w+)")
_OWN = {"aten", "prim"}


def archive_entries(data: bytes) -> list[str]:
    """The names in a torch zip file, below its one top folder; [] where it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [name.partition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return []


def is_torchscript(data: bytes) -> bool:
    """Whether a file is a TorchScript archive rather than a pickle of Python objects."""
    entries = archive_entries(data)
    return "constants.pkl" in entries and any(entry.startswith("code/") for entry in entries)


def read_torchscript(path: Path) -> BlackBox:
    """The script's `forward`, run on CPU in float as it is."""
    import torch

    where, data = str(path), _read(path)
    if not is_torchscript(data):
        said = (
            "a pickle of Python objects, which could run code when it is read"
            if data[:2] == b"PK" or data[:1] == b"\x80"
            else "no torch file"
        )
        raise InputError(where, f"is {said}; nothing was loaded", "save the model with torch.jit.script or torch.jit.trace, or as ONNX")
    _fence(where, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            script = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
    except Exception as error:
        raise InputError(where, f"torch cannot load it ({_said(error)})", "save it anew with torch.jit.save") from None

    def run(ids: np.ndarray) -> Any:
        try:
            with torch.inference_mode():
                return script(torch.from_numpy(ids))
        except Exception as error:
            raise InputError(
                where, f"fails on ids of shape {ids.shape} ({_said(error)})", "it takes int64 ids [batch, positions]"
            ) from None

    return BlackBox(path.stem, vocabulary_beside(path), run, "TorchScript model, run as it is", where)


def _read(path: Path) -> bytes:
    try:
        data = read_file(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}", "check the path") from None
    if len(data) > MOST_BYTES:
        raise InputError(str(path), f"is over {MOST_BYTES} bytes", "take a smaller model")
    return data


def _fence(where: str, data: bytes) -> None:
    """Read the scripts' text before anything of them runs (a script's __setstate__ runs while torch loads it)."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
            raise InputError(where, f"unpacks to over {MOST_BYTES} bytes", "take a smaller model")
        scripts = [n for n in archive.namelist() if n.partition("/")[2].startswith("code/") and n.endswith(".py")]
        for name in scripts:
            text = archive.read(name).decode("utf-8", "replace")
            found = _TOUCHES_FILES.search(text)
            foreign = next((m[1] for m in _OPERATOR.finditer(text) if m[1] not in _OWN), None)
            if found or foreign:
                what = found[0] if found else f"ops.{foreign}"
                raise InputError(where, f"its script calls {what}, which could touch files", "only computing scripts are run")


def _said(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][:160]}" if lines else type(error).__name__
