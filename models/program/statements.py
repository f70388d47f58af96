"""Statements of the subset, compiled to closures: one method `stmt_X` per kind, on top of `calls.py`.

A statement's closure returns None, or the signal that ends its block: BREAK, CONTINUE or a Return.  While
automata are built, a for loop over unknown tokens asks for a pass (`passes.py`).
"""

from __future__ import annotations

import ast
from typing import Any

from .calls import Calls
from .compiled import NUMBERS, Definitions, Env, Loop, Run, Scope
from .items import Items, seen
from .liveness import Liveness, names_bound
from .passes import LoopPass
from .peeks import peeking, peeks
from .syntax import DEPTH_LIMIT
from .values import BREAK, CONTINUE, NATIVE, Execution, Located, ProgramFault, Return, checked

LOOP_LIMIT = 20  # loops inside each other, as in CPython


class Statements(Calls):
    """The statements of one function."""

    def __init__(self, file: Definitions, scope: Scope, liveness: Liveness) -> None:
        super().__init__(file, scope)
        self.liveness = liveness
        self.loops = 0  # how many loops are around the statement that is being compiled

    def block(self, body: list[ast.stmt], depth: int) -> Run:
        """Compile statements in a row.

        Its closure turns native exceptions into ProgramFault, with the line.
        """
        steps = [(s.lineno, run) for s in body if (run := self.statement(s, depth + 1)) is not None]

        def execute(env: Env, m: Execution) -> Any:
            line = 0
            try:
                for line, run in steps:  # noqa: B007 (the handlers below use `line`)
                    m.steps -= 1
                    if m.steps < 0:
                        m.tick()
                    signal = run(env, m)
                    if signal is not None:
                        return signal
            except Located as e:
                e.line = e.line or line
                raise
            except NATIVE as e:
                raise ProgramFault(type(e).__name__, str(e), line) from None
            except (RecursionError, MemoryError):
                raise ProgramFault("", "nests too deeply", line) from None
            return None

        return execute

    def statement(self, node: ast.stmt, depth: int) -> Run | None:
        """Compile a statement; None for one that does nothing.

        Raises ProgramError if it is outside the subset.
        """
        if depth > DEPTH_LIMIT:
            raise self.refuse(node, "the source is nested too deeply", "split it into functions")
        match node:
            case ast.AnnAssign(simple=0):
                raise self.refuse(
                    node,
                    "an annotation of anything but a plain name is outside the subset",
                    "leave out the annotation",
                )
            case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None, target=ast.Name()):
                return None
            case ast.Expr():
                raise self.refuse(
                    node,
                    "an expression on its own is outside the subset",
                    "assign its value, or leave it out",
                )
            case ast.Break() | ast.Continue() if not self.loops:
                raise self.refuse(
                    node, f"{type(node).__name__.lower()!r} outside a loop", "leave it out, or write return"
                )
            case ast.Break():
                return lambda env, m: BREAK
            case ast.Continue():
                return lambda env, m: CONTINUE
        method = getattr(self, f"stmt_{type(node).__name__}", None)
        if method is None:
            raise self.outside(node)
        result: Run | None = method(node, depth)
        return result

    def stmt_Return(self, node: ast.Return, depth: int) -> Run:
        line = node.lineno
        if node.value is None:
            return lambda env, m: Return(None, line)
        value = self.expression(node.value, depth)
        return lambda env, m: Return(value(env, m), line)

    def stmt_Assign(self, node: ast.Assign, depth: int) -> Run:
        value = self.expression(node.value, depth)
        if len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id

            def assign_one(env: Env, m: Execution) -> None:
                env[name] = value(env, m)

            return assign_one
        targets = [self.target(t) for t in node.targets]

        def assign(env: Env, m: Execution) -> None:
            result = value(env, m)
            for bind in targets:
                bind(env, result, m)

        return assign

    def stmt_AnnAssign(self, node: ast.AnnAssign, depth: int) -> Run:
        assert node.value is not None
        if not isinstance(node.target, ast.Name):
            raise self.outside(node.target)
        value, name = self.expression(node.value, depth), node.target.id

        def assign(env: Env, m: Execution) -> None:
            env[name] = value(env, m)

        return assign

    def stmt_AugAssign(self, node: ast.AugAssign, depth: int) -> Run:
        if not isinstance(node.target, ast.Name):
            raise self.refuse(
                node,
                "changing a value in place is outside the subset",
                "values never change: assign a new one to a name",
            )
        name = node.target.id
        load = self.expression(ast.copy_location(ast.Name(name, ast.Load()), node), depth)
        value, operate = self.expression(node.value, depth), self.operator(node.op, node)

        def augment(env: Env, m: Execution) -> None:
            before = load(env, m)
            env[name] = checked(operate(before, value(env, m)), m)

        return augment

    def stmt_If(self, node: ast.If, depth: int) -> Run:
        branches: list[tuple[Run, Run]] = []
        orelse: list[ast.stmt] = [node]
        # A chain of elifs is compiled in a row, so that a long one is not deeply nested.
        while len(orelse) == 1 and isinstance(orelse[0], ast.If):
            inner = orelse[0]
            branches.append((self.expression(inner.test, depth), self.block(inner.body, depth)))
            orelse = inner.orelse
        last = self.block(orelse, depth)
        if len(branches) == 1:
            (test, body) = branches[0]
            return lambda env, m: body(env, m) if test(env, m) else last(env, m)

        def choose(env: Env, m: Execution) -> Any:
            for test, body in branches:
                if test(env, m):
                    return body(env, m)
            return last(env, m)

        return choose

    def loop_body(self, node: ast.For | ast.While, depth: int) -> Run:
        """Compile the body of a loop.  Raises ProgramError if too many loops are inside each other."""
        if self.loops == LOOP_LIMIT:
            raise self.refuse(
                node, f"more than {LOOP_LIMIT} loops are inside each other", "split it into functions"
            )
        self.loops += 1
        try:
            return self.block(node.body, depth)
        finally:
            self.loops -= 1

    def stmt_While(self, node: ast.While, depth: int) -> Run:
        test, body, orelse = (
            self.expression(node.test, depth),
            self.loop_body(node, depth),
            self.block(node.orelse, depth),
        )

        def loop(env: Env, m: Execution) -> Any:
            while test(env, m):
                m.tick()
                signal = body(env, m)
                if signal is BREAK:
                    return None
                if isinstance(signal, Return):
                    return signal
            return orelse(env, m)

        return loop

    def stmt_For(self, node: ast.For, depth: int) -> Run:
        iterable = self.iterable(node.iter, depth)
        info = Loop(
            next(NUMBERS), self.liveness.loops[node], self.target(node.target), self.loop_body(node, depth)
        )
        bind, body, orelse, names = info.bind, info.body, self.block(node.orelse, depth), info.names
        beside = peeks(self, node.target, node.body, names_bound(*node.body))

        def symbolic(env: Env, m: Execution, items: Any) -> Any:
            assert m.ask is not None
            kind, value = m.ask(LoopPass(info, items, env))
            if kind == "raise":
                raise ProgramFault(*value)
            if kind == "return":
                return Return(*value)
            for name in names.assigned:
                env.pop(name, None)
            env.update(value)
            return orelse(env, m) if kind == "end" else None

        def loop(env: Env, m: Execution) -> Any:
            items = iterable(env, m)
            if m.ask is not None:
                items = peeking(items, beside, env, m)
                if isinstance(items, Items):
                    values = seen(items, m.visible)
                    if values is None:
                        return symbolic(env, m, items)
                    items = values
            for item in items:
                m.tick()
                bind(env, item, m)
                signal = body(env, m)
                if signal is BREAK:
                    return None
                if isinstance(signal, Return):
                    return signal
            return orelse(env, m)

        return loop
