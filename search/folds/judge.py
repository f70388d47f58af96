"""Decides which loops give every example its label, on more and more examples, and writes them as programs.

Between `loops.py` and `find.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...common.text import literal
from ...models.automata.labelled import Labelled
from ..candidate import Candidate
from ..expressions.explain import Explainer
from ..expressions.returns import constants_of, label_map
from ..feature import Body, Family
from ..feature import Kind as FeatureKind
from ..formula import ArrayFormula
from ..problem import SearchProblem
from ..reading import LabelReading, readings
from ..render import nothing
from .loops import FAR, Local, assignment, loop_lines
from .signals import Steps

STAGES = (20, 120, 512)  # examples that loops are run on, one stage after another
WRITTEN = 80  # loops that are written as programs

Decide = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Post:
    """What the label is read off: the last value, its remainder, its quotient."""

    formula: ArrayFormula
    bound: int = 0

    def write(self, name: str) -> str:
        """Write it for a variable."""
        return self.formula.filled({"v": name})

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Compute it."""
        return self.formula.on({"v": values})


def posts(constants: Sequence[int]) -> list[Post]:
    """Return the value itself, then its remainders and quotients."""
    out = [Post(ArrayFormula("v"))]
    for k in constants:
        out += [Post(ArrayFormula(f"v % {k}"), k), Post(ArrayFormula(f"v // {k}"))]
    return out


class LoopJudge:
    """The examples in stages, and the programs that were right on all of them.

    Args:
        problem: the tokens and labels.
        examples: labelled words; the first of them are looked at first.
        below: only programs of a smaller description length are wanted.  It falls as programs are found.
        constants: for remainders and quotients of the last value.
    """

    def __init__(
        self, problem: SearchProblem, examples: Labelled, below: int, constants: Sequence[int]
    ) -> None:
        self.problem, self.examples, self.below = problem, examples, below
        sizes = [s for s in STAGES if s < len(examples)] + [min(STAGES[-1], len(examples))] * (
            len(examples) <= STAGES[-1]
        )
        self.few, self.more = (
            Steps(examples.words[:s], problem.size) for s in (sizes[0], sizes[min(1, len(sizes) - 1)])
        )
        self.explainers = [Explainer(examples.labels[:s]) for s in sizes]
        self.posts = posts(constants)
        self.found: list[Candidate] = []
        self._ends: dict[bytes, int] = {}  # the lightest loop with these last values

    @property
    def labels(self) -> np.ndarray:
        """The label indices of the last stage, (n,)."""
        return self.explainers[-1].labels

    @property
    def sample(self) -> np.ndarray:
        """The words of the last stage, (n, positions)."""
        return self.examples.words[: len(self.labels)]

    def explained(self, values: np.ndarray, stage: int) -> np.ndarray:
        """Return the rows of values (rows, n) that explain the labels of a stage; 0 is `few`, 1 is `more`."""
        return self.explainers[min(stage, len(self.explainers) - 1)].of(values)

    def explains(self, values: np.ndarray, stage: int = -1) -> bool:
        """Tell whether values (n,) explain the labels of a stage."""
        return bool(len(self.explainers[stage].of(values[None])))

    def finish(self, local: Local, post: Post) -> None:
        """Test a loop on more and more examples, and write what is right on all."""
        values = np.zeros(0)
        for stage, explainer in enumerate(self.explainers):
            words = self.examples.words[: len(explainer.labels)]
            values = post.apply(local.last(Steps(words, self.problem.size)))
            if not self.explains(values, stage):
                return
        key = values.tobytes()
        length = local.weight + local.length
        if length >= self._ends.get(key, length + 1) or len(self._ends) > WRITTEN:
            return
        self._ends[key] = length
        size = self.problem.size

        def read(words: np.ndarray) -> np.ndarray:
            last = local.last(Steps(words, size))
            return np.where(abs(last) >= FAR, FAR, post.apply(last))

        kind: FeatureKind = "flag" if local.kind == "bool" else "residue" if post.bound else "number"
        if local.kind == "token":
            kind = "token"
        none = nothing(self.problem)
        lines = loop_lines((*local.earlier, local), start=literal(none))
        body = Body(lines, post.write(local.name), "value", f"not {local.name}" if kind == "flag" else "")

        def direct(row: int, fallback: str) -> tuple[str, ...]:
            return (*loop_lines((*local.earlier, local), start=fallback), f"return {local.name}")

        family = Family(
            "loop", kind, 1, lambda w, r: w, lambda row: body, direct if kind == "token" else None, post.bound
        )
        self.read(family, read)
        if local.kind == "int" and local.update.assigns and not post.bound:
            self._labels_held(local, read)

    def _labels_held(self, local: Local, read: Decide) -> None:
        """Write a local that holds the label: `place = "none"`, then `place = str(i)`."""
        labels, examples = self.problem.labels, self.examples
        numbers = label_map(self.problem)
        start = examples.labels[read(examples.words) == local.start]
        if not numbers.as_text or not len(start):
            return
        held = assignment(local.name, local.text(labels=True), {})
        first = literal(labels[int(start[0])])
        lines = loop_lines((*local.earlier, local), last=(f"{local.name} = {first}", held))
        low = local.start
        there = numbers.of_numbers(np.arange(low, low + 4096))
        there[0] = int(start[0])
        self.keep(LabelReading((*lines, f"return {local.name}"), np.append(there, -1), low), read)

    def read(
        self, family: Family, value: Decide, rows: np.ndarray | None = None, other: Decide | None = None
    ) -> None:
        """Read labels off a value, and keep the programs that are right and short enough.

        Args:
            family: its only feature is the value.
            value: gives the value of padded words, FAR for one that is not followed.
            rows: the examples whose label is read off it; None for all.
            other: gives the label index of words whose label is not read off the value, else -1.
        """
        examples = self.examples if rows is None else self.examples.take(rows)
        values = value(examples.words)
        if (abs(values) >= FAR).any():
            return
        for reading in readings(family, 0, self.problem, values, examples.labels):
            self.keep(reading, value, other)

    def keep(self, reading: LabelReading, value: Decide, other: Decide | None = None) -> None:
        """Keep one program, if it is right on all examples and short enough."""

        def decide(words: np.ndarray) -> np.ndarray:
            seen = value(words)
            labels = np.where(abs(seen) >= FAR, -1, reading.apply(seen))
            if other is None:
                return labels
            before = other(words)
            return np.where(before >= 0, before, labels)

        text = "\n".join(reading.lines)
        candidate = Candidate("enumeration", "loop", reading.lines, decide, constants_of(text, self.problem))
        if (
            candidate.description_length < self.below
            and (candidate.evaluate(self.examples.words) == self.examples.labels).all()
        ):
            self.found.append(candidate)
            self.below = candidate.description_length
