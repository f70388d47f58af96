"""Numbers and words as text that is safe to show: of any size, and without characters that steer a terminal.

Used by everything that reports.  Python refuses to print integers of more than 4300 digits; domains and exact outputs can have more.
"""

from __future__ import annotations

from fractions import Fraction

_CHUNK = 10**1000
_SPELLED = 10**30  # integers from here on are rounded for people


def decimal(n: int) -> str:
    """All digits, however many."""
    if n < 0:
        return "-" + decimal(-n)
    parts: list[str] = []
    while n >= _CHUNK:
        n, rest = divmod(n, _CHUNK)
        parts.append(str(rest).zfill(1000))
    return str(n) + "".join(reversed(parts))


def number(n: int) -> str:
    """For people: with commas, or the order of magnitude."""
    return f"{n:,}" if abs(n) < _SPELLED else f"about 10^{len(decimal(abs(n))) - 1}"


def share(part: int, whole: int) -> str:
    """A share in percent for people, rounded down, so that 100 % means all."""
    if part == whole:
        return "100 %"
    percent = f"{part * 10_000 // whole / 100:.2f} %"
    return percent if percent != "0.00 %" or part == 0 else f"{number(part)} ({percent})"


def rational(value: Fraction) -> str:
    """A rational exactly, as `str` has it."""
    return decimal(value.numerator) + (f"/{decimal(value.denominator)}" if value.denominator != 1 else "")


def visible(text: str) -> str:
    """With characters that do not print, escape sequences among them, spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
