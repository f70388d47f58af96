"""Operators of the Python subset, by the names of their syntax nodes.

`expressions.py` compiles source text into calls of these.  An operation whose result could be huge is checked
before it is computed.  `values.checked` checks the sizes of all other results.
"""

from __future__ import annotations

from collections.abc import Callable

from .values import BIT_LIMIT, SIZE_LIMIT, ProgramFault, Value


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
