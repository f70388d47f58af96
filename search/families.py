"""The registry of templates: the files of `templates/`, and the families of features that they yield."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from types import ModuleType

from ..common.errors import InputError
from ..common.modules import modules_in
from . import templates
from .feature import Family
from .problem import SearchProblem


@cache
def all_templates() -> dict[str, ModuleType]:
    """Return the template modules by name, in alphabetical order."""
    return {module.__name__.rpartition(".")[2]: module for module in modules_in(templates)}


def template(name: str) -> ModuleType:
    """Return the template with this name.

    Raises:
        InputError: there is none.
    """
    known = all_templates()
    if name not in known:
        raise InputError("search", f"there is no template {name!r}", f"templates are {', '.join(known)}")
    return known[name]


def all_families(problem: SearchProblem, names: Iterable[str]) -> Iterator[Family]:
    """Yield every family of the templates with these names, in their order."""
    for name in names:
        yield from (family for family in template(name).families(problem) if family.size)
