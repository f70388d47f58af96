"""Which backends may run: those that the user named, with their options, or all.  The race's first step."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence

from ...common.errors import InputError
from .backend import Backend, UnknownOption, options_of


def choose(names: Sequence[str] | None, registry: Iterable[Backend] | None = None) -> tuple[Backend, ...]:
    """Return the backends of these names in this order; None: all.

    "name:option:option" is a registered backend with options, "module:attribute" one that is not registered.
    One string lists them with commas, as on the command line.  Raises InputError for a name or an option that
    is not there.
    """
    known = {backend.name: backend for backend in (_registered() if registry is None else registry)}
    if names is None:
        return tuple(known.values())
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    if not names:
        raise InputError("backends", "names no backend", f"known are {', '.join(known)}")
    chosen = [
        _with_options(name, known) or _imported(name, known, registry is None)
        for name in dict.fromkeys(names)
    ]
    return tuple({backend.name: backend for backend in chosen}.values())


def _registered() -> Iterable[Backend]:
    from .registry import all_backends

    return all_backends().values()


def _with_options(text: str, known: Mapping[str, Backend]) -> Backend | None:
    """Return a registered backend, with the text's options; None where the name is not registered."""
    if text in known:
        return known[text]
    name, *options = text.split(":")
    if name not in known:
        return None
    backend = known[name]
    if not options_of(backend):
        raise UnknownOption(options[0], name, ())
    return backend.with_options(options)  # type: ignore[attr-defined, no-any-return]


def _imported(name: str, known: Mapping[str, Backend], registered: bool) -> Backend:
    """Return the backend of "module:attribute".  Raises InputError."""
    module, colon, attribute = name.partition(":")
    if not colon:
        if registered:
            from .registry import get

            return get(name)  # raises, and knows whether the name is unknown or its package is broken
        raise InputError("backends", f"there is no backend {name!r}", f"known are {', '.join(known)}")
    try:
        backend: Backend = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            "backends", f"cannot load {name!r} ({error})", "write module:attribute of something importable"
        ) from None
    missing = [a for a in ("name", "capabilities", "available", "unfit", "solve") if not hasattr(backend, a)]
    if missing:
        raise InputError(
            "backends",
            f"{name!r} is not a backend: it has no {', '.join(missing)}",
            "see docs/theory/the-race.md",
        )
    return backend
