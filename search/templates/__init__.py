"""Program templates: one file each, found by looking into this folder.  docs/reference/add-a-template.md is the recipe.

A template module has `EXAMPLE`, the source of a program that it must find from labels alone (a test holds that), and
`families(problem)`, which yields the features that it knows (`search/feature.py`).  With `LAST_RESORT = True` it is asked
only when all others have failed on all examples.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def all_templates() -> dict[str, ModuleType]:
    """Template modules by name, in alphabetical order."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
