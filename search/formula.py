"""A small Python expression with holes: computed on arrays, and written with other texts in its holes.

What is computed and what is written come from one text, so that they cannot differ.  For `folds/`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache

import numpy as np

Arrays = Mapping[str, np.ndarray]

_BINARY: dict[type[ast.operator], Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
}  # fmt: skip
_COMPARED: dict[type[ast.cmpop], Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    ast.Eq: np.equal, ast.NotEq: np.not_equal, ast.Lt: np.less, ast.Gt: np.greater, ast.LtE: np.less_equal,
    ast.GtE: np.greater_equal,
}  # fmt: skip
_CALLED: dict[str, Callable[..., np.ndarray]] = {"max": np.maximum, "min": np.minimum, "abs": np.abs}
IF, OR, AND, NOT, COMPARE, SUM, PRODUCT, SIGN, ATOM = range(9)  # Python's operators, loosest first


class ArrayFormula:
    """An expression of integers and truth values.

    It has `+ - * // %`, `max`, `min` and `abs`, comparisons, `and`, `or`, `not`, and conditional expressions.

    Args:
        text: Python; its names are the holes.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree = ast.parse(text, mode="eval").body

    def __repr__(self) -> str:
        return f"<ArrayFormula {self.text}>"

    @cached_property
    def weight(self) -> int:
        """Its description length without its holes."""
        skipped = (ast.Load, ast.Name)
        called = sum(isinstance(node, ast.Call) for node in ast.walk(self._tree))
        return called + sum(not isinstance(node, skipped) for node in ast.walk(self._tree))

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names of its holes."""
        return frozenset(n.id for n in ast.walk(self._tree) if isinstance(n, ast.Name)) - frozenset(_CALLED)

    def on(self, arrays: Arrays) -> np.ndarray:
        """Compute it elementwise; truth values are 0 and 1, or bools.

        Raises:
            KeyError: a hole has no array.
        """
        return _computed(self._tree, arrays)

    def filled(self, texts: Mapping[str, str]) -> str:
        """Write it with other texts in its holes, in parentheses where they are needed."""
        places = sorted(_holes(self._tree, IF), key=lambda hole: -hole[0].col_offset)
        out = self.text
        for name, needed in places:
            text = texts[name.id]
            text = text if level_of(text) >= needed else f"({text})"
            out = out[: name.col_offset] + text + out[name.col_offset + len(name.id) :]
        return out


@lru_cache(maxsize=1 << 14)
def level_of(text: str) -> int:
    """Return how tightly the outermost operator of an expression binds."""
    return _level(ast.parse(text, mode="eval").body)


def _level(node: ast.expr) -> int:
    match node:
        case ast.IfExp():
            return IF
        case ast.BoolOp(op=ast.Or()):
            return OR
        case ast.BoolOp():
            return AND
        case ast.UnaryOp(op=ast.Not()):
            return NOT
        case ast.UnaryOp():
            return SIGN
        case ast.Compare():
            return COMPARE
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            return SUM
        case ast.BinOp():
            return PRODUCT
    return ATOM


def _holes(node: ast.expr, needed: int) -> list[tuple[ast.Name, int]]:
    """Return the holes, each with how tightly a text must bind to stand there without parentheses."""
    match node:
        case ast.Name():
            return [(node, needed)]
        case ast.IfExp():
            return [*_holes(node.test, OR), *_holes(node.body, OR), *_holes(node.orelse, IF)]
        case ast.BoolOp():
            return [hole for value in node.values for hole in _holes(value, _level(node) + 1)]
        case ast.UnaryOp():
            return _holes(node.operand, _level(node))
        case ast.Compare():
            return [hole for value in (node.left, *node.comparators) for hole in _holes(value, COMPARE + 1)]
        case ast.BinOp(op=ast.Add()):  # integers may be added in any order
            return [*_holes(node.left, SUM), *_holes(node.right, SUM)]
        case ast.BinOp():
            return [*_holes(node.left, _level(node)), *_holes(node.right, _level(node) + 1)]
        case ast.Call():
            return [hole for value in node.args for hole in _holes(value, IF)]
    return []


def _computed(node: ast.expr, arrays: Arrays) -> np.ndarray:
    match node:
        case ast.Name():
            return arrays[node.id]
        case ast.Constant():
            return np.asarray(node.value)
        case ast.IfExp():
            test = _computed(node.test, arrays)
            return np.where(test, _computed(node.body, arrays), _computed(node.orelse, arrays))
        case ast.BoolOp():
            parts = [_computed(value, arrays).astype(bool) for value in node.values]
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return np.asarray(join.reduce(np.broadcast_arrays(*parts)))
        case ast.UnaryOp(op=ast.Not()):
            return np.asarray(~_computed(node.operand, arrays).astype(bool))
        case ast.UnaryOp():
            return np.asarray(-_computed(node.operand, arrays))
        case ast.Compare(ops=[op], comparators=[right]):
            return _COMPARED[type(op)](_computed(node.left, arrays), _computed(right, arrays))
        case ast.BinOp():
            return _BINARY[type(node.op)](_computed(node.left, arrays), _computed(node.right, arrays))
        case ast.Call(func=ast.Name(id=name)):
            return _CALLED[name](*(_computed(value, arrays) for value in node.args))
    raise ValueError(f"{ast.unparse(node)} is not part of a formula")
