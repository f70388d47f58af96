"""Values of the Python subset, the limits on them, and one run of a program.

The lowest module of this folder: it imports nothing of the package, and every other module here builds on it.
Programs compute with Python's own bool, int, str and tuple values, so results and exceptions are CPython's by
construction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

# bool | int | str | None | tuple, `List` or `Dict` of values (and, while automata are built, `UnknownTokens`)
Value = Any

STEP_LIMIT = 200_000  # statements, iterations and calls in one run
BIT_LIMIT = 4096  # bits of an integer
SIZE_LIMIT = 10_000  # characters of a string; elements of a tuple, nested ones included

# The exceptions that native operations on subset values can raise.  Any other is a bug and is not caught.
NATIVE = (TypeError, ValueError, ZeroDivisionError, IndexError, KeyError, AttributeError, OverflowError)


class Located(Exception):
    """Something that ends a run.

    The innermost statement that it passes through writes its line number into it.
    """

    line: int = 0


class ProgramFault(Located):
    """The program raised an exception, or went over a limit.

    `exception` is CPython's name of the exception, or "" if a limit was exceeded.
    """

    def __init__(self, exception: str, message: str, line: int = 0) -> None:
        super().__init__(exception, message, line)
        self.exception, self.message, self.line = exception, message, line

    def __str__(self) -> str:
        return f"raises {self.exception}: {self.message}" if self.exception else self.message


@dataclass
class Execution:
    """One run of a program.

    steps: how many steps are left.
    ask: answers passes over unknown tokens while automata are built (`passes.py`).
    visible: the tokens, by position, that the current step of a pass has read.
    """

    steps: int = STEP_LIMIT
    ask: Callable[[Any], Any] | None = None
    visible: dict[int, str] | None = None

    def tick(self, cost: int = 1) -> None:
        """Count steps.  Raises ProgramFault if none are left."""
        self.steps -= cost
        if self.steps < 0:
            raise ProgramFault("", f"does not end within {STEP_LIMIT} steps")


class Return:
    """The signal of a return statement."""

    __slots__ = ("line", "value")

    def __init__(self, value: Value, line: int) -> None:
        self.value, self.line = value, line


BREAK, CONTINUE = "break", "continue"  # the signals of these two statements


class UnknownTokens:
    """A value that stands for tokens that are not known yet.  `tokens.Tokens` is the only kind."""

    __slots__ = ()

    @property
    def key(self) -> Any:
        """Return a hashable key that tells this value from every other one."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Value]:
        raise NotImplementedError


def _left_out(what: str) -> Callable[..., Any]:
    """Make a method that raises ProgramFault."""

    def refuse(*_: Any) -> Any:
        raise ProgramFault("", f"{what}, which is outside the subset")

    return refuse


class List(list[Any]):
    """A list that never changes, such as `sorted` gives.

    It behaves as CPython's, whose `+=` changes it, so that its other names see it; hence `+` and `*` are left
    out.
    """

    __slots__ = ()
    __add__ = __iadd__ = _left_out("adds to a list")
    __mul__ = __rmul__ = __imul__ = _left_out("repeats a list")

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return List(found) if isinstance(index, slice) else found


class Dict(dict[Any, Any]):
    """A dict that never changes."""

    __slots__ = ()
    __or__ = __ror__ = __ior__ = _left_out("joins dicts")


List.__name__, Dict.__name__ = "list", "dict"  # as CPython's messages have it


CONTAINERS = (tuple, List, Dict)


def parts_of(value: Value) -> Collection[Value]:
    """Return the values that a value contains: none if it is no tuple, list or dict."""
    kind = type(value)
    if kind is tuple or kind is List:
        return value  # type: ignore[no-any-return]
    return (*value.keys(), *value.values()) if kind is Dict else ()


def has_unknown(value: Value) -> bool:
    """Return whether the value is, or contains, an unknown one."""
    if type(value) is str or type(value) is int:
        return False
    return isinstance(value, UnknownTokens) or any(map(has_unknown, parts_of(value)))


def checked(value: Value, m: Execution) -> Value:
    """Return the value.  Raises ProgramFault if it is over the size limits.

    The limits also bound the time that any single operation can take.
    """
    kind = type(value)
    if kind is int:
        if value.bit_length() > BIT_LIMIT:
            raise ProgramFault("", f"computes an integer of more than {BIT_LIMIT} bits")
    elif kind is str:
        if len(value) > SIZE_LIMIT:
            raise ProgramFault("", f"computes a string of more than {SIZE_LIMIT} characters")
    elif kind in CONTAINERS:
        size, stack = 0, [value]
        while stack:
            inner = parts_of(stack.pop())
            size += 1 + len(inner) + sum(len(x) for x in inner if type(x) is str)
            if size > SIZE_LIMIT:
                raise ProgramFault(
                    "", f"computes a {kind.__name__} of more than {SIZE_LIMIT} elements and characters"
                )
            stack.extend(x for x in inner if type(x) in CONTAINERS)
        m.tick(size // 8)
    return value


def freeze(value: Value) -> Any:
    """Return a hashable key that tells types apart too: True and 1 differ, also inside tuples."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is bool:
        return ("bool", value)
    if kind is tuple:
        return ("tuple", *map(freeze, value))
    if isinstance(value, list):
        return ("list", *map(freeze, value))
    if isinstance(value, dict):
        return ("dict", *((freeze(k), freeze(v)) for k, v in value.items()))
    if kind is frozenset:
        plain = all(type(v) is str for v in value)  # the usual case, quickly
        return ("set", value if plain else frozenset(map(freeze, value)))
    return value.key
