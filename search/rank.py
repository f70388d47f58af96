"""Which of two programs is the plainer one: description length first, then readability."""

from __future__ import annotations

import ast
from functools import lru_cache

# A remainder often holds by an accident of the lengths (with eight tokens, the parity of one is that of the others):
# it counts as much more as a second count does.  A step of a loop that wraps around is no such accident.
REMAINDER = 4


@lru_cache(maxsize=1 << 16)
def description_length(source: str) -> int:
    """Nodes of the program's syntax tree (without contexts and its docstring): what a reader has to take in."""
    tree = ast.parse(source)
    skipped = (ast.Load, ast.Store, ast.Module, ast.arguments)
    total = sum(not isinstance(node, skipped) for node in ast.walk(tree))
    steps = {id(node) for loop in ast.walk(tree) if isinstance(loop, ast.For) for node in ast.walk(loop)}
    total += sum(
        REMAINDER * (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and id(node) not in steps)
        for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            total -= 2
    return total


def rank_key(source: str) -> tuple[int, int, int, str]:
    """Sort key, plainest first: description length, lines, characters, and the text itself so that the order is fixed."""
    return description_length(source), source.count("\n"), len(source), source
