"""A program that updates one or two locals for every token, and what its last value may mean.

`stepwise.py` finds the updates; this module runs such loops exactly and writes them in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...common.text import literal
from ...models.automata.labelled import Labelled
from ..candidate import Candidate
from ..feature import Body, Family
from ..feature import Kind as FeatureKind
from ..problem import SearchProblem
from ..reading import LabelReading, readings
from ..render import indent, nothing
from .terms import Kind, StepTerm

FAR = 1 << 40  # a program whose integers reach this is dropped
REMAINDERS = (2, 3, 4)


@dataclass(frozen=True)
class LoopLocal:
    """A local with its first value and the term that it becomes for every token."""

    name: str
    kind: Kind
    start: int
    term: StepTerm


@dataclass(frozen=True)
class StepLoop:
    """A whole program but for its last line.

    Args:
        problem: its tokens.
        locals: are updated in order, for every token; the last one is read at the end.
        previous: whether the program remembers the token before.
    """

    problem: SearchProblem
    locals: tuple[LoopLocal, ...]
    previous: bool

    def lines(self) -> tuple[str, ...]:
        """Write the statements."""
        out = [f"{v.name} = {bool(v.start) if v.kind == 'bool' else v.start}" for v in self.locals]
        out += [f"previous = {literal(nothing(self.problem))}"] if self.previous else []
        body = [line for v in self.locals for line in _update(v.name, v.term)]
        return (
            *out,
            "for token in tokens:",
            *indent([*body, *(["previous = token"] if self.previous else [])]),
        )

    def run(self, words: np.ndarray) -> np.ndarray:
        """Return the last local after each padded word, exactly; FAR if an integer grew too large."""
        state = {v.name: np.full(len(words), v.start, dtype=np.int64) for v in self.locals}
        state["previous"] = np.full(len(words), self.problem.size)
        far = np.zeros(len(words), dtype=bool)
        for t in range(words.shape[1]):
            state["token"] = words[:, t].astype(np.int64)
            inside = state["token"] < self.problem.size
            for v in self.locals:
                after = v.term.apply(state).astype(np.int64)
                far |= inside & (abs(after) >= FAR)
                state[v.name] = np.where(inside, np.clip(after, -FAR, FAR), state[v.name])
            state["previous"] = np.where(inside, state["token"], state["previous"])
        return np.where(far, FAR, state[self.locals[-1].name])


def _update(name: str, term: StepTerm) -> tuple[str, ...]:
    """Write an assignment, as statements if they are plainer."""
    if term.text == name:
        return ()
    if term.branches is None:
        if term.text.startswith(f"{name} + "):
            return (f"{name} += {term.text[len(name) + 3 :]}",)
        return (f"{name} = {term.text}",)
    test, a, b = term.branches
    if b.text == name:
        return (f"if {test.text}:", *indent(_update(name, a)))
    return (f"{name} = {term.text}",)


def read_loop(loop: StepLoop, examples: Labelled) -> Iterator[Candidate]:
    """Yield the programs that read the label off the last value, or off a remainder of it."""
    values = loop.run(examples.words)
    if (values == FAR).any():
        return
    last = loop.locals[-1]
    kind: FeatureKind = "flag" if last.kind == "bool" else "number"
    forms = [(_family(Body(loop.lines(), last.name, last.name), kind), values)]
    for m in REMAINDERS if last.kind == "int" else ():
        body = Body(loop.lines(), f"{last.name} % {m}", "rest")
        forms.append((_family(body, "residue", m), values % m))
    for family, seen in forms:
        for reading in readings(family, 0, loop.problem, seen, examples.labels):
            yield _candidate(loop, family.bound, reading)


def _family(body: Body, kind: FeatureKind, bound: int = 0) -> Family:
    return Family("step", kind, 1, lambda words, rows: words, lambda row: body, bound=bound)


def _candidate(loop: StepLoop, modulus: int, reading: LabelReading) -> Candidate:
    def decide(words: np.ndarray) -> np.ndarray:
        values = loop.run(words)
        labels = reading.apply(values % modulus if modulus else values)
        return np.where(values == FAR, -1, labels)

    form = " and ".join(v.kind for v in loop.locals) + " and previous" * loop.previous
    return Candidate("enumeration", form, reading.lines, decide)
