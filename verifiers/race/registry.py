"""Finds the backends: modules in `backends/` with a `BACKEND`, and third parties' entry points.

Read by the race and by `relucid backends`.  Backend modules import their solvers inside functions, so listing
is cheap.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points

from ...common.errors import InputError
from ..attempts import Trust
from .backend import Backend, options_of

ENTRY_POINTS = "relucid.backends"


@dataclass(frozen=True)
class BackendInfo:
    """A line of `relucid backends`.

    `version` is None where the solver is missing; `problem` says why.  `options`: what may follow the name
    ("highs:tighten"), and what it does.
    """

    name: str
    version: str | None
    trust: Trust | None
    in_process: bool
    description: str
    problem: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@cache
def _found() -> tuple[dict[str, Backend], dict[str, str]]:
    """Find backends by name, those that run in the race's own process first, and third parties that cannot be
    loaded.
    """
    from .. import backends

    names = [m.name for m in pkgutil.iter_modules(backends.__path__) if not m.ispkg]
    own = [importlib.import_module(f"{backends.__name__}.{name}").BACKEND for name in names]
    loaded = {
        backend.name: backend
        for backend in sorted(own, key=lambda b: (not b.capabilities.in_process, b.name))
    }
    broken: dict[str, str] = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        if point.name in loaded:
            broken[f"{point.name} ({point.value})"] = "a backend of this name is already there"
            continue
        try:
            backend = point.load()
            if backend.name != point.name:
                raise ValueError(f"it calls itself {backend.name!r}")
            loaded[point.name] = backend
        except Exception as error:  # whatever a third party's module raises must not stop the others
            broken[point.name] = f"cannot be loaded: {type(error).__name__}: {error}"
    return loaded, broken


def all_backends() -> dict[str, Backend]:
    """Return every backend by name, installed or not, the cheap ones first."""
    return dict(_found()[0])


def get(name: str) -> Backend:
    """Return the backend of a name.  Raises InputError."""
    loaded, broken = _found()
    if name in broken:
        raise InputError(
            f"backend {name!r}", broken[name], "repair or uninstall the package that provides it"
        )
    if name not in loaded:
        raise InputError("backends", f"there is no backend {name!r}", f"known are {', '.join(loaded)}")
    return loaded[name]


def describe() -> tuple[BackendInfo, ...]:
    """Return what `relucid backends` shows."""
    loaded, broken = _found()
    out = []
    for name, backend in loaded.items():
        version, can = backend.available(), backend.capabilities
        problem = "" if version else "its package is not installed"
        out.append(
            BackendInfo(
                name, version, can.trust, can.in_process, can.description, problem, dict(options_of(backend))
            )
        )
    return (*out, *(BackendInfo(name, None, None, False, "", problem) for name, problem in broken.items()))
