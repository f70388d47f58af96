"""Fuse two blocks of statements into one: rename what both assign, and share a loop over the tokens."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable

_SHARED = ("tokens", "token", "x", "y")  # names that mean the same in both blocks
_LOOP = "for token in tokens:"


def fused(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[[str], str]]:
    """Put two blocks after each other, in one loop if each of them loops over the tokens once.

    Returns: the statements, and the renaming of the second block, to be applied to expressions that use it.
    """
    taken = _names(first)
    mine = {name for name in _names(second) if name in taken and name not in _SHARED}
    change = {
        name: next(f"{name}{k}" for k in range(2, 99) if f"{name}{k}" not in taken | _names(second))
        for name in mine
    }

    def rename(text: str) -> str:
        return _renamed(text, change)

    second = tuple(map(rename, second))
    if first.count(_LOOP) == second.count(_LOOP) == 1:
        (init, loop), (init2, loop2) = (_split(lines) for lines in (first, second))
        if all(line.startswith(" ") for line in (*loop, *loop2)) and not any(
            "return" in line for line in (*loop, *loop2)
        ):
            return (*init, *init2, _LOOP, *loop, *loop2), rename
    return (*first, *second), rename


def _split(lines: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    at = lines.index(_LOOP)
    return lines[:at], lines[at + 1 :]


def _names(lines: tuple[str, ...]) -> set[str]:
    """Return the names that statements assign."""
    tree = ast.parse("\n".join(lines))
    return {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _renamed(text: str, change: dict[str, str]) -> str:
    """Rename variables in Python, but not what is written in strings or behind a dot."""
    if not change:
        return text
    stripped = text.lstrip(" ")
    out, last, before = [], 0, ""
    for token in tokenize.generate_tokens(io.StringIO(stripped).readline):
        if token.type == tokenize.NAME and token.string in change and before != ".":
            out += [stripped[last : token.start[1]], change[token.string]]
            last = token.end[1]
        before = token.string
    return text[: len(text) - len(stripped)] + "".join(out) + stripped[last:]
