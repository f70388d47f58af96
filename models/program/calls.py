"""Calls of the subset, compiled to closures: functions of Python and of the file, and methods of values.

On top of `walks.py`, under `statements.py`.
"""

from __future__ import annotations

import ast
from typing import Any

from .compiled import Run
from .folds import FOLDS
from .passes import NotAPass
from .syntax import BUILTINS, ITERATORS, METHODS
from .values import checked, has_unknown
from .walks import OPTIONS, Iteration

NATIVE_CALLS: dict[str, Any] = {
    "abs": abs,
    "bool": bool,
    "chr": chr,
    "divmod": divmod,
    "int": int,
    "len": len,
    "max": max,
    "min": min,
    "ord": ord,
    "str": str,
    "tuple": tuple,
}


class Calls(Iteration):
    """All expressions of one function or constant, calls and generator expressions among them."""

    def expr_Call(self, node: ast.Call, depth: int) -> Run:
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                raise self.outside(argument)
        if isinstance(node.func, ast.Attribute):
            self._positional(node)
            return self._method(node, node.func, depth)
        if not isinstance(node.func, ast.Name):
            raise self.refuse(
                node,
                "calling the result of an expression is outside the subset",
                "call a function by its name",
            )
        name = node.func.id
        if self.scope.binds(name):
            raise self.refuse(node, f"{name!r} is a variable here, not a function", "rename the variable")
        if name in self.file.functions:
            self._positional(node)
            return self._helper(node, name, depth)
        if name not in BUILTINS:
            raise self.refuse(
                node,
                f"unknown function {name!r}",
                f"known are {', '.join(BUILTINS)} and functions of the same file",
            )
        if name in ITERATORS:
            mend = "walk over it in a for loop or inside sum, any, all, min, max, sorted or tuple"
            raise self.refuse(node, f"{name}() as a value is outside the subset", mend)
        if name == "set":
            raise self.refuse(
                node,
                "a set as a value is outside the subset",
                "use len(set(x)), sorted(set(x)) or `x in set(y)`",
            )
        if name == "len" and len(node.args) == 1 and self.is_set(node.args[0]):
            self._positional(node)
            members = self.set_of(node.args[0], depth)
            return lambda env, m: len(members(env, m))
        if name in FOLDS and (len(node.args) == 1 or name in ("sum", "sorted")):
            return self.fold(node, name, depth)
        return self._native(node, name, depth)

    def _native(self, node: ast.Call, name: str, depth: int) -> Run:
        """Compile a call of a function of Python that takes values."""
        arguments = [self.expression(a, depth) for a in node.args]
        if name in ("any", "all") or (name == "len" and len(arguments) != 1):
            raise self.refuse(node, f"{name}() takes one argument", "pass one")
        native = NATIVE_CALLS[name]
        if name in ("min", "max") and [k.arg for k in node.keywords] == ["key"] and len(arguments) > 1:
            key = self.key(node.keywords[0].value, depth)
            return lambda env, m: native(*[a(env, m) for a in arguments], key=key(env, m)[1])
        self._positional(node)
        return lambda env, m: checked(native(*[a(env, m) for a in arguments]), m)

    def _positional(self, node: ast.Call) -> None:
        if node.keywords:
            name = node.keywords[0].arg
            known = "; ".join(f"{f}({', '.join(f'{k}=' for k in ks)})" for f, ks in sorted(OPTIONS.items()))
            what = "a keyword argument" if name is None else f"the keyword argument {name}="
            raise self.refuse(
                node, f"{what} is outside the subset", f"pass arguments by position; known: {known}"
            )

    def _method(self, node: ast.Call, func: ast.Attribute, depth: int) -> Run:
        """Compile a call of a method."""
        name = func.attr
        if name not in METHODS or len(node.args) not in METHODS[name]:
            known = ", ".join(f".{m}({', '.join('xy'[: max(n)])})" for m, n in METHODS.items())
            raise self.refuse(node, f"the method call .{name}() is outside the subset", f"known are {known}")
        value = self.expression(func.value, depth)
        arguments = [self.expression(a, depth) for a in node.args]
        if name in ("startswith", "endswith"):
            return lambda env, m: getattr(value(env, m), name)(*[_known(a(env, m)) for a in arguments])
        if name in ("get", "lower", "upper"):
            return lambda env, m: checked(getattr(value(env, m), name)(*[a(env, m) for a in arguments]), m)
        if not arguments:
            return lambda env, m: getattr(value(env, m), name)()
        (argument,) = arguments
        return lambda env, m: getattr(value(env, m), name)(argument(env, m))

    def _helper(self, node: ast.Call, name: str, depth: int) -> Run:
        """Compile a call of another function of the file."""
        function = self.file.function(name, node)
        if len(node.args) != len(function.parameters):
            takes = len(function.parameters)
            raise self.refuse(
                node, f"{name!r} takes {takes} arguments, not {len(node.args)}", "pass as many as it takes"
            )
        self.uses[name] = function.node
        arguments = [self.expression(a, depth) for a in node.args]
        return lambda env, m: function.call(tuple([a(env, m) for a in arguments]), m).value


def _known(value: Any) -> Any:
    """Return the value.  Raises NotAPass if a method of strings could not look into it."""
    if has_unknown(value):
        raise NotAPass("looks for the tokens in a string")
    return value
