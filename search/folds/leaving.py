"""Loops that return before the end: at the first token that passes a test, or as soon as a local goes wrong.

After `judge.py`, for `find.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...common.deadline import check
from ...common.text import literal
from ..expressions.explain import Explainer
from ..feature import Body, Family
from ..render import indent, nothing
from .judge import LoopJudge
from .loops import Local, loop_lines
from .signals import Signal, Steps, tests_of


def first_matches(judge: LoopJudge, tests: Sequence[Signal]) -> None:
    """Find programs that return the first token that passes a test, or the one after it.

    Args:
        judge: the examples.
        tests: on the token, in its loop.
    """
    for test in tests:
        check()
        for after in (False, True):
            plain = test.before is None and not test.place
            if (plain or not after) and judge.explains(
                _matched(Steps(judge.sample, judge.problem.size), test, after)
            ):
                _first_match(judge, test, after)


def _first_match(judge: LoopJudge, test: Signal, after: bool) -> None:
    body = Body(_lines(test, after, literal(nothing(judge.problem)), "found"), "found", "found")

    def direct(row: int, fallback: str) -> tuple[str, ...]:
        return _returning(test, after, fallback)

    family, size = Family("loop", "token", 1, lambda w, r: w, lambda row: body, direct), judge.problem.size
    judge.read(family, lambda words: _matched(Steps(words, size), test, after))


def _matched(steps: Steps, test: Signal, after: bool) -> np.ndarray:
    """Return the first token that passes a test, or the one after it; the symbol of padding for none."""
    passed = test.on(steps).astype(bool) & steps.inside
    symbols = steps.symbols
    if after:
        passed, symbols = passed[:-1] & steps.inside[1:], symbols[1:]
    if not len(passed):
        return np.full(steps.symbols.shape[1], steps.size)
    first = np.take_along_axis(symbols, passed.argmax(axis=0)[None], axis=0)[0]
    return np.where(passed.any(axis=0), first, steps.size)


def _head(test: Signal, after: bool) -> tuple[str, str]:
    """Write the loop's head and the test in it."""
    if after:
        return "for t, after in zip(tokens, tokens[1:]):", test.text
    return ("for i, t in enumerate(tokens):" if test.place else "for t in tokens:"), test.text


def _returning(test: Signal, after: bool, fallback: str) -> tuple[str, ...]:
    head, text = _head(test, after)
    before = (f"previous = {test.before}",) if test.before is not None else ()
    inside = (
        f"if {text}:",
        f"    return {'after' if after else 't'}",
        *(("previous = t",) if before else ()),
    )
    return (*before, head, *indent(inside), f"return {fallback}")


def _lines(test: Signal, after: bool, none: str, name: str) -> tuple[str, ...]:
    head, text = _head(test, after)
    before = (f"previous = {test.before}",) if test.before is not None else ()
    inside = (
        f"if {name} == {none} and {text}:", f"    {name} = {'after' if after else 't'}",
        *(("previous = t",) if before else ()),
    )  # fmt: skip
    return (f"{name} = {none}", *before, head, *indent(inside))


def leaving_early(judge: LoopJudge, locals_: Sequence[Local]) -> None:
    """Find programs that return one label as soon as a test on a local holds.

    Args:
        judge: the examples.
        locals_: integers that go their own way, light ones first.
    """
    labels, size = judge.labels, judge.problem.size
    for local in locals_:
        if local.kind != "int" or local.weight + 17 >= judge.below:
            continue
        check()
        steps = Steps(judge.sample, size)  # what is computed for one local is of no use to the next
        for test in tests_of(local, judge.few):
            if local.weight + test.weight + 13 >= judge.below:
                break
            hit = (test.on(steps) & steps.inside).any(axis=0)
            if not hit.any() or hit.all() or len(np.unique(labels[hit])) > 1:
                continue
            rest = labels[~hit]
            if len(np.unique(rest)) < 2:
                continue
            row = local.last(steps)[~hit][None]
            if len(Explainer(rest).of(row)):
                _leaving(judge, local, test, int(labels[hit][0]))


def _leaving(judge: LoopJudge, local: Local, test: Signal, label: int) -> None:
    size = judge.problem.size

    def left(words: np.ndarray) -> np.ndarray:
        steps = Steps(words, size)
        return np.where((test.on(steps) & steps.inside).any(axis=0), label, -1)

    inside = (f"if {test.text}:", f"    return {literal(judge.problem.labels[label])}")
    body = Body(loop_lines((local,), inside), local.name, "value")
    family = Family("loop", "number", 1, lambda w, r: w, lambda row: body)
    rows = np.flatnonzero(left(judge.examples.words) < 0)
    if len(np.unique(judge.examples.labels[rows])) > 1:
        judge.read(family, lambda words: local.last(Steps(words, size)), rows, left)
