"""Format: `file.py:function`, the user's own Python.

This format, and no other, runs the file as Python: by writing `file.py:function`, users ask to run their own
code.  The function gets token ids [batch, positions] as a numpy array, or as a torch tensor if the file says
`torch_input = True`.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ....common.errors import InputError
from ....common.optional import require
from ..black_box import BlackBox
from ..source import CircuitFormat, Source
from ..vocabulary import VOCABULARY_FILE, vocabulary_beside

_SAID = 160  # characters of an error's message that are passed on


def read_function(path: Path, name: str) -> BlackBox:
    """Import a Python file and make a circuit of one of its functions.

    The vocabulary is a list `vocabulary` in the file, or vocab.json beside it.

    Raises:
        InputError: there is no such file or function, the file fails, or there is no vocabulary.
    """
    where = f"{path}:{name}"
    module = _imported(path)
    function = getattr(module, name, None)
    if not callable(function):
        members = vars(module).items()
        known = [n for n, v in members if callable(v) and not n.startswith("_") and not isinstance(v, type)]
        mend = f"functions there: {', '.join(known) or 'none'}"
        raise InputError(where, f"there is no function {name!r} in the file", mend)
    tokens = getattr(module, "vocabulary", None)
    if tokens is None:
        vocabulary = vocabulary_beside(path)
    else:
        vocabulary = tuple(tokens) if isinstance(tokens, list | tuple) else ()
        if not vocabulary or not all(isinstance(t, str) for t in vocabulary):
            what, mend = "is not a list of strings", "write vocabulary = [...], one string per token id"
            raise InputError(f"{path}: vocabulary", what, mend)
    wants_torch = bool(getattr(module, "torch_input", False))
    if wants_torch:
        require("torch", where)

    def run(ids: np.ndarray) -> Any:
        try:
            return function(_tensor(ids) if wants_torch else ids)
        except (Exception, SystemExit) as error:  # whatever the user's code raises
            what = f"fails on ids of shape {ids.shape} ({_said(error)})"
            raise InputError(where, what, "mend the function") from None

    return BlackBox(name, vocabulary, run, "Python function, run as it is", where)


def _imported(path: Path) -> ModuleType:
    if not path.is_file():
        mend = "a circuit of your own is written file.py:function"
        raise InputError(str(path), "there is no such file", mend)
    spec = importlib.util.spec_from_file_location(f"relucid_circuit_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(str(path), "is not a Python file", "its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))  # so that it finds the files beside it, as a script does
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise InputError(str(path), f"fails when it is imported ({_said(error)})", "mend the file") from None
    finally:
        sys.path.pop(0)
    return module


def _tensor(ids: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(ids)


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return type(error).__name__ + (f": {lines[0][:_SAID]}" if lines else "")


def _recognises(source: Source) -> bool:
    return source.function is not None


def _read(source: Source) -> BlackBox:
    assert source.function is not None
    return read_function(source.path, source.function)


FORMAT = CircuitFormat("file.py:function", _recognises, _read, (VOCABULARY_FILE,))
