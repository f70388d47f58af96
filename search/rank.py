"""Rank programs, the plainest first: by description length, then by readability."""

from __future__ import annotations

import ast
from functools import lru_cache

# A remainder often holds by an accident of the lengths: with eight tokens, the parity of one is that of all
# others.  So it costs as much more as a second count does.  A step of a loop that wraps around is different.
REMAINDER = 4


@lru_cache(maxsize=1 << 16)
def description_length(source: str) -> int:
    """Count what a reader has to take in: nodes of the syntax tree, without contexts and the docstring."""
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


@lru_cache(maxsize=1 << 16)
def oddness(source: str) -> int:
    """Count what people seldom write, and what often holds by accident.

    Numbers above two; in loops, products and a local's negative; looking for a token that was computed.
    """
    tree = ast.parse(source)
    total = sum(
        isinstance(n, ast.Constant) and type(n.value) is int and abs(n.value) > 2 for n in ast.walk(tree)
    )
    for loop in ast.walk(tree):
        for node in ast.walk(loop) if isinstance(loop, ast.For) else ():
            total += isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
            negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
            total += 3 * (negative and isinstance(getattr(node, "operand", None), ast.Name | ast.BinOp))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            total += 3 * sum(isinstance(inner, ast.Call) for arg in node.args for inner in ast.walk(arg))
    return total


def rank_key(source: str) -> tuple[int, int, int, str]:
    """Return a sort key: description length and oddness, lines, characters, and the text, which is unique."""
    return description_length(source) + oddness(source), source.count("\n"), len(source), source
