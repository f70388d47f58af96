"""Positions that the body of a loop reads beside its items: `tokens[i + 1]` where i is the item.

Found in the text before a pass begins, so that the pass remembers just the tokens that it needs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from .compiled import Env, Peeks, Run
from .expressions import Expressions
from .items import Known, Peeking, Zipped
from .liveness import names_bound, names_read
from .passes import NeedsLength, NotAPass
from .tokens import Tokens
from .values import NATIVE, SIZE_LIMIT, Execution, ProgramFault

WINDOW_LIMIT = 8  # tokens of one slice

_PLAIN = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)


def peeks(compiler: Expressions, target: ast.expr, parts: Iterable[ast.AST], changed: set[str]) -> Peeks:
    """Find each `name[index]` in the body of a loop, where the index depends on its first or only target.

    compiler: of expressions in the loop.
    target: of the loop.
    parts: its body.
    changed: the names that the body binds.
    """
    first = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else target
    if not isinstance(first, ast.Name) or first.id in changed:
        return Peeks("", ())
    others = changed | names_bound(target) - {first.id}
    found: dict[tuple[str, str], tuple[Run, ...]] = {}
    for node in (n for part in parts for n in ast.walk(part)):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            name, ends = node.value.id, _ends(node.slice)
            read = names_read(*ends)
            if first.id in read and not (read | {name}) & others and name != first.id:
                found[name, ast.unparse(node.slice)] = tuple(compiler.expression(e, 0) for e in ends)
    return Peeks(first.id, tuple((name, ends) for (name, _), ends in found.items()))


def _ends(node: ast.expr) -> tuple[ast.expr, ...]:
    """Return the index, or the two ends of a slice; nothing if they are not plain arithmetic."""
    match node:
        case ast.Slice(lower=ast.expr() as lower, upper=ast.expr() as upper, step=None):
            ends: tuple[ast.expr, ...] = (lower, upper)
        case ast.Slice():
            return ()
        case _:
            ends = (node,)
    return ends if all(map(_is_plain, ends)) else ()


def _is_plain(node: ast.AST) -> bool:
    """Return whether an index is arithmetic with numbers, names, lengths and extremes."""
    if isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Name) and node.func.id in ("abs", "len", "max", "min")
        return named and not node.keywords and all(map(_is_plain, node.args))
    return isinstance(node, _PLAIN) and all(map(_is_plain, ast.iter_child_nodes(node)))


def peeking(items: Any, peeks: Peeks, env: Env, m: Execution) -> Any:
    """Return the items of a loop together with the unknown tokens that its body reads beside them.

    env: the variables before the loop.  Raises NotAPass, and NeedsLength.
    """
    views = [(env[name], ends) for name, ends in peeks.reads if isinstance(env.get(name), Tokens)]
    first = items
    while isinstance(first, Zipped):
        first = first.parts[0]
    numbers = first.values if isinstance(first, Known) else first
    if not views or not isinstance(numbers, range):
        return items
    if len(numbers[: SIZE_LIMIT + 1]) > SIZE_LIMIT:
        raise NotAPass(f"reads the tokens while it walks over more than {SIZE_LIMIT} numbers")
    inner = Known(items) if isinstance(items, range) else items
    inside = dict(env)
    columns = [
        _positions(tokens, ends, peeks.item, numbers[: len(inner)], inside, m) for tokens, ends in views
    ]
    beside = [tuple(p for positions in row for p in positions) for row in zip(*columns, strict=True)]
    return Peeking(inner, tuple(beside))


def _positions(
    tokens: Tokens, ends: tuple[Run, ...], item: str, numbers: range, env: Env, m: Execution
) -> list[range]:
    """Return for each value of the item the positions that are read.

    Where some indices are negative and others are not, a program tests for that: then only the others count.
    """
    found: list[tuple[int, ...]] = []
    for number in numbers:
        env[item] = number
        try:
            values = tuple(end(env, m) for end in ends)
        except (*NATIVE, ProgramFault):
            values = ()
        found.append(values if all(type(v) is int for v in values) else ())
    backwards = all(v < 0 for values in found for v in values)
    if backwards and not tokens.settled:
        raise NeedsLength
    size = len(tokens.positions)
    allowed = range(-size, 0) if backwards else range(size + len(ends) - 1)
    read = [_read(tokens.positions, v) if v and all(i in allowed for i in v) else range(0) for v in found]
    return read if max(map(len, read), default=0) <= WINDOW_LIMIT else [range(0)] * len(read)


def _read(positions: range, ends: tuple[int, ...]) -> range:
    if len(ends) == 2:
        return positions[ends[0] : ends[1]]
    at = positions[ends[0]]
    return range(at, at + 1)
