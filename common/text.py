"""Numbers and words as text that is safe to show: of any size, and without characters that steer a terminal.

Used by everything that reports.  Python refuses to print integers of more than 4300 digits; domains and exact
outputs can have more.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

DEEPEST = 64  # lists and tables in each other
_CHUNK = 10**1000
_SPELLED = 10**30  # integers from here on are rounded for people
# what prints as nothing although Python calls it printable: fillers, blanks, joiners and variation selectors
_INVISIBLE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)


def decimal(n: int) -> str:
    """Write an integer with all its digits, however many."""
    if n < 0:
        return "-" + decimal(-n)
    parts: list[str] = []
    while n >= _CHUNK:
        n, rest = divmod(n, _CHUNK)
        parts.append(str(rest).zfill(1000))
    return str(n) + "".join(reversed(parts))


def number(n: int) -> str:
    """Write an integer for people: with commas, or as an order of magnitude."""
    return f"{n:,}" if abs(n) < _SPELLED else f"about 10^{len(decimal(abs(n))) - 1}"


def share(part: int, whole: int) -> str:
    """Write a share in percent for people, rounded down, so that 100 % means all."""
    if part == whole:
        return "100 %"
    percent = f"{part * 10_000 // whole / 100:.2f} %"
    return percent if percent != "0.00 %" or part == 0 else f"{number(part)} ({percent})"


def rational(value: Fraction) -> str:
    """Write a rational exactly, as `str` does."""
    return decimal(value.numerator) + (f"/{decimal(value.denominator)}" if value.denominator != 1 else "")


def plain(character: str) -> bool:
    """Whether a character shows as itself: it is no control, separator, direction or unassigned character,
    and not invisible.
    """
    return character.isprintable() and character not in _INVISIBLE


def visible(text: str) -> str:
    """Spell out the characters that do not show as themselves, escape sequences among them."""
    return "".join(c if plain(c) else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, most: int) -> str:
    """Cut a text to its beginning and its end, where it has more than `most` characters."""
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def literal(value: object) -> str:
    """Write a Python literal in characters that show as what they are; strings in double quotes unless they
    hold one.
    """
    text = visible(repr(value))
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text


def json_text(value: object) -> str:
    """Write one line of JSON; only characters that do not show as themselves are escaped."""
    return "".join(c if plain(c) else json.dumps(c)[1:-1] for c in json.dumps(value, ensure_ascii=False))


def parsed_json(text: str | bytes, **options: Any) -> Any:
    """Parse JSON.  Raises ValueError, also where it nests deeper than anything of ours."""
    try:
        value = json.loads(text, **options)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if nested_too_deep(value):
        raise ValueError("it is nested too deeply")
    return value


def nested_too_deep(value: object) -> bool:
    """Whether lists and tables are nested more than DEEPEST deep: too much for code that follows them by
    recursion.
    """
    level: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        level = [v for v in level if isinstance(v, dict | list)]
        if not level:
            return False
        level = [inner for v in level for inner in (v.values() if isinstance(v, dict) else v)]
    return True


def word(token: str) -> str:
    """Write a token among others: bare where that is unambiguous, else as a Python literal."""
    quoted = len(token) > 1 and token[0] == token[-1] and token[0] in "'\""
    bare = token and not quoted and all(plain(c) and c not in " \\" for c in token)
    return token if bare else visible(repr(token))
