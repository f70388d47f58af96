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
    found: dict[tuple[str, str], Run] = {}
    for node in (n for part in parts for n in ast.walk(part)):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            index, name = node.slice, node.value.id
            read = names_read(index)
            if first.id in read and not (read | {name}) & others and name != first.id and _is_plain(index):
                found[name, ast.unparse(index)] = compiler.expression(index, 0)
    return Peeks(first.id, tuple((name, run) for (name, _), run in found.items()))


def _is_plain(node: ast.AST) -> bool:
    """Return whether an index is arithmetic with numbers, names and lengths of names."""
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[ast.Name()], keywords=[]):
            return True
    return isinstance(node, _PLAIN) and all(map(_is_plain, ast.iter_child_nodes(node)))


def peeking(items: Any, peeks: Peeks, env: Env, m: Execution) -> Any:
    """Return the items of a loop together with the unknown tokens that its body reads beside them.

    env: the variables before the loop.  Raises NotAPass, and NeedsLength.
    """
    views = [(env[name], index) for name, index in peeks.reads if isinstance(env.get(name), Tokens)]
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
        _positions(tokens, index, peeks.item, numbers[: len(inner)], inside, m) for tokens, index in views
    ]
    beside = [tuple(p for p in row if p is not None) for row in zip(*columns, strict=True)]
    return Peeking(inner, tuple(beside))


def _positions(
    tokens: Tokens, index: Run, item: str, numbers: range, env: Env, m: Execution
) -> list[int | None]:
    """Return for each value of the item the position that is read, None for none.

    Where some indices are negative and others are not, a program tests for that: then only the others count.
    """
    found: list[int | None] = []
    for number in numbers:
        env[item] = number
        try:
            value = index(env, m)
        except (*NATIVE, ProgramFault):
            value = None
        found.append(value if type(value) is int else None)
    backwards = all(i is None or i < 0 for i in found)
    if backwards and not tokens.settled:
        raise NeedsLength
    size = len(tokens.positions)
    allowed = range(-size, 0) if backwards else range(size)
    return [tokens.positions[i] if i is not None and i in allowed else None for i in found]
