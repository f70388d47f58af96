"""Values of the Python subset, the limits on them, and one run of a program.

The lowest module of this folder: it imports nothing of the package, and every other module here builds on it.
Programs compute with Python's own bool, int, str and tuple values, so results and exceptions are CPython's by
construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Value = Any  # bool | int | str | None | tuple of values (and, while automata are built, `UnknownTokens`)

STEP_LIMIT = 200_000  # statements, iterations and calls in one run
BIT_LIMIT = 4096  # bits of an integer
SIZE_LIMIT = 10_000  # characters of a string; elements of a tuple, nested ones included

# The exceptions that native operations on subset values can raise.  Any other is a bug and is not caught.
NATIVE = (TypeError, ValueError, ZeroDivisionError, IndexError, AttributeError, OverflowError)


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


def has_unknown(value: Value) -> bool:
    """Return whether the value is, or contains, an unknown one."""
    return isinstance(value, UnknownTokens) or (type(value) is tuple and any(map(has_unknown, value)))


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
    elif kind is tuple:
        size, stack = 0, [value]
        while stack:
            inner = stack.pop()
            size += 1 + len(inner) + sum(len(x) for x in inner if type(x) is str)
            if size > SIZE_LIMIT:
                raise ProgramFault("", f"computes a tuple of more than {SIZE_LIMIT} elements and characters")
            stack.extend(x for x in inner if type(x) is tuple)
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
    return value.key
