"""Calls and generator expressions of the subset, compiled to closures, and what a loop may iterate over.

On top of `expressions.py`, under `statements.py`.  Where a function like sum or any meets unknown tokens, its
closure asks for a pass (`passes.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from .compiled import NUMBERS, Bind, Env, Generator, Run, Scope
from .expressions import Expressions
from .items import Items, TokenItems
from .liveness import names_bound, names_read
from .operations import FOLD_START, FOLDS, Fold
from .passes import FoldQuery, NotAPass, fold_over
from .syntax import BUILTINS, ITERATORS, METHODS
from .tokens import Tokens, enumerated, items_of, zipped
from .values import Execution, checked

NATIVE_CALLS: dict[str, Any] = {
    "abs": abs,
    "bool": bool,
    "int": int,
    "len": len,
    "max": max,
    "min": min,
    "str": str,
    "tuple": tuple,
}


class Calls(Expressions):
    """All expressions of one function or constant, calls and generator expressions among them."""

    def expr_Call(self, node: ast.Call, depth: int) -> Run:
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                raise self.outside(argument)
        if node.keywords:
            raise self.refuse(node, "a keyword argument is outside the subset", "pass arguments by position")
        if isinstance(node.func, ast.Attribute):
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
            return self._helper(node, name, depth)
        if name not in BUILTINS:
            raise self.refuse(
                node,
                f"unknown function {name!r}",
                f"known are {', '.join(BUILTINS)} and functions of the same file",
            )
        if name in ITERATORS:
            mend = "walk over it in a for loop or inside sum, any, all, min, max or tuple"
            raise self.refuse(node, f"{name}() as a value is outside the subset", mend)
        if name in FOLDS and (len(node.args) == 1 or name == "sum"):
            return self._fold(node, name, depth)
        arguments = [self.expression(a, depth) for a in node.args]
        if name in ("any", "all") or (name == "len" and len(arguments) != 1):
            raise self.refuse(node, f"{name}() takes one argument", "pass one")
        native = NATIVE_CALLS[name]
        return lambda env, m: checked(native(*[a(env, m) for a in arguments]), m)

    def _method(self, node: ast.Call, func: ast.Attribute, depth: int) -> Run:
        """Compile a call of .count(x) or .index(x)."""
        name = func.attr
        if name not in METHODS or len(node.args) != 1:
            raise self.refuse(
                node,
                f"the method call .{name}() is outside the subset",
                "only .count(x) and .index(x) are known",
            )
        value, argument = self.expression(func.value, depth), self.expression(node.args[0], depth)
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

    def iterable(self, node: ast.expr, depth: int) -> Run:
        """Compile what a for loop or a fold iterates over; `enumerate` and the like are known only here.

        Raises ProgramError if it is outside the subset.
        """
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ITERATORS):
            value = self.expression(node, depth)
            return lambda env, m: items_of(value(env, m))
        name, most = node.func.id, {"enumerate": 2, "range": 3, "reversed": 1, "zip": 8}[node.func.id]
        if (
            node.keywords
            or any(isinstance(a, ast.Starred) for a in node.args)
            or not 1 <= len(node.args) <= most
        ):
            raise self.refuse(
                node,
                f"{name}() with these arguments is outside the subset",
                "pass plain arguments by position",
            )
        if name == "range":
            numbers = [self.expression(a, depth + 1) for a in node.args]
            return lambda env, m: range(*[n(env, m) for n in numbers])
        if name == "zip":
            parts = [self.iterable(a, depth + 1) for a in node.args]
            return lambda env, m: zipped([p(env, m) for p in parts])
        if name == "reversed":
            inner = self._range_or_value(node.args[0], depth + 1)
            return lambda env, m: items_of(_reversed(inner(env, m)))
        walked, *start = [
            self.iterable(node.args[0], depth + 1),
            *(self.expression(a, depth + 1) for a in node.args[1:]),
        ]
        return lambda env, m: enumerated(walked(env, m), *[s(env, m) for s in start])

    def _range_or_value(self, node: ast.expr, depth: int) -> Run:
        """Compile the argument of reversed(): a range, or an expression."""
        is_range = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
        return self.iterable(node, depth) if is_range else self.expression(node, depth)

    def _fold(self, node: ast.Call, name: str, depth: int) -> Run:
        """Compile a call of sum, any, all, min, max or tuple."""
        if not 1 <= len(node.args) <= (2 if name == "sum" else 1):
            raise self.refuse(
                node,
                f"{name}() with {len(node.args)} arguments is outside the subset",
                "pass what it walks over",
            )
        fold: Fold = FOLDS[name]
        start = self.expression(node.args[1], depth) if len(node.args) == 2 else None
        walked = node.args[0]
        generator = self.generator(walked, depth) if isinstance(walked, ast.GeneratorExp) else None
        values = generator.first if generator else self.iterable(walked, depth)

        def run(env: Env, m: Execution) -> Any:
            items = values(env, m)
            if not isinstance(items, Items):
                items = iter(items)
            acc = start(env, m) if start else FOLD_START[name]
            if name == "sum" and isinstance(acc, str):
                raise TypeError("sum() can't sum strings [use ''.join(seq) instead]")
            if isinstance(items, TokenItems) and name == "tuple" and generator is None:
                return items.tokens
            if isinstance(items, Items):
                return fold_over(FoldQuery(fold, acc, items, generator, env), m)
            if generator is None:
                return fold.run(acc, items, m)
            inner, produce = {k: env[k] for k in generator.free if k in env}, generator.produce
            return fold.run(acc, (v for item in items for v in produce(inner, item, m)), m)

        return run

    def generator(self, node: ast.GeneratorExp, depth: int) -> Generator:
        """Compile a generator expression.  Raises ProgramError if it is outside the subset."""
        own = names_bound(*(c.target for c in node.generators))
        for name in sorted(own):
            if name in BUILTINS or name.startswith("__"):
                raise self.refuse(node, f"the name {name!r} is taken", "rename the variable")
        first = self.iterable(node.generators[0].iter, depth)
        inner = Calls(self.file, Scope(own, self.scope), self.uses)
        levels: list[tuple[Run | None, Bind, list[Run]]] = []
        for i, part in enumerate(node.generators):
            if part.is_async:
                raise self.refuse(node, "async for is outside the subset", "write for")
            walked = None if i == 0 else inner.iterable(part.iter, depth)
            levels.append((walked, inner.target(part.target), [inner.expression(c, depth) for c in part.ifs]))
        element = inner.expression(node.elt, depth)
        free = tuple(sorted(names_read(node.elt, *node.generators) - own))

        def walk(level: int, env: Env, item: Any, m: Execution) -> Iterator[Any]:
            m.tick()
            _, bind, conditions = levels[level]
            bind(env, item, m)
            for condition in conditions:
                if not condition(env, m):
                    return
            if level + 1 == len(levels):
                yield element(env, m)
                return
            following = levels[level + 1][0]
            assert following is not None
            items = following(env, m)
            if isinstance(items, Items):
                raise NotAPass("walks over the tokens in a second `for` of one generator expression")
            for each in items:
                yield from walk(level + 1, env, each, m)

        def produce(env: Env, item: Any, m: Execution) -> Iterator[Any]:
            return walk(0, env, item, m)

        return Generator(next(NUMBERS), free, first, produce, _carries(node))

    def target(self, node: ast.expr) -> Bind:
        """Compile what a value is assigned to: a name, or a tuple of targets.

        Raises ProgramError for others.
        """
        if isinstance(node, ast.Name):
            name = node.id

            def bind_name(env: Env, value: Any, m: Execution) -> None:
                env[name] = value

            return bind_name
        if isinstance(node, ast.Tuple):
            parts = [self.target(t) for t in node.elts]

            def unpack(env: Env, value: Any, m: Execution) -> None:
                if type(value) not in (tuple, str, Tokens):
                    raise TypeError(f"cannot unpack non-iterable {type(value).__name__} object")
                if len(value) != len(parts):
                    if len(value) > len(parts):
                        raise ValueError(f"too many values to unpack (expected {len(parts)})")
                    raise ValueError(f"not enough values to unpack (expected {len(parts)}, got {len(value)})")
                for bind, part in zip(parts, [value[i] for i in range(len(parts))], strict=True):
                    bind(env, part, m)

            return unpack
        if isinstance(node, ast.Subscript | ast.Attribute):
            raise self.refuse(
                node,
                "changing a value in place is outside the subset",
                "values never change: assign a new one to a name",
            )
        raise self.outside(node)


def _reversed(value: Any) -> Any:
    return value[::-1] if isinstance(value, Tokens) else reversed(value)


def _carries(node: ast.GeneratorExp) -> bool:
    """Return whether an inner `for`, or a condition before it, reads a variable that is bound only later."""
    unbound = names_bound(*(c.target for c in node.generators))
    for i, part in enumerate(node.generators):
        if i > 0 and unbound & names_read(part.iter):
            return True
        unbound -= names_bound(part.target)
        if unbound & names_read(*part.ifs):
            return True
    return False
