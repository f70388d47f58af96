"""A loop over the tokens with one to three locals: run on arrays, and written in Python.

After `signals.py` and `updates.py`; `find.py` looks for such loops.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..rank import description_length
from ..render import indent
from .signals import Signal, Steps
from .updates import Update

FAR = 1 << 31  # an integer that reaches this is not followed any further; products fit 64 bits
NAMES = ("total", "count", "state", "value", "other", "rest")


@dataclass(frozen=True, eq=False)
class Local:
    """A local of a loop.

    Args:
        name: of the variable.
        start: its first value; truth values are 0 and 1.
        update: how it changes.
        signals: what stands in the update's holes.
        kind: "int", "bool", or "token" for a symbol.
    """

    name: str
    start: int
    update: Update
    signals: tuple[Signal, ...]
    kind: str = "int"

    def trajectory(self, steps: Steps) -> np.ndarray:
        """Return its value after each position, (positions, n)."""
        return steps.once(self, lambda: self._run(steps))

    def _run(self, steps: Steps) -> np.ndarray:
        seen = [s.on(steps) for s in self.signals]
        value = np.full(steps.symbols.shape[1], self.start, dtype=np.int64)
        out = np.empty(steps.symbols.shape, dtype=np.int64)
        for p, inside in enumerate(steps.inside):
            arrays = {"v": value, **dict(zip("xy", (s[p] for s in seen), strict=False))}
            after = np.clip(self.update.formula.on(arrays).astype(np.int64), -FAR, FAR)
            value = np.where(inside, after, value)
            out[p] = value
        return out

    def last(self, steps: Steps) -> np.ndarray:
        """Return its value after each word, (n,)."""
        if not len(steps.symbols):
            return np.full(steps.symbols.shape[1], self.start, dtype=np.int64)
        result: np.ndarray = self.trajectory(steps)[-1]
        return result

    @cached_property
    def earlier(self) -> tuple[Local, ...]:
        """The locals that it reads, in the order of their updates."""
        out: list[Local] = []
        for signal in self.signals:
            for local in signal.locals:
                out += [x for x in (*local.earlier, local) if x not in out]
        return tuple(out)

    @property
    def weight(self) -> int:
        """The description length of its first value and its update, about."""
        return (
            5 + self.update.weight + sum(s.cost for s in self.signals) + sum(x.weight for x in self.earlier)
        )

    @cached_property
    def length(self) -> int:
        """The description length of its update as a statement."""
        return description_length("\n".join(self.statement()) or "pass")

    @property
    def odd(self) -> int:
        """How many numbers above two its update has: people seldom write them."""
        return len(re.findall(r"\b(?:[3-9]|[1-9]\d+)\b", self.update.formula.text))

    def statement(self) -> tuple[str, ...]:
        """Write its update."""
        opposites = {s.text: s.opposite for s in self.signals if s.opposite}
        return assignment(self.name, self.text(), opposites)

    def text(self, *, labels: bool = False) -> str:
        """Write its new value.

        Args:
            labels: it holds the text of its number.
        """
        signals = [f"str({s.text})" if labels and i == 0 else s.text for i, s in enumerate(self.signals)]
        return self.update.formula.filled({"v": self.name, **dict(zip("xy", signals, strict=False))})


def assignment(name: str, text: str, opposites: dict[str, str]) -> tuple[str, ...]:
    """Write `name = text` in its plainest form: `+=`, an `if`, or as it is.

    Args:
        name: of the variable.
        text: the new value.
        opposites: better texts for the opposites of tests.
    """
    node = ast.parse(text, mode="eval").body

    def part(child: ast.expr) -> str:
        return text[child.col_offset : child.end_col_offset]

    if isinstance(node, ast.Name) and node.id == name:
        return ()
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Name) and node.left.id == name:
        signs = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.FloorDiv: "//=", ast.Mod: "%="}
        return (f"{name} {signs[type(node.op)]} {part(node.right)}",)
    if isinstance(node, ast.IfExp):
        test = part(node.test)
        both = _both_add(name, node, part)
        if both:
            return (f"{name} += {both}",)
        first, second = (assignment(name, part(x), opposites) for x in (node.body, node.orelse))
        if not second:
            return (f"if {test}:", *indent(first))
        if not first:
            return (f"if {opposites.get(test) or f'not ({test})'}:", *indent(second))
        if isinstance(node.orelse, ast.IfExp):
            nested = second if second[0].startswith("if ") else ()
            if nested:
                return (f"if {test}:", *indent(first), f"el{nested[0]}", *nested[1:])
            return (f"if {test}:", *indent(first), "else:", *indent(second))
    return (f"{name} = {text}",)


def _both_add(name: str, node: ast.IfExp, part: Callable[[ast.expr], str]) -> str:
    """Write what is added in both cases of `v + 1 if test else v - 1`; empty if that is not the form."""
    texts = []
    for side in (node.body, node.orelse):
        plain = isinstance(side, ast.BinOp) and isinstance(side.left, ast.Name) and side.left.id == name
        if not (plain and isinstance(side, ast.BinOp) and isinstance(side.op, ast.Add | ast.Sub)):
            return ""
        atom = isinstance(side.right, ast.Constant | ast.Name | ast.Call)
        if isinstance(side.op, ast.Sub) and not atom:
            return ""
        texts.append(f"{'-' if isinstance(side.op, ast.Sub) else ''}{part(side.right)}")
    return f"{texts[0]} if {part(node.test)} else {texts[1]}"


def loop_lines(
    locals_: Sequence[Local],
    inside: Sequence[str] = (),
    start: str = '""',
    last: tuple[str, tuple[str, ...]] | None = None,
) -> tuple[str, ...]:
    """Write the loop that updates locals in order.

    Args:
        locals_: each after those that it reads.
        inside: statements at the end of the body.
        start: what a local that holds a token begins with.
        last: the first assignment and the update of the last local, if they are not its own.
    """
    signals = [s for v in locals_ for s in v.signals]
    before = next((s.before for s in signals if s.before is not None), None)
    firsts = {"bool": lambda v: str(bool(v.start)), "int": lambda v: str(v.start), "token": lambda v: start}
    out = [f"{v.name} = {firsts[v.kind](v)}" for v in locals_]
    updates = [v.statement() for v in locals_]
    if last is not None:
        out[-1], updates[-1] = last
    if before is not None:
        out.append(f"previous = {before}")
    head = "for i, t in enumerate(tokens):" if any(s.place for s in signals) else "for t in tokens:"
    body = [line for update in updates for line in update]
    body += [*inside, *(["previous = t"] if before is not None else [])]
    return (*out, head, *indent(body))


def same_start(locals_: Sequence[Local]) -> bool:
    """Tell whether all locals agree on what stands for the token before the first."""
    return len({s.before for v in locals_ for s in v.signals if s.before is not None}) < 2


def name_for(update: Update, signals: Sequence[Signal], taken: Sequence[str], kind: str) -> str:
    """Choose a name for a local that none of the others has."""
    names: tuple[str, ...]
    if kind != "int":
        names = ("seen", "flag", "found", "good") if kind == "bool" else ("last", "found")
    else:
        form = update.formula.text
        names = ("count", "total") if "number" not in update.holes else ("total", "value")
        if form.startswith(("max(v", "min(v, x")):
            names = ("best",) if form.startswith("max") else ("least",)
        elif signals[0].text == "i":
            names = ("place",)
    free: list[str] = [n for n in (*names, *NAMES) if n not in taken]
    return free[0]
