"""Divide and conquer: several returns, each right on a part of the examples, and conditions between them.

After `returns.py` and `conditions.py`.

Source: Alur, Radhakrishna, Udupa, "Scaling Enumerative Program Synthesis via Divide and Conquer" (2017).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...common.deadline import check
from ..candidate import Candidate
from ..formula import IF, OR
from ..problem import SearchProblem
from ..render import indent
from .bank import ExpressionBank
from .conditions import Condition, Conditions
from .expression import Decide
from .returns import LabelReturn, constant, label_map, program, returned

ARMS = 700  # returns that are put together
PAIRS = 400  # pairs of returns for which a condition is looked for
FIRSTS = 12  # first cases of three
FOUND = 30


class Cases:
    """The returns of a bank on its sample, and the programs of two or three of them.

    Args:
        bank: the expressions.
        conditions: over the same sample.
        labels: label indices of the sample, (n,).
    """

    def __init__(self, bank: ExpressionBank, conditions: Conditions, labels: np.ndarray) -> None:
        self.bank, self.conditions, self.labels = bank, conditions, labels
        self.problem: SearchProblem = bank.problem
        self.arms, self.right = self._arms()

    def _arms(self) -> tuple[list[LabelReturn], np.ndarray]:
        """Return the lightest of the returns that are right on the same words, and where they are right."""
        problem, labels = self.problem, label_map(self.problem)
        listed = [constant(y, problem) for y in np.unique(self.labels).tolist()]
        for e in (
            *(e for kept in self.bank.kinds.values() for e in kept.expressions[:4000]),
            *self.bank.partial,
        ):
            if e.kind != "bool" or all(isinstance(y, bool) for y in problem.labels):
                found = returned(e, labels, problem)
                listed += [] if found is None else [found]
        seen: set[bytes] = set()
        arms, rows = [], []
        for k, arm in enumerate(sorted(listed, key=lambda a: a.weight)):
            if k % 256 == 0:
                check()
            right = arm.decide(self.bank.inputs) == self.labels
            key = right.tobytes()
            if right.any() and key not in seen:
                seen.add(key)
                arms.append(arm)
                rows.append(np.packbits(right))
        worth = np.array([int(np.unpackbits(r).sum()) for r in rows])
        order = np.argsort(-worth + 3.0 * np.array([a.weight for a in arms]), kind="stable")[:ARMS]
        return [arms[i] for i in order], np.array([rows[i] for i in order])

    def candidates(self, below: int) -> Iterator[Candidate]:
        """Yield programs of one, two or three returns that are right on the sample and light enough."""
        whole = self.conditions.inside
        yield from self._of_one(whole)
        two = list(self._of_two(whole, below))
        for text, decide, _ in two:
            yield program((f"return {text}",), decide, self.problem, "cases")
        if not two:
            yield from self._of_three(whole, below)

    def _of_one(self, whole: np.ndarray) -> Iterator[Candidate]:
        for k in np.flatnonzero(((self.right & whole) == whole).all(axis=1)).tolist():
            yield program((f"return {self.arms[k].text}",), self.arms[k].decide, self.problem, "expression")

    def _of_two(self, part: np.ndarray, below: int) -> Iterator[tuple[str, Decide, int]]:
        """Yield `a if condition else b`, right on a part of the sample: Python, labels, weight."""
        found = 0
        for _, i, j in self._pairs(part):
            a, b = self.arms[i], self.arms[j]
            if a.weight + b.weight + 5 >= below:
                continue
            check()
            least, most = part & ~self.right[j], self.right[i] | (~part & self.conditions.inside)
            for condition in self.conditions.between(least, most)[:3]:
                weight = a.weight + b.weight + condition.weight + 1
                if weight + 2 < below:
                    yield _choice(condition, a, b), _either(condition, a.decide, b.decide), weight
                    found += 1
            if found >= FOUND:
                return

    def _pairs(self, part: np.ndarray) -> list[tuple[int, int, int]]:
        """LabelReturn pairs of returns of which one is right on every word of a part, lightest first."""
        out = []
        missing = part & ~self.right
        weights = [a.weight for a in self.arms]
        for i in range(len(self.arms)):
            fits = np.flatnonzero(~(missing[i] & missing[i + 1 :]).any(axis=1))
            out += [(weights[i] + weights[i + 1 + j], i, i + 1 + int(j)) for j in fits]
        return sorted(out)[:PAIRS]

    def _of_three(self, whole: np.ndarray, below: int) -> Iterator[Candidate]:
        """Yield a condition that settles some words, then two returns for the others."""
        count = 0
        for condition, arm, settled in self._firsts(whole):
            rest = whole & ~settled
            for text, decide, weight in self._of_two(rest, below - arm.weight - condition.weight - 4):
                del weight
                lines = (f"if {condition.text}:", *indent((f"return {arm.text}",)), f"return {text}")
                yield program(lines, _either(condition, arm.decide, decide), self.problem, "cases")
                count += 1
                if count == FOUND:
                    return

    def _firsts(self, whole: np.ndarray) -> list[tuple[Condition, LabelReturn, np.ndarray]]:
        """Return conditions under which one return is right; those that settle much first."""
        out: list[tuple[float, int, Condition, LabelReturn, np.ndarray]] = []
        bits = np.concatenate([self.conditions.bits, ~self.conditions.bits & whole])
        size = np.unpackbits(bits, axis=1).sum(axis=1)
        number = len(self.conditions.all)
        for i in range(min(len(self.arms), 60)):
            pure = np.flatnonzero(~(bits & ~self.right[i]).any(axis=1))
            if not len(pure):
                continue
            weights = self.conditions.weights[pure % max(1, number)]
            gain = size[pure] / max(1, self.conditions.count) - 0.02 * (weights + self.arms[i].weight)
            for r in pure[np.argsort(-gain)[:4]].tolist():
                condition = self.conditions.all[r % number]
                condition = condition.negated() if r >= number else condition
                score = size[r] / max(1, self.conditions.count) - 0.02 * (
                    condition.weight + self.arms[i].weight
                )
                out.append((-score, len(out), condition, self.arms[i], bits[r]))
        return [(c, a, b) for _, _, c, a, b in sorted(out, key=lambda x: x[:2])[:FIRSTS]]


def _choice(condition: Condition, a: LabelReturn, b: LabelReturn) -> str:
    first = a.text if a.level > IF else f"({a.text})"
    test = condition.text if condition.level >= OR else f"({condition.text})"
    return f"{first} if {test} else {b.text}"


def _either(condition: Condition, a: Decide, b: Decide) -> Decide:
    return lambda i: np.where(np.asarray(condition.holds(i)).astype(bool), a(i), b(i))
