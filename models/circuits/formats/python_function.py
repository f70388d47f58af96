"""`file.py:function`: the user's own Python as a circuit.

This form, and no other, runs the file as Python: it is the user's own code that they ask to run.  The function gets token ids
[batch, positions] as a numpy array (or as a torch tensor where the module says `torch_input = True`).
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ....common.errors import InputError
from ..black_box import BlackBox, vocabulary_beside


def read_function(path: Path, name: str) -> BlackBox:
    """The function `name` of a Python file.  Its vocabulary: a list `vocabulary` in the file, or vocab.json beside it."""
    where = f"{path}:{name}"
    if not path.is_file():
        raise InputError(
            str(path), "there is no such file", "a circuit of your own is written file.py:function"
        )
    spec = importlib.util.spec_from_file_location(f"relucid_circuit_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(str(path), "is not a Python file", "its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))  # so that it finds what lies beside it, as a script does
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise InputError(str(path), f"fails when it is imported ({_said(error)})", "mend the file") from None
    finally:
        sys.path.pop(0)
    function = getattr(module, name, None)
    if not callable(function):
        known = ", ".join(
            n
            for n, v in vars(module).items()
            if callable(v) and not n.startswith("_") and not isinstance(v, type)
        )
        raise InputError(
            where, f"there is no function {name!r} in the file", f"functions there: {known or 'none'}"
        )
    words = getattr(module, "vocabulary", None)
    vocabulary = (
        vocabulary_beside(path) if words is None else tuple(words) if isinstance(words, list | tuple) else ()
    )
    if words is not None and (not vocabulary or not all(isinstance(w, str) for w in vocabulary)):
        raise InputError(
            f"{path}: vocabulary",
            "is not a list of strings",
            "write vocabulary = [...], one word per token id",
        )
    as_torch = bool(getattr(module, "torch_input", False))

    def run(ids: np.ndarray) -> Any:
        try:
            return function(_tensor(ids) if as_torch else ids)
        except (Exception, SystemExit) as error:
            raise InputError(
                where, f"fails on ids of shape {ids.shape} ({_said(error)})", "mend the function"
            ) from None

    return BlackBox(name, vocabulary, run, "Python function, run as it is", where)


def _tensor(ids: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(ids)


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return type(error).__name__ + (f": {lines[0][:160]}" if lines else "")
