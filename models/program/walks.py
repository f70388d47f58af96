"""What a loop or a fold iterates over, generator expressions and folds, compiled to closures.

On top of `expressions.py`, under `calls.py`.  Where a fold like sum or any meets unknown tokens, its closure
asks for a pass (`passes.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from .bags import Bag
from .compiled import NUMBERS, Bind, Env, Generator, Run, Scope
from .expressions import Expressions
from .folds import FOLDS, NOTHING, Fold, extreme, most_frequent, ordering
from .items import Items, TokenItems
from .liveness import names_bound, names_read
from .passes import FoldQuery, NotAPass, fold_over
from .peeks import peeking, peeks
from .sorting import SortedTokens
from .syntax import BUILTINS, ITERATORS
from .tokens import Tokens, TokenSet, enumerated, items_of, zipped
from .values import Dict, Execution, List, UnknownTokens

KEY_FUNCTIONS: dict[str, Any] = {"abs": abs, "int": int, "len": len, "str": str}
KEY_METHODS = ("count", "get", "index")
OPTIONS = {
    "max": ("key", "default"),
    "min": ("key", "default"),
    "sorted": ("key", "reverse"),
    "sum": ("start",),
}

# What `key=` is: a name with the value that it is looked up in, and the function.
FoldKey = tuple[tuple[str, Any], Callable[[Any], Any]]


class Iteration(Expressions):
    """The expressions of one function or constant that iterate, and what they assign elements to."""

    def inside(self, scope: Scope) -> Iteration:
        """Return the compiler of expressions in an inner scope."""
        return type(self)(self.file, scope, self.uses)

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

    def fold(self, node: ast.Call, name: str, depth: int) -> Run:
        """Compile a call of sum, any, all, min, max, tuple, sorted or set."""
        most = 2 if name == "sum" else 1
        named = {k.arg: k.value for k in node.keywords}
        if not 1 <= len(node.args) <= most or len(node.args) + ("start" in named) > 2:
            raise self.refuse(
                node,
                f"{name}() with {len(node.args)} arguments is outside the subset",
                "pass what it walks over",
            )
        start_node = node.args[1] if len(node.args) == 2 else named.get("start")
        start = self.expression(start_node, depth) if start_node else None
        walked = node.args[0]
        generator = self.generator(walked, depth) if isinstance(walked, ast.GeneratorExp) else None
        if name == "sorted" and "key" not in named and self.is_set(walked):
            values = self.set_of(walked, depth)
        else:
            values = generator.first if generator else self.iterable(walked, depth)
        make = self._made(node, name, named, depth)

        def run(env: Env, m: Execution) -> Any:
            items = values(env, m)
            if generator is not None:
                items = iter(items) if m.ask is None else peeking(items, generator.peeks, env, m)
            fold, key, extra = make(env, m)
            if start is not None:
                fold = fold.beginning(start(env, m))
                if isinstance(fold.start, str):
                    raise TypeError("sum() can't sum strings [use ''.join(seq) instead]")
            if m.ask is None:
                items = iter(items)
            else:
                if isinstance(items, Items):
                    return _of_tokens(FoldQuery(fold, items, generator, env, extra), key, m)
                if isinstance(items, Bag):
                    return items.folded(fold, key, generator, env, m)
                if isinstance(items, SortedTokens) and name == "tuple" and generator is None:
                    return items.as_tuple()
                items = iter(items)
            if generator is None:
                return fold.run(items, m)
            inner, produce = {k: env[k] for k in generator.free if k in env}, generator.produce
            return fold.run((v for item in items for v in produce(inner, item, m)), m)

        return run

    def _made(
        self, node: ast.Call, name: str, named: dict[str | None, ast.expr], depth: int
    ) -> Callable[[Env, Execution], tuple[Fold, Any, Any]]:
        """Compile the keyword arguments of a fold.

        The closure gives the fold, its key function or None, and what tells the fold from others of its name.
        """
        for option in named:
            if option not in OPTIONS.get(name, ()):
                raise self.refuse(node, f"{name}() with {option}= is outside the subset", "leave it out")
        plain = (FOLDS[name], None, None)
        if not named or name == "sum":
            return lambda env, m: plain
        reverse = named.get("reverse")
        if reverse is not None and not (
            isinstance(reverse, ast.Constant) and isinstance(reverse.value, bool)
        ):
            raise self.refuse(
                node, "reverse= with anything but True or False is outside the subset", "write one"
            )
        downwards = isinstance(reverse, ast.Constant) and reverse.value is True
        key_of = self.key(named["key"], depth) if "key" in named else None
        default_of = self.expression(named["default"], depth) if "default" in named else None

        def make(env: Env, m: Execution) -> tuple[Fold, Any, Any]:
            label, key, default = None, None, NOTHING
            for option in named:  # in their order
                if option == "key" and key_of is not None:
                    label, key = key_of(env, m)
                elif option == "default" and default_of is not None:
                    default = default_of(env, m)
            if name == "sorted":
                return ordering(key, downwards), key, (label, downwards)
            return extreme(name, key, default), key, (label, () if default is NOTHING else (default,))

        return make

    def set_of(self, node: ast.expr, depth: int) -> Run:
        if not isinstance(node, ast.Call):
            return super().set_of(node, depth)
        if node.args or node.keywords:
            return self.fold(node, "set", depth)
        return lambda env, m: frozenset()

    def key(self, node: ast.expr, depth: int) -> Callable[[Env, Execution], FoldKey]:
        """Compile a `key=`: a function of Python, or a method of a value.

        Raises ProgramError if it is outside the subset.
        """
        match node:
            case ast.Name(id=name) if name in KEY_FUNCTIONS and not self.scope.binds(name):
                fixed = ((name, None), KEY_FUNCTIONS[name])
                return lambda env, m: fixed
            case ast.Attribute(value=looked_up, attr=method) if method in KEY_METHODS:
                value = self.expression(looked_up, depth)

                def of_value(env: Env, m: Execution) -> FoldKey:
                    receiver = value(env, m)
                    return (method, receiver), getattr(receiver, method)

                return of_value
        known = ", ".join((*KEY_FUNCTIONS, *(f"x.{method}" for method in KEY_METHODS)))
        raise self.refuse(node, "this key= is outside the subset", f"known are {known}")

    def generator(self, node: ast.GeneratorExp, depth: int) -> Generator:
        """Compile a generator expression.  Raises ProgramError if it is outside the subset."""
        own = names_bound(*(c.target for c in node.generators))
        for name in sorted(own):
            if name in BUILTINS or name.startswith("__"):
                raise self.refuse(node, f"the name {name!r} is taken", "rename the variable")
        first = self.iterable(node.generators[0].iter, depth)
        inner = self.inside(Scope(own, self.scope))
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

        one = node.generators[0]
        others = names_bound(*(c.target for c in node.generators[1:]))
        beside = peeks(inner, one.target, [node.elt, *one.ifs], others)
        return Generator(next(NUMBERS), free, first, produce, _carries(node), beside)

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
                if isinstance(value, Dict) or (
                    isinstance(value, UnknownTokens) and not isinstance(value, Tokens)
                ):
                    value = tuple(value)
                if type(value) not in (tuple, str, List, Tokens):
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


def _of_tokens(query: FoldQuery, key: Any, m: Execution) -> Any:
    """Return a fold over unknown tokens, by the cheapest pass."""
    items, name = query.items, query.fold.name
    if isinstance(items, TokenItems) and query.generator is None:
        tokens = items.tokens
        assert isinstance(tokens, Tokens)
        if name == "tuple":
            return tokens
        if name == "set":
            return TokenSet(tokens)
        if name == "sorted" and key is None:
            return SortedTokens(tokens, bool(query.extra and query.extra[1]))
        if name in ("min", "max") and key is not None and query.extra[1] == ():
            (method, receiver), _ = query.extra
            if method == "count" and isinstance(receiver, Tokens) and receiver.key == tokens.key:
                return tokens.ask(most_frequent(name))
    return fold_over(query, m)


def _reversed(value: Any) -> Any:
    if isinstance(value, Tokens):
        return value[::-1]
    return reversed(value.known() if isinstance(value, SortedTokens) else value)


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
