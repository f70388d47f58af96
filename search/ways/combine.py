"""Two features in one program.

They are joined by `and`, `or` or `!=`, or one settles some inputs and another the rest.  For behaviours that
no single template explains.  Every feature gives yes-no questions (`questions.py`).  Which two of them answer
all examples is found on bit vectors over a sample, and then checked on everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ...common.deadline import check
from ...common.text import literal
from ...models.automata.labelled import Labelled
from ..candidate import Candidate, read_feature
from ..feature import Family
from ..filter import CELLS, Survivors, sieve
from ..problem import SearchProblem
from ..rank import description_length
from ..reading import choose, readings
from ..render import function, indent, parenthesised
from .fuse import fused
from .questions import Question, Text, questions_of

SAMPLE = 512  # examples on which questions are told apart
SECOND = 8192  # examples on which pairs are checked before all others
ROWS = 1500  # features per family
QUESTIONS = 60_000
NEEDED = 2500  # questions that may be one half of a conjunction
CHECKED = 1500  # pairs that are checked on all examples
FOUND = 25
FIRSTS = 10  # first arms of decision lists that are tried

Join = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Combiner:
    """The questions of all families about the examples, and the programs of two of them.

    A question is known by its number; that number plus the number of questions stands for its opposite.
    """

    def __init__(self, problem: SearchProblem, families: Sequence[Family], examples: Labelled) -> None:
        self.problem, self.families, self.examples = problem, families, examples
        self.sample, self.second = (
            examples.take(np.arange(min(size, len(examples)))) for size in (SAMPLE, SECOND)
        )
        self.questions, bits = self._questions()
        packed = np.packbits(bits, axis=1)
        inside = np.packbits(np.ones(len(self.sample), dtype=bool))
        self.bits = np.concatenate([packed, ~packed & inside])  # each question, then each opposite
        self._held: dict[int, np.ndarray] = {}
        self._costs: dict[int, int] = {}

    def candidates(self) -> Iterator[Candidate]:
        """Yield programs that explain every example."""
        if not self.questions:
            return
        if len(np.unique(self.examples.labels)) == 2:
            yield from self._conjunctions()
            yield from self._differences()
        else:
            yield from self._lists()

    def _questions(self) -> tuple[list[Question], np.ndarray]:
        """Ask about the sample.

        Returns: the questions that split it, the simplest of those that split it alike; and their answers,
            bools (questions, sample).
        """
        seen: set[bytes] = set()
        questions: list[Question] = []
        rows: list[np.ndarray] = []
        words = self.sample.words
        for family in sorted(self.families, key=_length):
            chosen = np.arange(min(family.size, ROWS))
            step = max(1, CELLS // max(1, len(words)))
            for start in range(0, len(chosen), step):
                check()
                part = chosen[start : start + step]
                for row, values in zip(part, family.evaluate(words, part), strict=True):
                    for question in questions_of(family, int(row), np.unique(values)):
                        answer = question.told(values)
                        if not answer.any() or answer.all():
                            continue
                        key = (answer if answer[0] else ~answer).tobytes()
                        if key not in seen and len(questions) < QUESTIONS:
                            seen.add(key)
                            questions.append(question)
                            rows.append(answer)
        return questions, np.array(rows).reshape(len(rows), len(words))

    def _holds(self, which: int) -> np.ndarray:
        """Answer a question, or its opposite, on the second sample."""
        row, negated = which % len(self.questions), which >= len(self.questions)
        if row not in self._held:
            self._held[row] = self.questions[row].holds(self.second.words)
        return self._held[row] ^ negated

    def _on_all(self, which: int) -> np.ndarray:
        return self.questions[which % len(self.questions)].holds(self.examples.words) ^ (
            which >= len(self.questions)
        )

    def _text(self, which: int) -> Text:
        lines, yes, no = self.questions[which % len(self.questions)].text(self.problem)
        return (lines, no, yes) if which >= len(self.questions) else (lines, yes, no)

    def _cost(self, which: int) -> int:
        if which not in self._costs:
            lines, yes, _ = self._text(which)
            self._costs[which] = description_length(function((*lines, f"return {yes}"), "f"))
        return self._costs[which]

    def _conjunctions(self) -> Iterator[Candidate]:
        """Find two questions whose `and` is one of the two labels.

        An `or` for one label is an `and` for the other.
        """
        for label in np.unique(self.examples.labels):
            target = np.packbits(self.sample.labels == label)
            needed = np.flatnonzero(((self.bits & target) == target).all(axis=1))
            needed = np.array(sorted(needed.tolist(), key=self._cost)[:NEEDED], dtype=np.int64)
            over = self.bits[needed] & ~target
            pairs = []
            for i in range(len(needed)):
                fits = np.flatnonzero(~(over[i] & over[i + 1 :]).any(axis=1))
                pairs += [(int(needed[i]), int(needed[i + 1 + j])) for j in fits[:CHECKED]]
            pairs.sort(key=lambda p: self._cost(p[0]) + self._cost(p[1]))
            yield from self._checked(pairs, int(label), np.logical_and, "and")

    def _differences(self) -> Iterator[Candidate]:
        """Find two questions of which exactly one holds if the label is a certain one of the two."""
        label = int(self.examples.labels[0])
        target = np.packbits(self.sample.labels == label)
        index = {row.tobytes(): i for i, row in enumerate(self.bits)}
        pairs = []
        for i in range(len(self.questions)):
            j = index.get((self.bits[i] ^ target).tobytes())
            if j is not None and j % len(self.questions) > i:
                pairs.append((i, j))
        pairs.sort(key=lambda p: self._cost(p[0]) + self._cost(p[1]))
        yield from self._checked(pairs, label, np.not_equal, "!=")

    def _checked(
        self, pairs: list[tuple[int, int]], label: int, join: Join, sign: str
    ) -> Iterator[Candidate]:
        """Yield programs of those pairs that are right on all examples."""
        second, truth = self.second.labels == label, self.examples.labels == label
        found = 0
        for a, b in pairs[:CHECKED]:
            check()
            if (join(self._holds(a), self._holds(b)) == second).all() and (
                join(self._on_all(a), self._on_all(b)) == truth
            ).all():
                yield self._joined(a, b, label, join, sign)
                found += 1
                if found == FOUND:
                    return

    def _joined(self, a: int, b: int, label: int, join: Join, sign: str) -> Candidate:
        """Write the program that returns `label` if the two questions, joined, hold."""
        (first, yes_a, no_a), (second, yes_b, no_b) = self._text(a), self._text(b)
        lines, rename = fused(first, second)
        yes_b, no_b = rename(yes_b), rename(no_b)
        other = next(int(y) for y in np.unique(self.examples.labels) if y != label)
        if sign == "and":
            yes, no = f"{parenthesised(yes_a, 'and')} and {parenthesised(yes_b, 'and')}", f"{no_a} or {no_b}"
        else:
            yes, no = (f"({yes_a}) {s} ({yes_b})" for s in ("!=", "=="))
        labels = self.problem.labels
        both = [q % len(self.questions) for q in (a, b)]
        flips = [q >= len(self.questions) for q in (a, b)]
        questions = [self.questions[q] for q in both]

        def decide(words: np.ndarray) -> np.ndarray:
            answers = [q.holds(words) ^ flip for q, flip in zip(questions, flips, strict=True)]
            return np.where(join(*answers), label, other)

        forms = [(yes, no, labels[label], labels[other]), (no, yes, labels[other], labels[label])]
        texts = [(*lines, choose(*form)) for form in forms]
        best = min(texts, key=lambda t: description_length(function(t, "f")))
        return Candidate(
            "templates", "+".join(dict.fromkeys(q.family.template for q in questions)), best, decide
        )

    def _lists(self) -> Iterator[Candidate]:
        """Write `if question: return label`, then one feature for the rest."""
        firsts = []
        for label in np.unique(self.examples.labels):
            target = np.packbits(self.sample.labels == label)
            pure = np.flatnonzero(~(self.bits & ~target).any(axis=1) & self.bits.any(axis=1))
            firsts += [(int(np.unpackbits(self.bits[q]).sum()), int(q), int(label)) for q in pure]
        firsts.sort(key=lambda f: (-f[0], self._cost(f[1]) if f[0] > len(self.sample) // 20 else 0))
        tried = 0
        for _, first, label in firsts:
            check()
            if tried == FIRSTS or (self.second.labels[self._holds(first)] != label).any():
                continue
            settled = self._on_all(first)
            if (self.examples.labels[settled] != label).any():
                continue
            rest = self.examples.take(np.flatnonzero(~settled))
            if len(np.unique(rest.labels)) < 2:
                continue
            tried += 1
            yield from self._then(first, label, rest)

    def _then(self, first: int, label: int, rest: Labelled) -> Iterator[Candidate]:
        lines, yes, _ = self._text(first)
        arm = (*lines, f"if {yes}:", *indent([f"return {literal(self.problem.labels[label])}"]))
        question, flip = self.questions[first % len(self.questions)], first >= len(self.questions)
        found = 0
        for family in self.families:
            survivors = sieve(
                Survivors(family, np.arange(min(family.size, ROWS))), rest, len(self.problem.labels)
            ).rows
            for row in survivors[: FOUND - found]:
                values = family.evaluate(rest.words, np.array([row]))[0]
                for reading in readings(family, int(row), self.problem, values, rest.labels):
                    rest_of = read_feature(family, int(row), reading)
                    yield _listed(question, flip, label, rest_of, (*arm, *reading.lines))
                    found += 1


def _length(family: Family) -> int:
    """Return the description length of a family's first feature."""
    body = family.body(0)
    return description_length(function((*body.lines, f"return {body.expression}"), "f"))


def _listed(question: Question, flip: bool, label: int, rest: Candidate, lines: tuple[str, ...]) -> Candidate:
    def decide(words: np.ndarray) -> np.ndarray:
        return np.where(question.holds(words) ^ flip, label, rest.evaluate(words))

    return Candidate("templates", f"{question.family.template}+{rest.template}", lines, decide)


def combined(problem: SearchProblem, families: Sequence[Family], examples: Labelled) -> list[Candidate]:
    """Find programs of two features that explain every example, plainest first."""
    return sorted(Combiner(problem, families, examples).candidates(), key=lambda c: c.key)
