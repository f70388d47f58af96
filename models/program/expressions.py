"""Expressions of the subset without calls, compiled to closures: names, operators, comparisons and the like.

`calls.py` adds calls and generator expressions; `statements.py` adds statements.  Compiling also checks: each
supported kind of expression has a method `expr_X`, and everything else is refused with its line and a way to
mend it.  "Compile" never means Python's own function here: no program text is ever executed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from ...common.errors import ProgramError
from .compiled import Definitions, Env, Run, Scope
from .operations import BINARY, COMPARE, UNARY
from .syntax import BUILTINS, DEPTH_LIMIT, MENDS
from .values import BIT_LIMIT, SIZE_LIMIT, Dict, Execution, ProgramFault, checked

SET_LIMIT = 30  # beyond it CPython hashes an element before it computes the next one


class Expressions:
    """The expressions of one function or constant.

    uses: collects the functions and constants of the file that they name.

    In its methods, `depth` counts how deep a node is nested.
    """

    def __init__(self, file: Definitions, scope: Scope, uses: dict[str, ast.stmt] | None = None) -> None:
        self.file, self.scope = file, scope
        self.uses: dict[str, ast.stmt] = {} if uses is None else uses
        self.refuse = file.refuse

    def outside(self, node: ast.AST, at: ast.AST | None = None) -> ProgramError:
        """Return the error for a construct outside the subset, placed at `at` (else at the node itself)."""
        what, mend = MENDS.get(
            type(node).__name__, (type(node).__name__, "see docs/reference/program-subset.md")
        )
        return self.refuse(at or node, f"{what} is outside the subset", mend)

    def expression(self, node: ast.expr, depth: int) -> Run:
        """Compile an expression.  Raises ProgramError if it is outside the subset."""
        if depth > DEPTH_LIMIT:
            raise self.refuse(node, "the expression is nested too deeply", "split it into statements")
        method = getattr(self, f"expr_{type(node).__name__}", None)
        if method is None:
            raise self.outside(node)
        result: Run = method(node, depth + 1)
        return result

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

            def load(env: Env, m: Execution) -> Any:
                try:
                    return env[name]
                except KeyError:
                    text = f"variable '{name}' where it is not associated with a value"
                    if own:
                        raise ProgramFault("UnboundLocalError", f"cannot access local {text}") from None
                    raise ProgramFault("NameError", f"cannot access free {text} in enclosing scope") from None

            return load
        if name in self.file.constants:
            constant = self.file.constants[name]
            self.uses[name], value = constant.node, constant.value
            return lambda env, m: value
        if name in BUILTINS or name in self.file.functions:
            raise self.refuse(node, f"the function {name!r} is used as a value", "call it")
        raise self.refuse(
            node, f"unknown name {name!r}", "assign it first, or define it as a constant of the file"
        )

    def expr_Dict(self, node: ast.Dict, depth: int) -> Run:
        if not all(map(_is_literal, node.keys)):
            raise self.refuse(
                node,
                "a dict with anything but constants for keys is outside the subset",
                "write the keys out, or use if and elif",
            )
        entries = [
            (self.expression(k, depth), self.expression(v, depth))
            for k, v in zip(node.keys, node.values, strict=True)
            if k is not None
        ]
        return lambda env, m: checked(Dict([(key(env, m), value(env, m)) for key, value in entries]), m)

    def expr_Tuple(self, node: ast.Tuple, depth: int) -> Run:
        parts = [self.expression(e, depth) for e in node.elts]
        return lambda env, m: checked(tuple([p(env, m) for p in parts]), m)

    def operator(self, op: ast.operator | ast.unaryop | ast.cmpop, at: ast.AST) -> Callable[..., Any]:
        """Return the function of an operator.

        Raises ProgramError, placed at `at`, if it is outside the subset.
        """
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

        def either(env: Env, m: Execution) -> Any:
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
            if isinstance(op, ast.Is | ast.IsNot) and not _is_singleton(right):
                raise self.refuse(
                    node, "`is` with anything but None, True or False is outside the subset", "use =="
                )
        first = self.expression(node.left, depth)
        if isinstance(node.ops[0], ast.In | ast.NotIn) and self.is_set(node.comparators[0]):
            return self._in_set(node, first, depth)
        rest = [
            (self.operator(op, node), self.expression(c, depth))
            for op, c in zip(node.ops, node.comparators, strict=True)
        ]
        if len(rest) == 1:
            (compare, other) = rest[0]
            return lambda env, m: compare(first(env, m), other(env, m))

        def chain(env: Env, m: Execution) -> Any:
            left, result = first(env, m), True
            for compare, right in rest:
                value = right(env, m)
                result = compare(left, value)
                if not result:
                    break
                left = value
            return result

        return chain

    def is_set(self, node: ast.expr) -> bool:
        """Return whether the expression is a set, which is known only in `in` and in len()."""
        return isinstance(node, ast.Set) or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "set"
            and not self.scope.binds("set")
        )

    def set_of(self, node: ast.expr, depth: int) -> Run:
        """Compile a set.  `walks.py` adds calls of set()."""
        assert isinstance(node, ast.Set)
        if len(node.elts) > SET_LIMIT and not all(map(_is_literal, node.elts)):
            raise self.refuse(node, "a set of so many expressions is outside the subset", "split it")
        elements = [self.expression(e, depth) for e in node.elts]
        return lambda env, m: frozenset([e(env, m) for e in elements])

    def _in_set(self, node: ast.Compare, value: Run, depth: int) -> Run:
        """Compile `value in set(...)` or `value in {...}`."""
        if len(node.ops) > 1:
            raise self.refuse(node, "a set in a chain of comparisons is outside the subset", "use `and`")
        wanted, members = isinstance(node.ops[0], ast.In), self.set_of(node.comparators[0], depth)

        def contained(env: Env, m: Execution) -> bool:
            found = value(env, m)
            inside = members(env, m)
            hash(found)  # raises where the value cannot be in a set
            return (found in inside) is wanted

        return contained

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


def _is_literal(node: ast.expr | None) -> bool:
    """Return whether the expression is a constant without a name: a number, a string or a tuple of these."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())) | ast.Constant():
            return True
        case ast.Tuple(elts=elements):
            return all(map(_is_literal, elements))
    return False


def _is_singleton(node: ast.expr) -> bool:
    """Return whether the expression is None, True or False, the values of which there is one object each."""
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))
