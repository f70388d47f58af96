"""Two features in one program: joined by `and`, `or` or `!=`, or one that settles some inputs and another for the rest.

For behaviours that no single template explains.  Every feature gives yes-no questions (a threshold, an equality, a flag); which two
of them answer all examples is found on bit vectors over a sample, then checked on everything.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...common.deadline import check
from ...models.automata.labelled import Labelled
from ..candidate import Candidate, read_feature
from ..feature import Body, Family
from ..filter import CELLS, Survivors, sieve
from ..problem import Problem
from ..rank import description_length
from ..reading import choose, readings
from ..render import function, indent, literal, nothing, one_of, parenthesised

SAMPLE = 512  # examples on which questions are told apart
SECOND = 8192  # examples on which pairs are checked before all others
ROWS = 1500  # features per family
QUESTIONS = 60_000
NEEDED = 2500  # questions that may be one half of a conjunction
CHECKED = 1500  # pairs that are checked on all examples
FOUND = 25
FIRSTS = 10  # first arms of decision lists that are tried

Text = tuple[tuple[str, ...], str, str]  # statements, the condition, and its opposite


@dataclass(frozen=True, eq=False)
class Question:
    """Is feature `row` of the family == or >= a value?"""

    family: Family
    row: int
    sign: str
    value: int

    def holds(self, words: np.ndarray) -> np.ndarray:
        return self.told(self.family.evaluate(words, np.array([self.row]))[0])

    def told(self, values: np.ndarray) -> np.ndarray:
        return values >= self.value if self.sign == ">=" else values == self.value

    def text(self, problem: Problem) -> Text:
        body: Body = self.family.body(self.row)
        if self.family.kind == "flag":
            negated = body.negated or (
                f"not {body.expression}" if body.expression.isidentifier() else f"not ({body.expression})"
            )
            return body.lines, body.expression, negated
        if self.sign == ">=":
            signs = (">", "<=", 0) if self.value == 1 else (">=", "<", self.value)
            return (
                body.lines,
                f"{body.expression} {signs[0]} {signs[2]}",
                f"{body.expression} {signs[1]} {signs[2]}",
            )
        value = [*problem.tokens, nothing(problem)][self.value] if self.family.kind == "token" else self.value
        return (
            body.lines,
            f"{body.expression} {one_of([value])}",
            f"{body.expression} {one_of([value], negate=True)}",
        )


class Combiner:
    """The questions of all families about the examples, and the programs of two of them."""

    def __init__(self, problem: Problem, families: Sequence[Family], examples: Labelled) -> None:
        self.problem, self.families, self.examples = problem, families, examples
        self.sample, self.second = (
            examples.take(np.arange(min(size, len(examples)))) for size in (SAMPLE, SECOND)
        )
        self.questions, bits = self._questions()
        packed = np.packbits(bits, axis=1)
        self.bits = np.concatenate(
            [packed, ~packed & np.packbits(np.ones(len(self.sample), dtype=bool))]
        )  # each, then each negated
        self._held: dict[int, np.ndarray] = {}
        self._costs: dict[int, int] = {}

    def candidates(self) -> Iterator[Candidate]:
        if not self.questions:
            return
        if len(np.unique(self.examples.labels)) == 2:
            yield from self._conjunctions()
            yield from self._differences()
        else:
            yield from self._lists()

    def _questions(self) -> tuple[list[Question], np.ndarray]:
        """Questions that split the sample, the simplest of those that split it alike; and their answers, (questions, sample)."""
        seen: set[bytes] = set()
        questions: list[Question] = []
        rows: list[np.ndarray] = []
        words = self.sample.words
        for family in sorted(
            self.families,
            key=lambda f: description_length(
                function((*f.body(0).lines, f"return {f.body(0).expression}"), "f")
            ),
        ):
            chosen = np.arange(min(family.size, ROWS))
            step = max(1, CELLS // max(1, len(words)))
            for start in range(0, len(chosen), step):
                check()
                part = chosen[start : start + step]
                for row, values in zip(part, family.evaluate(words, part), strict=True):
                    for question in _asked(family, int(row), np.unique(values)):
                        answer = question.told(values)
                        if not answer.any() or answer.all():
                            continue
                        key = (answer if answer[0] else ~answer).tobytes()
                        if key not in seen and len(questions) < QUESTIONS:
                            seen.add(key)
                            questions.append(question)
                            rows.append(answer)
        return questions, np.array(rows).reshape(len(rows), len(words))

    def _holds(self, literal_: int) -> np.ndarray:
        """Answers on the second sample; the negated questions follow the others."""
        row, negated = literal_ % len(self.questions), literal_ >= len(self.questions)
        if row not in self._held:
            self._held[row] = self.questions[row].holds(self.second.words)
        return self._held[row] ^ negated

    def _on_all(self, literal_: int) -> np.ndarray:
        return self.questions[literal_ % len(self.questions)].holds(self.examples.words) ^ (
            literal_ >= len(self.questions)
        )

    def _text(self, literal_: int) -> Text:
        lines, yes, no = self.questions[literal_ % len(self.questions)].text(self.problem)
        return (lines, no, yes) if literal_ >= len(self.questions) else (lines, yes, no)

    def _cost(self, literal_: int) -> int:
        if literal_ not in self._costs:
            lines, yes, _ = self._text(literal_)
            self._costs[literal_] = description_length(function((*lines, f"return {yes}"), "f"))
        return self._costs[literal_]

    def _conjunctions(self) -> Iterator[Candidate]:
        """Two questions whose `and` is one of the two labels; what is an `or` for one label is an `and` for the other."""
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
        """Two questions of which exactly one is answered with yes where the label is one of the two."""
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
        self,
        pairs: list[tuple[int, int]],
        label: int,
        join: Callable[[np.ndarray, np.ndarray], np.ndarray],
        sign: str,
    ) -> Iterator[Candidate]:
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

    def _joined(
        self, a: int, b: int, label: int, join: Callable[[np.ndarray, np.ndarray], np.ndarray], sign: str
    ) -> Candidate:
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
        """`if question: return label`, then one feature for the rest."""
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


def _listed(question: Question, flip: bool, label: int, rest: Candidate, lines: tuple[str, ...]) -> Candidate:
    def decide(words: np.ndarray) -> np.ndarray:
        return np.where(question.holds(words) ^ flip, label, rest.evaluate(words))

    return Candidate("templates", f"{question.family.template}+{rest.template}", lines, decide)


def combined(problem: Problem, families: Sequence[Family], examples: Labelled) -> list[Candidate]:
    """Programs of two features that explain every example, plainest first."""
    return sorted(Combiner(problem, families, examples).candidates(), key=lambda c: c.key)


def _asked(family: Family, row: int, values: np.ndarray) -> Iterator[Question]:
    if family.kind == "flag":
        yield Question(family, row, "==", 1)
        return
    if family.kind == "number":
        for value in values[1:9].tolist():
            yield Question(family, row, ">=", value)
    for value in values[:9].tolist():
        yield Question(family, row, "==", value)


def fused(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[[str], str]]:
    """Both statements one after the other, in one loop where both loop over the tokens; and how names of the second were changed."""
    taken = _names(first)
    mine = {name for name in _names(second) if name in taken and name not in ("tokens", "token", "x", "y")}
    change = {
        name: next(f"{name}{k}" for k in range(2, 99) if f"{name}{k}" not in taken | _names(second))
        for name in mine
    }

    def rename(text: str) -> str:
        return _renamed(text, change)

    second = tuple(map(rename, second))
    head = "for token in tokens:"
    if first.count(head) == second.count(head) == 1:
        (init, loop), (init2, loop2) = (_split(lines, head) for lines in (first, second))
        if all(line.startswith(" ") for line in (*loop, *loop2)) and not any(
            "return" in line for line in (*loop, *loop2)
        ):
            return (*init, *init2, head, *loop, *loop2), rename
    return (*first, *second), rename


def _split(lines: tuple[str, ...], head: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    at = lines.index(head)
    return lines[:at], lines[at + 1 :]


def _names(lines: tuple[str, ...]) -> set[str]:
    tree = ast.parse("\n".join(lines))
    return {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _renamed(text: str, change: dict[str, str]) -> str:
    """Names of Python changed, not what is written in strings or behind a dot."""
    if not change:
        return text
    stripped = text.lstrip(" ")
    out, last, before = [], 0, ""
    for token in tokenize.generate_tokens(io.StringIO(stripped).readline):
        if token.type == tokenize.NAME and token.string in change and before != ".":
            out += [stripped[last : token.start[1]], change[token.string]]
            last = token.end[1]
        before = token.string
    return text[: len(text) - len(stripped)] + "".join(out) + stripped[last:]
