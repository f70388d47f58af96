"""Expressions of the subset -> closures: values, calls, generator expressions, and what a loop may walk over.

Compiling is validating: each kind of expression has its method `expr_X`, everything else is refused at its line with the way to
mend it.  Closures take the locals and the machine; the word "compile" never means Python's own.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .interpreter import (
    BINARY,
    BIT_LIMIT,
    COMPARE,
    FOLD_START,
    FOLDS,
    SIZE_LIMIT,
    UNARY,
    Fold,
    Machine,
    ProgramFault,
    checked,
)
from .items import Items, TokenItems
from .liveness import names_bound, names_read
from .passes import NotAPass, Tokens, enumerated, fold_over, items_of, zipped
from .syntax import BUILTINS, DEPTH_LIMIT, ITERATORS, MENDS, METHODS, ProgramError

if TYPE_CHECKING:
    from .subset import Module

Env = dict[str, Any]
Run = Callable[[Env, Machine], Any]
Bind = Callable[[Env, Any, Machine], None]

NUMBERS = itertools.count()  # loops and generators of all files: a name for each


@dataclass(eq=False)
class Generator:
    """A generator expression over its first iterable: `produce(env, item, m)` yields what one item gives."""

    number: int
    free: tuple[str, ...]
    first: Run
    produce: Callable[[Env, Any, Machine], Iterator[Any]]
    carries: bool  # an item may see a variable as an earlier item left it


class Scope:
    """Names of one function or generator expression; `outer` is the scope around a generator expression."""

    def __init__(self, names: set[str], outer: Scope | None = None) -> None:
        self.names, self.outer = names, outer

    def binds(self, name: str) -> bool:
        """Is this a variable here?  It then hides a function of the same file, as in Python."""
        return name in self.names or (self.outer is not None and self.outer.binds(name))


class Expressions:
    """The expressions of one function or constant; `uses` collects the functions and constants of the file that they name."""

    def __init__(self, module: Module, scope: Scope, uses: dict[str, ast.stmt] | None = None) -> None:
        self.module, self.scope = module, scope
        self.uses: dict[str, ast.stmt] = {} if uses is None else uses
        self.refuse = module.refuse

    def outside(self, node: ast.AST, at: ast.AST | None = None) -> ProgramError:
        what, mend = MENDS.get(
            type(node).__name__, (type(node).__name__, "see docs/reference/program-subset.md")
        )
        return self.refuse(at or node, f"{what} is outside the subset", mend)

    def expression(self, node: ast.expr, depth: int) -> Run:
        if depth > DEPTH_LIMIT:
            raise self.refuse(node, "the expression is nested too deeply", "split it into statements")
        method = getattr(self, f"expr_{type(node).__name__}", None)
        if method is None:
            raise self.outside(node)
        return method(node, depth + 1)

    def expr_Constant(self, node: ast.Constant, depth: int) -> Run:
        value = node.value
        if type(value) not in (bool, int, str, type(None)):
            raise self.refuse(
                node,
                f"a {type(value).__name__} is outside the subset",
                "values are bool, int, str, None and tuples of them",
            )
        if (type(value) is int and value.bit_length() > BIT_LIMIT) or (
            isinstance(value, str) and len(value) > SIZE_LIMIT
        ):
            raise self.refuse(
                node, "the constant is too large", f"at most {BIT_LIMIT} bits or {SIZE_LIMIT} characters"
            )
        return lambda env, m: value

    def expr_Name(self, node: ast.Name, depth: int) -> Run:
        name, scope, own = node.id, self.scope, True
        while name not in scope.names and scope.outer is not None:
            scope, own = scope.outer, False
        if name in scope.names:

            def load(env: Env, m: Machine) -> Any:
                try:
                    return env[name]
                except KeyError:
                    if own:
                        text = (
                            f"cannot access local variable '{name}' where it is not associated with a value"
                        )
                        raise ProgramFault("UnboundLocalError", text) from None
                    text = f"cannot access free variable '{name}' where it is not associated with a value in enclosing scope"
                    raise ProgramFault("NameError", text) from None

            return load
        if name in self.module.constants:
            constant = self.module.constants[name]
            self.uses[name], value = constant.node, constant.value
            return lambda env, m: value
        if name in BUILTINS or name in self.module.functions:
            raise self.refuse(node, f"the function {name!r} is used as a value", "call it")
        raise self.refuse(
            node, f"unknown name {name!r}", "assign it first, or define it as a constant of the file"
        )

    def expr_Tuple(self, node: ast.Tuple, depth: int) -> Run:
        parts = [self.expression(e, depth) for e in node.elts]
        return lambda env, m: checked(tuple([p(env, m) for p in parts]), m)

    def operator(self, op: ast.operator | ast.unaryop | ast.cmpop, at: ast.AST) -> Callable[..., Any]:
        name = type(op).__name__
        for table in (BINARY, UNARY, COMPARE):
            if name in table:
                return table[name]
        raise self.outside(op, at)

    def expr_BinOp(self, node: ast.BinOp, depth: int) -> Run:
        operate = self.operator(node.op, node)
        left, right = self.expression(node.left, depth), self.expression(node.right, depth)
        return lambda env, m: checked(operate(left(env, m), right(env, m)), m)

    def expr_UnaryOp(self, node: ast.UnaryOp, depth: int) -> Run:
        operate, value = self.operator(node.op, node), self.expression(node.operand, depth)
        return lambda env, m: operate(value(env, m))

    def expr_BoolOp(self, node: ast.BoolOp, depth: int) -> Run:
        first, *rest = [self.expression(v, depth) for v in node.values]
        stop_at = isinstance(node.op, ast.Or)

        def either(env: Env, m: Machine) -> Any:
            value = first(env, m)
            for part in rest:
                if bool(value) is stop_at:
                    break
                value = part(env, m)
            return value

        return either

    def expr_IfExp(self, node: ast.IfExp, depth: int) -> Run:
        test, body, orelse = (self.expression(e, depth) for e in (node.test, node.body, node.orelse))
        return lambda env, m: body(env, m) if test(env, m) else orelse(env, m)

    def expr_Compare(self, node: ast.Compare, depth: int) -> Run:
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.Is | ast.IsNot) and not (isinstance(right, ast.Constant) and right.value in (None, True, False)
                                                           and type(right.value) is not int):  # fmt: skip
                raise self.refuse(
                    node, "`is` with anything but None, True or False is outside the subset", "use =="
                )
        first = self.expression(node.left, depth)
        rest = [
            (self.operator(op, node), self.expression(c, depth))
            for op, c in zip(node.ops, node.comparators, strict=True)
        ]
        if len(rest) == 1:
            (compare, other) = rest[0]
            return lambda env, m: compare(first(env, m), other(env, m))

        def chain(env: Env, m: Machine) -> Any:
            left, result = first(env, m), True
            for compare, right in rest:
                value = right(env, m)
                result = compare(left, value)
                if not result:
                    break
                left = value
            return result

        return chain

    def expr_Subscript(self, node: ast.Subscript, depth: int) -> Run:
        value = self.expression(node.value, depth)
        if isinstance(node.slice, ast.Slice):
            parts = [
                self.expression(e, depth) if e else None
                for e in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            return lambda env, m: checked(value(env, m)[slice(*[p and p(env, m) for p in parts])], m)
        index = self.expression(node.slice, depth)
        return lambda env, m: value(env, m)[index(env, m)]

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
        if name in self.module.functions:
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
        native: Any = {
            "abs": abs,
            "bool": bool,
            "int": int,
            "len": len,
            "max": max,
            "min": min,
            "str": str,
            "tuple": tuple,
        }[name]
        return lambda env, m: checked(native(*[a(env, m) for a in arguments]), m)

    def _method(self, node: ast.Call, func: ast.Attribute, depth: int) -> Run:
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
        function = self.module.function(name, node)
        if len(node.args) != len(function.parameters):
            takes = len(function.parameters)
            raise self.refuse(
                node, f"{name!r} takes {takes} arguments, not {len(node.args)}", "pass as many as it takes"
            )
        self.uses[name] = function.node
        arguments = [self.expression(a, depth) for a in node.args]
        return lambda env, m: function.call(tuple([a(env, m) for a in arguments]), m).value

    # iterables, generator expressions and the targets that their items are bound to

    def iterable(self, node: ast.expr, depth: int) -> Run:
        """What a for loop or a fold walks over: `enumerate` and the like are known here only."""
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
        is_range = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
        return self.iterable(node, depth) if is_range else self.expression(node, depth)

    def _fold(self, node: ast.Call, name: str, depth: int) -> Run:
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

        def run(env: Env, m: Machine) -> Any:
            items = values(env, m)
            if not isinstance(items, Items):
                items = iter(items)
            acc = start(env, m) if start else FOLD_START[name]
            if name == "sum" and isinstance(acc, str):
                raise TypeError("sum() can't sum strings [use ''.join(seq) instead]")
            if isinstance(items, TokenItems) and name == "tuple" and generator is None:
                return items.tokens
            if isinstance(items, Items):
                return fold_over(fold, acc, items, generator, env, m)
            if generator is None:
                return fold.run(acc, items, m)
            inner, produce = {k: env[k] for k in generator.free if k in env}, generator.produce
            return fold.run(acc, (v for item in items for v in produce(inner, item, m)), m)

        return run

    def generator(self, node: ast.GeneratorExp, depth: int) -> Generator:
        own = names_bound(*(c.target for c in node.generators))
        for name in sorted(own):
            if name in BUILTINS or name.startswith("__"):
                raise self.refuse(node, f"the name {name!r} is taken", "rename the variable")
        first = self.iterable(node.generators[0].iter, depth)
        inner = Expressions(self.module, Scope(own, self.scope), self.uses)
        levels: list[tuple[Run | None, Bind, list[Run]]] = []
        for i, part in enumerate(node.generators):
            if part.is_async:
                raise self.refuse(node, "async for is outside the subset", "write for")
            walked = None if i == 0 else inner.iterable(part.iter, depth)
            levels.append((walked, inner.target(part.target), [inner.expression(c, depth) for c in part.ifs]))
        element = inner.expression(node.elt, depth)
        free = tuple(sorted(names_read(node.elt, *node.generators) - own))

        def walk(level: int, env: Env, item: Any, m: Machine) -> Iterator[Any]:
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

        def produce(env: Env, item: Any, m: Machine) -> Iterator[Any]:
            return walk(0, env, item, m)

        return Generator(next(NUMBERS), free, first, produce, _carries(node))

    def target(self, node: ast.expr) -> Bind:
        if isinstance(node, ast.Name):
            name = node.id

            def bind_name(env: Env, value: Any, m: Machine) -> None:
                env[name] = value

            return bind_name
        if isinstance(node, ast.Tuple):
            parts = [self.target(t) for t in node.elts]

            def unpack(env: Env, value: Any, m: Machine) -> None:
                if type(value) not in (tuple, str, Tokens):
                    raise TypeError(f"cannot unpack non-iterable {type(value).__name__} object")
                if len(value) != len(parts):
                    few = len(value) < len(parts)
                    raise ValueError(f"not enough values to unpack (expected {len(parts)}, got {len(value)})" if few else
                                     f"too many values to unpack (expected {len(parts)})")  # fmt: skip
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
    """Does an inner `for`, or a condition before it, read a variable that is bound only later?"""
    unbound = names_bound(*(c.target for c in node.generators))
    for i, part in enumerate(node.generators):
        if i > 0 and unbound & names_read(part.iter):
            return True
        unbound -= names_bound(part.target)
        if unbound & names_read(*part.ifs):
            return True
    return False
