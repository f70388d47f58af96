"""A file of the readable subset of Python: its functions and constants.

docs/reference/program-subset.md has the grammar.  `syntax.py` parses the text.  This module finds the
functions and constants, refuses everything else, and compiles a function when it is first used
(`statements.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from ...common.errors import ProgramError
from .calls import Calls
from .compiled import CompiledFunction, Constant, Scope
from .liveness import Liveness, names_bound
from .statements import Statements
from .syntax import BUILTINS, DEPTH_LIMIT, MENDS, parse
from .values import NATIVE, Execution, ProgramFault


class ProgramFile:
    """The functions and constants of a file (`compiled.Definitions`).

    source: the text.
    origin: the file's name in messages.

    Raises ProgramError if the file holds anything else.
    """

    def __init__(self, source: str, origin: str) -> None:
        self.origin = origin
        self.functions: dict[str, ast.FunctionDef] = {}
        self.constants: dict[str, Constant] = {}
        self.compiled: dict[str, CompiledFunction] = {}
        self.active: list[str] = []
        tree = parse(source, origin)
        for node in tree.body:
            self._top_level(node)

    def refuse(self, node: Any, what: str, mend: str = "") -> ProgramError:
        """Return the error that says what is wrong at a node, and how to mend it."""
        return ProgramError(f"{self.origin}:{getattr(node, 'lineno', 1)}", what, mend)

    def _top_level(self, node: ast.stmt) -> None:
        """Take in a function or a constant; raise ProgramError for anything else."""
        match node:
            case ast.FunctionDef():
                self._fresh(node, node.name)
                self.functions[node.name] = node
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                self._fresh(node, name)
                compiler = Calls(self, Scope(set()))
                run = compiler.expression(value, 0)
                try:
                    self.constants[name] = Constant(node, run({}, Execution()), self.all_uses(compiler.uses))
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

    def all_uses(self, uses: Mapping[str, ast.stmt]) -> dict[str, ast.stmt]:
        """Return `uses` with everything that the functions and constants in it use themselves."""
        found = dict(uses)
        for name in uses:
            found |= self.compiled[name].uses if name in self.functions else self.constants[name].uses
        return found

    def _fresh(self, node: ast.stmt, name: str) -> None:
        """Raise ProgramError if a name cannot be defined."""
        if name in self.functions or name in self.constants:
            raise self.refuse(node, f"{name!r} is defined twice", "rename one of them")
        if name.startswith("__"):
            raise self.refuse(node, f"the name {name!r} is outside the subset", "rename it")
        if name in BUILTINS:
            raise self.refuse(node, f"{name!r} would hide the built-in function", "rename it")

    def function(self, name: str, call: ast.AST | None = None) -> CompiledFunction:
        """Compile a function of the file, once.  `call` is where it is called from.

        Raises ProgramError if it is outside the subset, or calls itself.
        """
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
            self.compiled[name] = _compile(self, node)
        except RecursionError:
            raise self.refuse(node, "the source is nested too deeply", "split it into statements") from None
        finally:
            self.active.pop()
        return self.compiled[name]


def _compile(file: ProgramFile, node: ast.FunctionDef) -> CompiledFunction:
    """Compile a function.  Raises ProgramError if it is outside the subset."""
    a = node.args
    if node.decorator_list:
        raise file.refuse(node, "a decorator is outside the subset", "leave it out")
    if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg:
        raise file.refuse(node, "only plain parameters are in the subset", "leave out *, ** and /")
    if a.defaults:
        raise file.refuse(node, "a default argument is outside the subset", "use a constant of the file")
    if getattr(node, "type_params", None):
        raise file.refuse(node, "type parameters are outside the subset", "leave them out")
    parameters = tuple(p.arg for p in a.args)
    if len(set(parameters)) < len(parameters):
        raise file.refuse(node, f"two parameters of {node.name!r} have one name", "rename one of them")
    bound = names_bound(*node.body) | set(parameters)
    for name in sorted(bound):
        if name in BUILTINS:
            raise file.refuse(
                node,
                f"{node.name!r} binds {name!r}, which hides the function of that name",
                "rename the variable",
            )
        if name.startswith("__"):
            raise file.refuse(node, f"the name {name!r} is outside the subset", "rename it")
    compiler = Statements(file, Scope(bound), Liveness(node.body))
    body = compiler.block(node.body, 0)
    return CompiledFunction(node, parameters, body, file.all_uses(compiler.uses))
