"""A file of the readable subset of Python: its functions and constants (grammar in docs/reference/program-subset.md).

The top level of a program: `syntax.py` parses, this module finds functions and constants and refuses the rest,
`statements.py` and `expressions.py` turn a function's body into closures over `interpreter.py`'s values.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from .expressions import Expressions, Run, Scope
from .interpreter import NATIVE, Machine, ProgramFault, Return, Value
from .liveness import Liveness, names_bound
from .statements import Statements
from .syntax import BUILTINS, DEPTH_LIMIT, MENDS, ProgramError, parse


@dataclass(eq=False)
class Function:
    """A compiled function; `uses` are the names of the helpers and constants that it needs, transitively."""

    node: ast.FunctionDef
    parameters: tuple[str, ...]
    body: Run
    uses: dict[str, ast.stmt]

    def call(self, arguments: tuple[Any, ...], m: Machine) -> Return:
        m.tick()
        signal = self.body(dict(zip(self.parameters, arguments, strict=True)), m)
        return signal if isinstance(signal, Return) else Return(None, self.node.lineno)


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant of the file, with its value and what that was made of."""

    node: ast.stmt
    value: Value
    uses: dict[str, ast.stmt]


class Module:
    """The top level of a file: functions and constants, compiled when they are used."""

    def __init__(self, source: str, origin: str) -> None:
        self.origin = origin
        self.functions: dict[str, ast.FunctionDef] = {}
        self.constants: dict[str, Constant] = {}
        self.compiled: dict[str, Function] = {}
        self.active: list[str] = []
        tree = parse(source, origin)
        for node in tree.body:
            self._top_level(node)

    def refuse(self, node: Any, what: str, mend: str = "") -> ProgramError:
        return ProgramError(f"{self.origin}:{getattr(node, 'lineno', 1)}", what, mend)

    def _top_level(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef():
                self._fresh(node, node.name)
                self.functions[node.name] = node
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                self._fresh(node, name)
                compiler = Expressions(self, Scope(set()))
                run = compiler.expression(value, 0)
                try:
                    self.constants[name] = Constant(node, run({}, Machine()), self.all_uses(compiler.uses))
                except ProgramFault as fault:
                    raise self.refuse(node, f"the constant {name!r} {fault}", "mend it") from None
                except NATIVE as e:
                    raise self.refuse(
                        node, f"the constant {name!r} raises {type(e).__name__}: {e}", "mend it"
                    ) from None
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                what, mend = MENDS.get(
                    type(node).__name__, (f"{type(node).__name__.lower()} outside a function", "")
                )
                raise self.refuse(
                    node, f"{what} is outside the subset", mend or "a file holds functions and constants"
                )

    def all_uses(self, uses: dict[str, ast.stmt]) -> dict[str, ast.stmt]:
        """With what the used functions and constants use themselves."""
        found = dict(uses)
        for name in uses:
            found |= self.compiled[name].uses if name in self.functions else self.constants[name].uses
        return found

    def _fresh(self, node: ast.stmt, name: str) -> None:
        if name in self.functions or name in self.constants:
            raise self.refuse(node, f"{name!r} is defined twice", "rename one of them")
        if name.startswith("__"):
            raise self.refuse(node, f"the name {name!r} is outside the subset", "rename it")
        if name in BUILTINS:
            raise self.refuse(node, f"{name!r} would hide the built-in function", "rename it")

    def function(self, name: str, call: ast.AST | None = None) -> Function:
        if name in self.compiled:
            return self.compiled[name]
        node = self.functions[name]
        if name in self.active:
            raise self.refuse(
                call or node, f"{name!r} calls itself", "recursion is outside the subset: use a loop"
            )
        self.active.append(name)
        try:
            if len(self.active) > DEPTH_LIMIT // 4:
                raise self.refuse(node, "functions call each other too deeply", "put some of them together")
            self.compiled[name] = compile_function(self, node)
        except RecursionError:
            raise self.refuse(node, "the source is nested too deeply", "split it into statements") from None
        finally:
            self.active.pop()
        return self.compiled[name]


def compile_function(module: Module, node: ast.FunctionDef) -> Function:
    a = node.args
    if node.decorator_list:
        raise module.refuse(node, "a decorator is outside the subset", "leave it out")
    if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg:
        raise module.refuse(node, "only plain parameters are in the subset", "leave out *, ** and /")
    if a.defaults:
        raise module.refuse(node, "a default argument is outside the subset", "use a constant of the file")
    if getattr(node, "type_params", None):
        raise module.refuse(node, "type parameters are outside the subset", "leave them out")
    parameters = tuple(p.arg for p in a.args)
    if len(set(parameters)) < len(parameters):
        raise module.refuse(node, f"two parameters of {node.name!r} have one name", "rename one of them")
    bound = names_bound(*node.body) | set(parameters)
    for name in sorted(bound):
        if name in BUILTINS:
            raise module.refuse(
                node,
                f"{node.name!r} binds {name!r}, which hides the function of that name",
                "rename the variable",
            )
        if name.startswith("__"):
            raise module.refuse(node, f"the name {name!r} is outside the subset", "rename it")
    compiler = Statements(module, Scope(bound), Liveness(node.body))
    body = compiler.block(node.body, 0)
    return Function(node, parameters, body, module.all_uses(compiler.uses))
