"""SMT-LIB text: parsed by solvers, right on every word, with widths that suffice and are not idle."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from random_claims import errs, formulas, random_claim, words_of
from relucid.encoders import bitvector as module
from relucid.encoders.bitvector import bitvector, signed_width
from relucid.encoders.formula import Formula
from relucid.encoders.linear_real import linear_real
from relucid.encoders.smt import SmtScript, _exactly_one


def parsed(text: str) -> list:
    """S-expressions as nested lists."""
    stack: list[list] = [[]]
    for token in re.findall(r"[()]|[^\s()]+", re.sub(r";[^\n]*", "", text)):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    return stack[0]


class Machine:
    """Evaluates the bit-vector terms that the encoder writes, under truth values of the indicators; words are
    (value, width).
    """

    def __init__(self, script: SmtScript, truth: dict[str, object]) -> None:
        self.env: dict[str, object] = {
            c[1]: truth.get(c[1], False) for c in parsed(script.text) if c[0] == "declare-const"
        }
        for command in (c for c in parsed(script.text) if c[0] == "declare-const" and c[2] != "Bool"):
            self.env[command[1]] = (truth.get(command[1], 0), int(command[2][2]))
        for command in parsed(script.text):
            if command[0] == "define-fun":
                value, width = self.term(command[4])
                assert width == int(command[3][2]), command[1]
                self.env[command[1]] = (value, width)

    def term(self, t: object):  # type: ignore[no-untyped-def]
        if isinstance(t, str):
            return (int(t[2:], 2), len(t) - 2) if t.startswith("#b") else self.env[t]
        head = t[0]  # type: ignore[index]
        if head == "_":
            return int(t[1][2:]), int(t[2])  # type: ignore[index]
        args = [self.term(a) for a in t[1:]]  # type: ignore[index]
        if isinstance(head, list):
            value, width = args[0]
            numbers = [int(n) for n in head[2:]]
            if head[1] == "zero_extend":
                return value, width + numbers[0]
            assert head[1] == "extract" and numbers[0] < width
            return (value >> numbers[1]) & ((1 << (numbers[0] - numbers[1] + 1)) - 1), numbers[0] - numbers[
                1
            ] + 1
        if head == "ite":
            assert not isinstance(args[1], tuple) or args[1][1] == args[2][1]
            return args[1] if args[0] else args[2]
        if head == "=":
            assert args[0][1] == args[1][1]
            return args[0] == args[1]
        if head in ("bvslt", "bvsle", "bvsge"):
            a, b = (v - ((v >> (w - 1)) << w) for v, w in args)
            return {"bvslt": a < b, "bvsle": a <= b, "bvsge": a >= b}[head]
        if head == "bvneg":
            return -args[0][0] % (1 << args[0][1]), args[0][1]
        assert args[0][1] == args[1][1], "operands of different widths"
        value = args[0][0] + args[1][0] if head == "bvadd" else args[0][0] * args[1][0]
        assert head in ("bvadd", "bvmul")
        return value % (1 << args[0][1]), args[0][1]

    def signed(self, name: str) -> int:
        value: int
        width: int
        value, width = self.env[name]  # type: ignore[misc]
        return value - (1 << width) if value >> (width - 1) else value


def mismatches(seeds: range) -> int:
    """Neurons and words on which the bit-vector value is not the exact one, over every word of the claims."""
    wrong = 0
    for seed in seeds:
        claim = random_claim(seed)
        for rival, formula in formulas(claim):
            script = bitvector(formula)
            for word in (w for w, y in words_of(claim).items() if y == rival.label):
                values = formula.assignment(word)
                truth: dict[str, object] = {
                    v.name: bool(x)
                    for v, x in zip(formula.variables, values, strict=True)
                    if v.name[0] == "x"
                }
                machine = Machine(script, truth)
                wrong += not all(
                    machine.term(c[1])
                    for c in parsed(script.text)
                    if c[0] == "assert" and about_neurons(c[1])
                )
                wrong += machine.signed("violation") != formula.violation.value(values)
                for j, relu in enumerate(formula.relus):
                    wrong += machine.signed(f"p{j}") != relu.argument.value(values)
                    wrong += machine.env[formula.variables[relu.output].name][0] != values[relu.output]  # type: ignore[index]
    return wrong


def about_neurons(term: object) -> bool:
    """Whether a constraint is about proved ranges only: those hold on every word."""
    return isinstance(term, list) and term[0] == "bvsle"


def test_every_width_suffices_on_every_word() -> None:
    assert mismatches(range(10)) == 0


def test_one_bit_less_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "signed_width", lambda low, high: max(1, signed_width(low, high) - 1))
    monkeypatch.setattr(module, "_fitted", lambda name, have, want: module._constant(0, want))
    assert mismatches(range(10)) > 0


@pytest.mark.parametrize(
    ("low", "high", "width"),
    [
        (0, 0, 1),
        (-1, 0, 1),
        (0, 1, 2),
        (-1, 1, 2),
        (-2, 1, 2),
        (-3, 0, 3),
        (-4, 3, 3),
        (0, 4, 4),
        (5, 7, 4),
        (-9, -8, 5),
    ],
)
def test_signed_widths_are_the_smallest(low: int, high: int, width: int) -> None:
    assert signed_width(low, high) == width
    assert -(2 ** (width - 1)) <= low and high < 2 ** (width - 1)


def z3_says(script: SmtScript) -> bool:
    import z3

    solver = z3.Solver(ctx=z3.Context())
    solver.from_string(script.text)
    return str(solver.check()) == "sat"


def bitwuzla_says(script: SmtScript) -> bool:
    import bitwuzla

    parser = bitwuzla.Parser(bitwuzla.TermManager(), bitwuzla.Options())
    parser.parse(script.text, parse_only=True, parse_file=False)
    return parser.bitwuzla().check_sat() == bitwuzla.Result.SAT


@pytest.mark.parametrize(
    ("encode", "says"),
    [(bitvector, z3_says), (bitvector, bitwuzla_says), (linear_real, z3_says)],
    ids=["bv-z3", "bv-bitwuzla", "lra-z3"],
)
def test_satisfiable_iff_some_word_errs(
    encode: Callable[[Formula], SmtScript], says: Callable[[SmtScript], bool]
) -> None:
    answers = set()
    for seed in range(14):
        claim = random_claim(seed)
        for rival, formula in formulas(claim):
            wrong = [w for w, y in words_of(claim).items() if y == rival.label and errs(claim, rival, w)]
            assert says(encode(formula)) == bool(wrong), (seed, rival)
            assert not says(encode(formula.blocking(wrong))), (seed, rival)
            answers.add(bool(wrong))
    assert answers == {True, False}


def test_exactly_one_of_many() -> None:
    import z3

    names = [f"x{i}" for i in range(23)]
    lines = [f"(declare-const {n} Bool)" for n in names] + _exactly_one(names, "g")
    solver = z3.Solver(ctx=z3.Context())
    solver.from_string("\n".join(lines))
    found = set()
    xs = [z3.Bool(n, solver.ctx) for n in names]
    while solver.check() == z3.sat:
        model = solver.model()
        true = tuple(i for i, x in enumerate(xs) if z3.is_true(model[x]))
        found.add(true)
        solver.add(z3.Or([x != model.eval(x, model_completion=True) for x in xs]))
        assert len(found) <= 23
    assert found == {(i,) for i in range(23)}
