"""What source text is compiled to: closures, and the frozen records that hold them.

Only types: `expressions.py`, `calls.py`, `statements.py` and `program_file.py` make these, the passes over
unknown tokens (`passes.py`) run them, and neither side has to import the other.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...common.errors import ProgramError
from .values import Execution, Return, Value

Env = dict[str, Any]  # the local variables of one call, by name
Run = Callable[[Env, Execution], Any]  # an expression gives its value, a statement None or a signal
Bind = Callable[[Env, Any, Execution], None]  # assigns a value to a target

NUMBERS = itertools.count()  # numbers loops and generator expressions of all files, so that each has its own


@dataclass(frozen=True)
class LoopNames:
    """The variables of a for loop.

    state: read in a later iteration, or kept until the loop ends.
    result: may be read after the loop.
    assigned: may be bound by the loop.
    """

    state: tuple[str, ...]
    result: tuple[str, ...]
    assigned: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Loop:
    """A compiled for statement, without what it iterates over."""

    number: int
    names: LoopNames
    bind: Bind
    body: Run


@dataclass(frozen=True, eq=False)
class Peeks:
    """What the body of a loop reads as `name[index]` or `name[start:stop]`, which depend on the loop's item.

    item: the name of the item.
    reads: for each, the name, and the index as an expression, or the two ends.
    """

    item: str
    reads: tuple[tuple[str, tuple[Run, ...]], ...]


@dataclass(frozen=True, eq=False)
class Generator:
    """A compiled generator expression.

    free: the variables of the surrounding scope that it reads.
    first: gives what its first `for` iterates over.
    produce: yields the elements that one such item gives; called as produce(env, item, m).
    carries: whether an item may see a variable as an earlier item left it.
    peeks: what it reads beside its items.
    """

    number: int
    free: tuple[str, ...]
    first: Run
    produce: Callable[[Env, Any, Execution], Iterator[Any]]
    carries: bool
    peeks: Peeks


@dataclass(frozen=True, eq=False)
class CompiledFunction:
    """A compiled function.

    uses: by name, the nodes of the helpers and constants that it needs, directly or through others.
    """

    node: ast.FunctionDef
    parameters: tuple[str, ...]
    body: Run
    uses: Mapping[str, ast.stmt]

    def call(self, arguments: tuple[Any, ...], m: Execution) -> Return:
        """Run the function.

        Returns the value with the line of the return statement (the line of `def` if the end was reached).
        Raises ProgramFault if the program raises or exceeds a limit.
        """
        m.tick()
        signal = self.body(dict(zip(self.parameters, arguments, strict=True)), m)
        return signal if isinstance(signal, Return) else Return(None, self.node.lineno)


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant of a file.

    node: its assignment.
    value: its value.
    uses: what it was computed from, as in `CompiledFunction.uses`.
    """

    node: ast.stmt
    value: Value
    uses: Mapping[str, ast.stmt]


class Definitions(Protocol):
    """What compiling a function needs to know of the file around it.  `program_file.ProgramFile` is one."""

    @property
    def functions(self) -> Mapping[str, ast.FunctionDef]:
        """Return the functions of the file by name."""

    @property
    def constants(self) -> Mapping[str, Constant]:
        """Return the constants of the file by name, as far as they have been read."""

    def function(self, name: str, call: ast.AST | None = None) -> CompiledFunction:
        """Compile a function of the file, once.  `call` is where it is called from.  Raises ProgramError."""

    def refuse(self, node: Any, what: str, mend: str = "") -> ProgramError:
        """Return the error that says what is wrong at a node, and how to mend it."""


class Scope:
    """The variables of one function or generator expression.

    `outer` is the scope around a generator expression.
    """

    def __init__(self, names: set[str], outer: Scope | None = None) -> None:
        self.names, self.outer = names, outer

    def binds(self, name: str) -> bool:
        """Return whether this is a variable here.

        As in Python, it then hides a function of the same file.
        """
        return name in self.names or (self.outer is not None and self.outer.binds(name))
