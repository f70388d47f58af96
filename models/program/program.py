"""A program: one function of a Python file, from a tuple of tokens to a label.

Claims hold a `Program`, and other folders use this one through it.  Programs and `where` predicates are text
from anywhere.  They are parsed, checked against the subset (docs/reference/program-subset.md) and
interpreted, but never executed by Python.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...common.errors import InputError
from ...common.files import read_file
from ...common.text import visible
from .compiled import CompiledFunction
from .live import source_of
from .program_file import ProgramFile
from .source import decoded, lines, newlines, whole_lines, without_margin
from .syntax import ProgramError, parse
from .values import Execution, ProgramFault, Value

__all__ = ["Program", "ProgramError", "ProgramFault", "Value"]

MAX_BYTES = 1_000_000  # of a program file


@dataclass(frozen=True)
class Program:
    """The function `name` of a file with the text `source`; called with a tuple of tokens, it gives a value.

    origin: the file's name in messages.

    Raises ProgramError if the function is outside the subset.  A call raises ProgramFault if the program
    raises or exceeds a limit.
    """

    source: str
    name: str
    origin: str = "<program>"

    def __post_init__(self) -> None:
        _check_size(self.source, self.origin)
        object.__setattr__(self, "source", newlines(self.source))
        if len(self.function.parameters) != 1:
            takes = len(self.function.parameters)
            where = f"{self.origin}:{self.function.node.lineno}"
            raise ProgramError(where, f"{self.name!r} takes {takes} arguments", "take one: the tokens")

    def __repr__(self) -> str:
        return visible(f"<Program {self.name} ({self.origin}, {self.source.count(chr(10))} lines)>")

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "name": self.name, "origin": self.origin}

    @classmethod
    def load(cls, spec: str, base: Path = Path()) -> Program:
        """Read a program given as "file.py:function", with the path relative to `base`.

        Raises InputError and ProgramError.
        """
        path_text, colon, name = spec.rpartition(":")
        if not colon or not path_text or not name:
            raise InputError(
                spec or "program",
                "a program is written as file.py:function",
                'for example "close_quote.py:close_quote"',
            )
        path = Path(base) / path_text
        try:
            data = read_file(path, MAX_BYTES)
        except (OSError, ValueError) as e:
            raise InputError(
                path_text, f"cannot read the program: {getattr(e, 'strerror', None) or e}", "check the path"
            ) from None
        if len(data) > MAX_BYTES:
            raise InputError(str(path), f"the file is over {MAX_BYTES} bytes", "shorten it")
        return cls(decoded(data, path_text), name, path_text)

    @classmethod
    def from_source(cls, source: str, name: str | None = None, origin: str = "<program>") -> Program:
        """Make a program of text, without the margin that all its lines share.

        `name` may be left out if the text holds one function.  Raises ProgramError.
        """
        _check_size(source, origin)
        source = _unindented(newlines(source), origin)
        if name is None:
            names = list(ProgramFile(source, origin).functions)
            if len(names) != 1:
                mend = f"name one of them: {', '.join(names)}" if names else "write one"
                raise ProgramError(origin, f"there are {len(names)} functions", mend)
            name = names[0]
        return cls(source, name, origin)

    @classmethod
    def from_function(cls, function: Callable[..., Any]) -> Program:
        """Make a program of a Python object, with the helper functions and constants that it uses.

        Raises InputError.
        """
        return cls(source_of(function), function.__name__, f"<function {function.__name__}>")

    @cached_property
    def function(self) -> CompiledFunction:
        """Return the compiled function.  Raises ProgramError."""
        file = ProgramFile(self.source, self.origin)
        if self.name not in file.functions:
            known = ", ".join(file.functions) or "none"
            raise ProgramError(
                self.origin, f"there is no function {self.name!r}", f"functions there: {known}"
            )
        return file.function(self.name)

    def __call__(self, sequence: tuple[str, ...]) -> Value:
        return self.traced(sequence)[0]

    def traced(self, sequence: tuple[str, ...]) -> tuple[Value, int]:
        """Return the value and the line of the return statement that gave it.  Raises ProgramFault."""
        result = self.function.call((tuple(sequence),), Execution())
        return result.value, result.line

    def answer(self, sequence: tuple[str, ...]) -> Value:
        """Return the value for a tuple of tokens.

        Raises InputError, which names the input, if the program raises or exceeds a limit.  That can happen
        on an input whose value an automaton knows, because automata are not built by long runs.
        """
        try:
            return self(sequence)
        except ProgramFault as fault:
            raise InputError(
                f"{self.origin}:{fault.line}",
                f"{fault} on input {tuple(sequence)!r}",
                "write a shorter program",
            ) from None

    @cached_property
    def text(self) -> str:
        """Return the source of the function itself."""
        return whole_lines(self.source, self.function.node)

    @cached_property
    def used_text(self) -> str:
        """Return the source of the constants and functions that it needs, in the file's order.

        It is "" if it needs none.
        """
        parts: list[list[int]] = []
        for node in sorted(self.function.uses.values(), key=lambda node: node.lineno):
            if parts and node.lineno <= parts[-1][1]:  # two definitions on one line
                parts[-1][1] = max(parts[-1][1], node.end_lineno or node.lineno)
            else:
                parts.append([node.lineno, node.end_lineno or node.lineno])
        return "\n".join(line for first, last in parts for line in lines(self.source)[first - 1 : last])

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of the syntax of the function and of all that it uses, in hexadecimal.

        It does not depend on comments, layout, docstrings and annotations.
        """
        used = [self.function.node, *(node for _, node in sorted(self.function.uses.items()))]
        return hashlib.sha256(
            ("program " + json.dumps([_canonical(node) for node in used])).encode()
        ).hexdigest()


def _check_size(source: str, origin: str) -> None:
    if len(source) > MAX_BYTES:
        raise ProgramError(origin, f"the source is over {MAX_BYTES} characters", "shorten it")


_UNSEEN = {
    "annotation",
    "returns",
    "type_comment",
    "type_params",
    "kind",
    "simple",
    "ctx",
    "type_ignores",
    "decorator_list",
}


def _canonical(node: Any) -> Any:
    """Return a syntax tree as JSON that does not depend on the version of Python."""
    if isinstance(node, ast.AST):
        fields = {}
        for name in sorted(set(node._fields) - _UNSEEN):
            value = getattr(node, name, None)
            if value is not None and value != []:
                fields[name] = _canonical(value)
        return [type(node).__name__, fields]
    if isinstance(node, list):
        return [
            _canonical(n) for n in node if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
        ]
    if isinstance(node, bool | None):
        return repr(node)
    return str(node) if isinstance(node, int) else [node]


def _unindented(text: str, origin: str) -> str:
    """Return the text without the margin that all its lines share.

    Raises ProgramError if that margin is part of a string, whose value would change.
    """
    bare = without_margin(text)
    if bare != text:
        tree = parse(bare, origin)
        as_given = parse(f"if True:\n{text}", origin).body[0]
        assert isinstance(as_given, ast.If)
        if _canonical(as_given.body) != _canonical(tree.body):
            raise ProgramError(
                origin,
                "a string of several lines would lose its margin",
                r"write \n in it, or indent the program by nothing",
            )
    return bare
