"""Imports the modules of a folder, for registries in which one new file is one new entry."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules_in(package: ModuleType) -> tuple[ModuleType, ...]:
    """Import every module of a package, in alphabetical order; names that begin with "_" are left out."""
    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
    return tuple(importlib.import_module(f"{package.__name__}.{name}") for name in names)
