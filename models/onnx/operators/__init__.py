"""The ONNX operators, a subject a file.  A file enters its functions with `@operator(NAME)` (`call.py`) and is found by being here."""

from __future__ import annotations

import importlib
import pkgutil

from .call import OPERATORS, Function


def all_operators() -> dict[str, Function]:
    """Return every operator's function by its ONNX name, after importing all files of this folder."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return OPERATORS
