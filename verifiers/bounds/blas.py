"""BLAS in one thread.

Matrices of a few dozen rows are multiplied faster without its threads, which also wait for each other.  Only
OpenBLAS as numpy's wheels bring it is known here; with any other library nothing happens, at the price of
time only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """numpy's matrix products in one thread each, in this process, while the context lasts."""
    library = _openblas()
    before = library.scipy_openblas_get_num_threads64_() if library else 1
    if library and before > 1:
        library.scipy_openblas_set_num_threads64_(1)
    try:
        yield
    finally:
        if library and before > 1:
            library.scipy_openblas_set_num_threads64_(before)


@cache
def _openblas() -> ctypes.CDLL | None:
    for path in Path(np.__file__).parent.parent.glob("numpy.libs/*openblas*"):
        try:
            library = ctypes.CDLL(str(path))  # loaded already: this is another handle on it
        except OSError:
            continue
        if hasattr(library, "scipy_openblas_set_num_threads64_") and hasattr(
            library, "scipy_openblas_get_num_threads64_"
        ):
            return library
    return None
