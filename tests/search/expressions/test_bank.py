"""Every expression of the bank: values are those of its Python, weights are description lengths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from relucid.models.automata.labelled import Labelled
from relucid.models.program.program import Program
from relucid.search.expressions.bank import ExpressionBank
from relucid.search.expressions.conditions import Conditions
from relucid.search.expressions.expression import Expression
from relucid.search.expressions.inputs import Inputs
from relucid.search.problem import SearchProblem
from relucid.search.rank import description_length

ALPHABETS = {
    "letters": (("a", "b", "c"), 1, 5, None),
    "empty words": (("a", "b"), 0, 4, None),
    "digits": (("0", "1", "2", "3", "5"), 1, 4, None),
    "signed": (("-2", "-1", "0", "10"), 2, 4, None),
    "pairs": (("00", "01", "12", "21"), 1, 4, None),
    "some numerals": (("1", "2", "+", "x"), 1, 4, None),
    "ordered": (("low", "mid", "high"), 1, 4, ("low", "mid", "high")),
    "odd tokens": (("'", '"', "\\", "{}", "if"), 1, 3, None),
    "cases": (("A", "b", "C1"), 3, 3, None),
}
MANY = 700  # expressions of one alphabet that are compared


def problem_of(name: str) -> SearchProblem:
    tokens, low, high, order = ALPHABETS[name]
    words = [
        (*w, *([len(tokens)] * (high - n)))
        for n in range(low, high + 1)
        for w in itertools.product(range(len(tokens)), repeat=n)
    ]
    everything = np.array(words, dtype=np.int16).reshape(len(words), high)
    labelled = Labelled(everything, np.arange(len(words)) % 2)
    return SearchProblem(tokens, low, high, ("no", "yes"), labelled, order)


def python_value(expression: Expression, problem: SearchProblem, word: np.ndarray) -> object:
    """What CPython gives for the text; tokens as symbols, truth values as 0 and 1."""
    tokens = tuple(problem.tokens[s] for s in word if s < problem.size)
    value = eval(expression.text, {"tokens": tokens, "ORDER": problem.order})
    return problem.tokens.index(value) if expression.kind == "token" else int(value)


def chosen(expressions: list[Expression]) -> list[Expression]:
    """An even sample, and all of the lightest."""
    step = max(1, len(expressions) // MANY)
    return [*expressions[:150], *expressions[150::step]]


@pytest.mark.parametrize("name", ALPHABETS)
def test_values_are_those_of_python(name: str) -> None:
    problem = problem_of(name)
    rng = np.random.default_rng(0)
    words = problem.examples.words[rng.permutation(len(problem.examples))[:25]]
    bank = ExpressionBank(problem, problem.examples.words)
    inputs = Inputs(words, problem.size)
    compared = 0
    for expression in (
        *chosen([e for k in bank.kinds.values() for e in k.expressions]),
        *chosen(bank.partial),
    ):
        values = np.asarray(expression.evaluate(inputs)).astype(int)
        there = np.ones(len(words), dtype=bool)
        if expression.guard is not None:
            there = np.asarray(expression.guard.holds(inputs)).astype(bool)
        for word, value, defined in zip(words, values, there, strict=True):
            if defined:
                note = (expression.text, word.tolist(), int(value))
                assert python_value(expression, problem, word) == value, note
                compared += 1
    assert compared > 2000


@pytest.mark.parametrize("name", ALPHABETS)
def test_guards_say_where_python_raises(name: str) -> None:
    problem = problem_of(name)
    words = problem.examples.words[:: max(1, len(problem.examples) // 30)]
    bank = ExpressionBank(problem, words)
    for expression in chosen(bank.partial):
        assert expression.guard is not None
        holds = np.asarray(expression.guard.holds(Inputs(words, problem.size))).astype(bool)
        for word, there in zip(words, holds, strict=True):
            tokens = tuple(problem.tokens[s] for s in word if s < problem.size)
            assert bool(eval(expression.guard.text, {"tokens": tokens})) == there, expression.guard.text


@pytest.mark.parametrize("name", ALPHABETS)
def test_weights_are_description_lengths(name: str) -> None:
    problem = problem_of(name)
    bank = ExpressionBank(problem, problem.examples.words)
    frame = description_length("def f(tokens):\n    return 0\n") - 1
    listed = chosen([e for k in bank.kinds.values() for e in k.expressions])
    wrong = [
        (e.text, e.weight, true)
        for e in (*listed, *chosen(bank.partial))
        if (true := length(e.text) - frame) != e.weight
    ]
    assert not wrong, (len(wrong), wrong[:12])


def length(text: str) -> int:
    """The description length without the penalty on remainders, which is for readings."""
    source = f"def f(tokens):\n    return {text}\n"
    return description_length(source) - 4 * text.count(" % ")


def test_opposites_of_conditions() -> None:
    problem = problem_of("digits")
    words = problem.examples.words[::7]
    inputs = Inputs(words, problem.size)
    for condition in Conditions(ExpressionBank(problem, words)).all[::60]:
        for word, holds in zip(words[:20], condition.holds(inputs)[:20], strict=True):
            tokens = tuple(problem.tokens[s] for s in word if s < problem.size)
            assert bool(eval(condition.text, {"tokens": tokens})) == bool(holds), condition.text
            assert bool(eval(condition.opposite, {"tokens": tokens})) != bool(holds), condition.opposite


def test_programs_are_readable() -> None:
    """The checked subset accepts the Python of every form."""
    for name in ALPHABETS:
        problem = problem_of(name)
        bank = ExpressionBank(problem, problem.examples.words[:40])
        head = f"ORDER = {problem.order!r}\n\n\n" if problem.order else ""
        for expression in chosen([e for k in bank.kinds.values() for e in k.expressions])[::5]:
            Program.from_source(f"{head}def f(tokens):\n    return {expression.text}\n", "f")
