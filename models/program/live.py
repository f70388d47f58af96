"""Finds the text of a Python function object, and makes sure that it is the text that the function runs.

Python finds a function's source by the name of its file and a line number.  The file may have changed since,
a wrapper may point at the function that it wraps, and an indented function loses its margin.  So the text is
compiled and compared with the function's own code.  The helpers and constants that it refers to are written
out with it.  Whatever does not fit is refused.  Nothing is executed.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import inspect
import types
from collections.abc import Callable
from typing import Any

from ...common.errors import InputError
from ...common.text import literal
from .liveness import names_read
from .source import newlines, without_margin
from .syntax import BUILTINS, parse

_FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
_CONSTANTS = (bool, int, str, type(None))


def source_of(function: Callable[..., Any]) -> str:
    """Return the text of a function, with the helper functions and constants that it uses.

    Raises InputError.
    """
    found: dict[str, tuple[object, str]] = {}
    _gather(function, found)
    return "\n".join(text for _, text in found.values())


def _gather(function: Any, found: dict[str, tuple[object, str]]) -> None:
    """Add the function to `found`, then the plain functions and constants that it refers to, by name."""
    name = getattr(function, "__name__", "function")
    if not inspect.isfunction(function):
        raise InputError(name, "its source cannot be found", "pass the source text, or file.py:function")
    if name == "<lambda>":
        raise InputError("program", "a lambda stands in the middle of other source", "write it with def")
    try:
        text = without_margin(newlines(inspect.getsource(function)))
        known = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    except (OSError, TypeError, ValueError):
        raise InputError(
            name, "its source cannot be found", "pass the source text, or file.py:function"
        ) from None
    tree = parse(text, f"<function {name}>")
    if not _runs(tree, function):
        what = (
            "its source is not what it runs"
            " (the file has changed since, it is wrapped, or a string loses its margin)"
        )
        raise InputError(name, what, "import it again, or pass the source text, or file.py:function")
    found[name] = (function, text)
    read = names_read(tree)
    for other in sorted(read & set(known)):
        value = known[other]
        if other in found:
            if not _same(found[other][0], value):
                raise InputError(
                    name, f"{other} means two things in the functions that it uses", "rename one of them"
                )
        elif other in BUILTINS:
            if value is not getattr(builtins, other):
                raise InputError(name, f"{other} is not Python's own there", "give it another name")
        elif inspect.isfunction(value) and value.__name__ == other:
            _gather(value, found)
        elif _is_constant(value):
            found[other] = (value, f"{other} = {literal(value)}")


def _is_constant(value: object) -> bool:
    """Return whether the value is a constant of exactly these types.

    A subclass could compare and print in its own way.
    """
    return type(value) in _CONSTANTS or (type(value) is tuple and all(map(_is_constant, value)))


def _same(one: object, other: object) -> bool:
    """Return whether two objects are the same, or constants that are written alike."""
    return one is other or (_is_constant(one) and _is_constant(other) and literal(one) == literal(other))


def _runs(tree: ast.Module, function: types.FunctionType) -> bool:
    """Return whether this text, which must hold one definition, compiles to the function's own code."""
    code = function.__code__
    body: list[ast.stmt] = tree.body
    if code.co_freevars:  # variables of the functions around it
        around = ast.parse(f"def _({', '.join(code.co_freevars)}): pass").body[0]
        assert isinstance(around, ast.FunctionDef)
        around.body, body = body, [around]
    module = ast.fix_missing_locations(ast.Module(body, []))
    try:
        found = compile(module, "<source>", "exec", code.co_flags & _FUTURE, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    inner = _inside(found, code.co_name)
    definition = tree.body[0] if tree.body else None
    says = isinstance(definition, ast.FunctionDef) and ast.get_docstring(definition, clean=False) is not None
    return inner is not None and len(tree.body) == 1 and _essence(inner, says) == _essence(code, says)


def _inside(code: types.CodeType, name: str) -> types.CodeType | None:
    """Find the code of that name, at most one function deeper: inside the `_` that binds its variables."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return next((c for c in inner if c.co_name == name), None) or (
        _inside(inner[0], name) if inner and inner[0].co_name == "_" else None
    )


def _essence(code: types.CodeType, says: bool = False) -> tuple[object, ...]:
    """Return what a code object does, without where its source stands.

    `says`: its first constant is a docstring, whose margin does not matter.
    """
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_exceptiontable)
    return (code.co_code, names, counts, tuple(map(_typed, code.co_consts[1 if says else 0 :])))


def _typed(value: object) -> object:
    """Return a constant with its type: 1, 1.0 and True are three constants."""
    if isinstance(value, types.CodeType):
        return _essence(value)
    if isinstance(value, tuple | frozenset):
        return type(value), type(value)(map(_typed, value))
    return type(value), value
