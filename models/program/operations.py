"""Operations of the Python subset: operators by the names of their syntax nodes, and folds (sum, any, ...).

`expressions.py` and `calls.py` compile source text into calls of these.  An operation whose result could be
huge is checked before it is computed.  `values.checked` checks the sizes of all other results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .values import BIT_LIMIT, SIZE_LIMIT, Execution, ProgramFault, Value, checked


def _multiply(a: Value, b: Value) -> Value:
    """Multiply; raises ProgramFault if the result would be too large."""
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
    """Raise to a power; raises ProgramFault if the result would be too large or no integer."""
    if isinstance(a, int) and isinstance(b, int):
        if b < 0 and a != 0:
            raise ProgramFault("", "computes a power with a negative exponent, which is not an integer")
        if abs(a) > 1 and a.bit_length() * b > BIT_LIMIT + b:
            raise ProgramFault("", f"computes an integer of more than {BIT_LIMIT} bits")
    return a**b


def _modulo(a: Value, b: Value) -> Value:
    """Take the remainder; raises ProgramFault for the formatting of strings."""
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
    "Is": lambda a, b: a is b,  # `expressions.py` allows only None, True and False on the right
    "IsNot": lambda a, b: a is not b,
}


class _Nothing:
    """The type of `NOTHING`."""

    key = ("nothing",)


NOTHING = _Nothing()  # the minimum or maximum before the first element


@dataclass(frozen=True)
class Fold:
    """A function like sum or any, computed one element at a time, so that a pass over tokens can pause.

    step: step(accumulator, element, run) returns the new accumulator, and whether the result is final.
    finish: turns the last accumulator into the result.
    """

    name: str
    step: Callable[[Any, Value, Execution], tuple[Any, bool]]
    finish: Callable[[Any], Value]

    def run(self, start: Any, values: Iterator[Value], m: Execution) -> Value:
        """Fold all values.  Raises what the operation raises, and ProgramFault beyond a limit."""
        acc = start
        for value in values:
            m.tick()
            acc, finished = self.step(acc, value, m)
            if finished:
                break
        return self.finish(acc)


def _extreme(name: str, better: Callable[[Value, Value], bool]) -> Fold:
    """Make min or max; `better` compares a new element with the best one so far."""

    def step(acc: Any, value: Value, m: Execution) -> tuple[Any, bool]:
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
