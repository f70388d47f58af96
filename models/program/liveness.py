"""Liveness: which local variables can still be read.  Other variables would only multiply automaton states.

It is computed before statements are compiled, by a backward data-flow analysis over the statements of one
function (Aho, Lam, Sethi and Ullman, Compilers, section 9.2.5).  It may call a dead variable live, but never
a live variable dead.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .compiled import LoopNames


def names_read(*nodes: ast.AST) -> set[str]:
    """Return the names that are read anywhere in the nodes."""
    return {
        n.id
        for node in nodes
        for n in ast.walk(node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }


def names_bound(*nodes: ast.AST) -> set[str]:
    """Return the names that the statements or targets bind.

    Names that generator expressions bind for themselves are left out.
    """
    found: set[str] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.GeneratorExp):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        stack.extend(ast.iter_child_nodes(node))
    return found


class Liveness:
    """The variables of every for loop in a function's body: `loops` maps the statements to them."""

    def __init__(self, body: Sequence[ast.stmt]) -> None:
        self.loops: dict[ast.For, LoopNames] = {}
        self._block(body, set(), set(), set())

    def _block(
        self, body: Sequence[ast.stmt], out: set[str], on_break: set[str], on_continue: set[str]
    ) -> set[str]:
        """Return the names that are live before some statements.

        out, on_break, on_continue: the names that are live after them, after break, and after continue.
        """
        for statement in reversed(body):
            out = self._statement(statement, out, on_break, on_continue)
        return out

    def _statement(
        self, node: ast.stmt, out: set[str], on_break: set[str], on_continue: set[str]
    ) -> set[str]:
        """Return the names that are live before a statement; the arguments are those of `_block`."""
        match node:
            case ast.Return():
                return names_read(node.value) if node.value else set()
            case ast.Break():
                return on_break
            case ast.Continue():
                return on_continue
            case ast.Assign():
                return names_read(node.value) | (out - names_bound(*node.targets))
            case ast.AnnAssign() if node.value:
                return names_read(node.value) | (out - names_bound(node.target))
            case ast.AugAssign():
                return names_read(node.value) | out | names_bound(node.target)
            case ast.If():
                both = [self._block(part, out, on_break, on_continue) for part in (node.body, node.orelse)]
                return names_read(node.test).union(*both)
            case ast.While():
                return self._loop(node, names_read(node.test), set(), out, on_break, on_continue)[0]
            case ast.For():
                bound = names_bound(node.target)
                head, after = self._loop(node, set(), bound, out, on_break, on_continue)
                assigned = names_bound(*node.body) | bound
                state, result = head & (names_read(*node.body) | assigned), assigned & (after | out)
                self.loops[node] = LoopNames(
                    tuple(sorted(state)), tuple(sorted(result)), tuple(sorted(assigned))
                )
                return names_read(node.iter) | head
            case _:
                return out

    def _loop(
        self,
        node: ast.For | ast.While,
        test: set[str],
        bound: set[str],
        out: set[str],
        on_break: set[str],
        on_continue: set[str],
    ) -> tuple[set[str], set[str]]:
        """Return the names that are live at the loop's head, and where it ends without break."""
        after = self._block(node.orelse, out, on_break, on_continue)
        head = after | test
        while True:
            wider = head | (self._block(node.body, head, out, head) - bound)
            if wider == head:
                return head, after
            head = wider
