"""Programs of expressions over the whole sequence that give every example its label.

The last of `expressions/`: it asks the others in turn, and puts what a program got wrong into the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from ...models.automata.labelled import Labelled
from ..candidate import Candidate
from ..finding import Findings
from ..problem import SearchProblem
from .bank import ExpressionBank
from .cases import Cases
from .conditions import Conditions
from .explain import Explainer, pairs, single, sums
from .focus import changed_words
from .items import token_functions
from .logic import two_conditions
from .looked_up import looked_up_sums
from .returns import label_map, program, read_expression, returned

SAMPLE = 512  # examples that expressions are told apart on
SYMBOLS = 40_000  # of the sample: of long sequences, there are fewer
WRONG = 64  # examples that join the sample if every program is wrong somewhere
ROUNDS = 4
FRAME = 4  # nodes of the function and the return around an expression
WRITTEN = 400  # programs of one kind that are tried on all examples
SLACK = 6  # longer ones are kept, too: on a sample of the domain, the shortest may be right by accident
FOUND = 60
SHORT = 21  # a program of this length is not asked about further

Way = Callable[[int], Iterator[Candidate]]  # from the length below which programs are wanted


def expressed(
    problem: SearchProblem,
    examples: Labelled,
    below: int,
    say: Callable[[str], None],
    found_out: Findings | None = None,
) -> list[Candidate]:
    """Find programs without loops that give every example its label.

    Args:
        problem: the tokens and labels.
        examples: labelled words, in an order that takes the labels in turn (`filter.mixed`).
        below: only programs of a smaller description length are wanted.
        say: is told what is going on.
        found_out: what the labels depend on; expressions that see anything else are left out.

    Returns: the programs, plainest first.
    """
    if len(np.unique(examples.labels)) < 2:
        return []
    size = min(SAMPLE, max(WRONG, SYMBOLS // max(1, problem.max_length)))
    sample = examples.take(np.arange(min(size, len(examples))))
    found: list[Candidate] = []
    for _ in range(ROUNDS):
        say(f"looking at expressions over the whole sequence, told apart on {len(sample)} examples")
        wrong: list[np.ndarray] = []
        changed = None if found_out is None else changed_words(found_out, sample.words, problem.size)
        for way in _ways(problem, sample, changed):
            for candidate in islice(way(below + SLACK), WRITTEN):
                if candidate.description_length >= below + SLACK or len(found) >= FOUND:
                    continue
                missed = np.flatnonzero(candidate.evaluate(examples.words) != examples.labels)
                if len(missed):
                    wrong.append(missed[:WRONG])
                else:
                    found.append(candidate)
                    below = min(below, candidate.description_length)
            if found and below <= SHORT:
                break
        if found or not wrong:
            break
        sample = sample.joined(
            examples.take(np.unique(np.concatenate(wrong))[:: max(1, len(wrong) // 2)][:SAMPLE])
        )
    return sorted(found, key=lambda c: c.key)


def _ways(problem: SearchProblem, sample: Labelled, changed: np.ndarray | None) -> Iterator[Way]:
    """Yield the ways to explain the sample, cheap ones first."""
    bank = ExpressionBank(problem, sample.words, changed)
    explainer = Explainer(sample.labels)
    constants = _constants(problem)
    yield lambda below: _single(bank, explainer, constants, sample)
    yield lambda below: _sums(bank, sample, below - FRAME)
    conditions = Conditions(bank)
    yield lambda below: two_conditions(problem, conditions, sample.labels, below - FRAME)
    yield Cases(bank, conditions, sample.labels).candidates
    yield lambda below: _pairs(bank, explainer, constants, sample, below - FRAME)


def _single(
    bank: ExpressionBank, explainer: Explainer, constants: list[int], sample: Labelled
) -> Iterator[Candidate]:
    for e in single(bank, explainer, constants):
        yield from read_expression(e, bank.problem, bank.value(e), sample.labels)


def _sums(bank: ExpressionBank, sample: Labelled, below: int) -> Iterator[Candidate]:
    labels = label_map(bank.problem)
    number = {y: v for v, y in labels.numbers.items()}
    if not set(np.unique(sample.labels).tolist()) <= set(number):
        return
    target = np.array([number[y] for y in sample.labels.tolist()])
    for e in (*looked_up_sums(bank, target), *sums(bank, target, below)):
        form = returned(e, labels, bank.problem)
        if form is not None:
            yield program((f"return {form.text}",), form.decide, bank.problem, "arithmetic")


def _pairs(
    bank: ExpressionBank, explainer: Explainer, constants: list[int], sample: Labelled, below: int
) -> Iterator[Candidate]:
    for e in pairs(bank, explainer, constants, below):
        yield from read_expression(e, bank.problem, bank.value(e), sample.labels, "arithmetic")


def _constants(problem: SearchProblem) -> list[int]:
    """Return constants for remainders and quotients: small ones, and those that the problem suggests."""
    suggested = {2, 3, 4, 5, 6, 7, 8, 10, len(problem.labels), problem.size}
    for f in token_functions(problem).numbers[:4]:
        suggested.add(int(f.table.max()) + 1)
    return sorted(k for k in suggested if 2 <= k <= 64)
