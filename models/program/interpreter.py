"""Values, limits and operations of the Python subset: what a program may compute with, and what stops it.

`statements.py` and `expressions.py` compile source to closures over these; nothing here ever calls exec, eval or compile.
Native operations are used on native values, so that results and exceptions are CPython's by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Value = Any  # bool | int | str | None | tuple of values (and, while building automata, `passes.Tokens`)

STEP_LIMIT = 200_000  # statements, iterations and calls in one run
BIT_LIMIT = 4096  # bits of an integer
SIZE_LIMIT = 10_000  # characters of a string, elements of a tuple (nested ones included)

# What native operations on subset values can raise; everything else is a bug of ours and stays visible.
NATIVE = (TypeError, ValueError, ZeroDivisionError, IndexError, AttributeError, OverflowError)


class Located(Exception):
    """Something that ends a run; the innermost statement that it passes through writes its line into it."""

    line: int = 0


class ProgramFault(Located):
    """The program raised (`exception` is CPython's name for it), or went over a limit (`exception` is "")."""

    def __init__(self, exception: str, message: str, line: int = 0) -> None:
        super().__init__(exception, message, line)
        self.exception, self.message, self.line = exception, message, line

    def __str__(self) -> str:
        return f"raises {self.exception}: {self.message}" if self.exception else self.message


@dataclass
class Machine:
    """One run: how many steps are left; `ask` answers passes over unknown tokens while automata are built."""

    steps: int = STEP_LIMIT
    ask: Callable[[Any], Any] | None = None
    visible: dict[int, str] | None = None  # tokens that the current step of a pass has read, by position

    def tick(self, cost: int = 1) -> None:
        self.steps -= cost
        if self.steps < 0:
            raise ProgramFault("", f"does not end within {STEP_LIMIT} steps")


class Return:
    """The signal of a return statement."""

    __slots__ = ("line", "value")

    def __init__(self, value: Value, line: int) -> None:
        self.value, self.line = value, line


BREAK, CONTINUE = "break", "continue"


def checked(value: Value, m: Machine) -> Value:
    """The value, unless it is over the size limits (which also bound the time that any one operation takes)."""
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
    """A hashable key that tells values apart with their type: True and 1 differ, inside tuples too."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is bool:
        return ("bool", value)
    if kind is tuple:
        return ("tuple", *map(freeze, value))
    return value.key


def _multiply(a: Value, b: Value) -> Value:
    if isinstance(a, int) and isinstance(b, int):
        if a.bit_length() + b.bit_length() > BIT_LIMIT + 1:
            raise ProgramFault("", f"computes an integer of more than {BIT_LIMIT} bits")
    else:
        for sequence, times in ((a, b), (b, a)):
            if (
                isinstance(sequence, str | tuple)
                and isinstance(times, int)
                and len(sequence) * times > SIZE_LIMIT
            ):
                raise ProgramFault("", f"computes a sequence of more than {SIZE_LIMIT} elements")
    return a * b


def _power(a: Value, b: Value) -> Value:
    if isinstance(a, int) and isinstance(b, int):
        if b < 0 and a != 0:
            raise ProgramFault("", "computes a power with a negative exponent, which is not an integer")
        if abs(a) > 1 and a.bit_length() * b > BIT_LIMIT + b:
            raise ProgramFault("", f"computes an integer of more than {BIT_LIMIT} bits")
    return a**b


def _modulo(a: Value, b: Value) -> Value:
    if isinstance(a, str):
        raise ProgramFault("", "formats a string with %, which is outside the subset")
    return a % b


BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mult": _multiply,
    "FloorDiv": lambda a, b: a // b,
    "Mod": _modulo,
    "Pow": _power,
    "BitAnd": lambda a, b: a & b,
    "BitOr": lambda a, b: a | b,
    "BitXor": lambda a, b: a ^ b,
}
UNARY: dict[str, Callable[[Value], Value]] = {
    "USub": lambda a: -a,
    "UAdd": lambda a: +a,
    "Not": lambda a: not a,
}
COMPARE: dict[str, Callable[[Value, Value], Value]] = {
    "Eq": lambda a, b: a == b,
    "NotEq": lambda a, b: a != b,
    "Lt": lambda a, b: a < b,
    "LtE": lambda a, b: a <= b,
    "Gt": lambda a, b: a > b,
    "GtE": lambda a, b: a >= b,
    "In": lambda a, b: a in b,
    "NotIn": lambda a, b: a not in b,
    "Is": lambda a, b: a is b,  # expressions.py allows None, True and False on the right only
    "IsNot": lambda a, b: a is not b,
}


class _Nothing:
    key = ("nothing",)


NOTHING = _Nothing()  # the minimum so far of no elements


@dataclass(frozen=True)
class Fold:
    """sum, any, all, min, max, ... one element at a time, so that a pass over tokens can stop between two of them.

    `step` returns (accumulator, finished).
    """

    name: str
    step: Callable[[Any, Value, Machine], tuple[Any, bool]]
    finish: Callable[[Any], Value]

    def run(self, start: Any, values: Iterator[Value], m: Machine) -> Value:
        acc = start
        for value in values:
            m.tick()
            acc, finished = self.step(acc, value, m)
            if finished:
                break
        return self.finish(acc)


def _extreme(name: str, better: Callable[[Value, Value], bool]) -> Fold:
    def step(acc: Any, value: Value, m: Machine) -> tuple[Any, bool]:
        return (value if acc is NOTHING or better(value, acc) else acc), False

    def finish(acc: Any) -> Value:
        if acc is NOTHING:
            raise ValueError(f"{name}() iterable argument is empty")
        return acc

    return Fold(name, step, finish)


def _same(acc: Any) -> Value:
    return acc


FOLDS = {
    "sum": Fold("sum", lambda acc, v, m: (checked(acc + v, m), False), _same),
    "any": Fold("any", lambda acc, v, m: (True, True) if v else (False, False), _same),
    "all": Fold("all", lambda acc, v, m: (True, False) if v else (False, True), _same),
    "min": _extreme("min", lambda v, best: v < best),
    "max": _extreme("max", lambda v, best: v > best),
    "tuple": Fold("tuple", lambda acc, v, m: (checked((*acc, v), m), False), _same),
}
FOLD_START: dict[str, Any] = {
    "sum": 0,
    "any": False,
    "all": True,
    "min": NOTHING,
    "max": NOTHING,
    "tuple": (),
}
