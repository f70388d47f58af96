"""VNN-LIB files: exact numbers, regions, both versions, and every kind of damage with its message."""

from __future__ import annotations

import gzip
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relucid.common.errors import InputError, Unsupported
from relucid.models.claims.condition import Linear
from relucid.models.claims.property import Case, Property, Row
from relucid.models.claims.vnnlib import load_vnnlib, read_vnnlib
from relucid.models.claims.vnnlib_terms import exact_number

DATA = Path(__file__).parents[4] / "shared" / "data"
FILES = sorted(DATA.glob("*/vnnlib/*.vnnlib.gz"))
HEAD = (
    "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n"
)
BOX = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (and (>= X_1 -0.1) (<= X_1 1e-1)))\n"
TENTH = Fraction(1, 10)


def test_numbers_are_what_the_text_says():
    found = read_vnnlib(HEAD + BOX + "(assert (<= Y_0 0.30000000000000000001))")
    (case,) = found.cases
    assert (case.lower, case.upper) == ((0, -TENTH), (1, TENTH))
    assert case.unsafe == ((Row((), ((0, Fraction(-1)),), Fraction("0.30000000000000000001")),),)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_every_decimal_is_exact(value):
    assert exact_number(str(value)) == Fraction(str(value))


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3", "0x1", "1e", "nan", "inf", "1/2", "--1", "1_0", "1e999999999999", "1e-5000", "9" * 5000],
)
def test_no_number(text):
    with pytest.raises(ValueError):
        exact_number(text)


def test_disjunctions_of_outputs_share_the_box():
    found = read_vnnlib(HEAD + BOX + "(assert (or (and (>= Y_0 Y_1) (>= Y_0 0)) (and (< Y_1 2))))")
    (case,) = found.cases
    assert [len(rows) for rows in case.unsafe] == [2, 1]
    assert case.unsafe[1][0] == Row((), ((1, Fraction(-1)),), Fraction(2), strict=True)


def test_disjunctions_of_inputs_make_cases():
    body = "(assert (or (and (<= X_0 1) (>= X_0 0) (<= Y_0 0)) (and (<= X_0 3) (>= X_0 2) (<= Y_0 0)) (and (<= X_0 0) (>= X_0 1))))"
    found = read_vnnlib(HEAD + "(assert (<= X_1 1))(assert (>= X_1 0))" + body)
    assert [(c.lower, c.upper) for c in found.cases] == [
        ((0, 0), (1, 1)),
        ((2, 0), (3, 1)),
    ]  # the third box is empty


def test_several_disjunctions_multiply():
    found = read_vnnlib(HEAD + BOX + "(assert (or (<= Y_0 0) (>= Y_0 1)))(assert (or (<= Y_1 0) (>= Y_1 1)))")
    assert [len(rows) for rows in found.cases[0].unsafe] == [2, 2, 2, 2]


def test_expressions_are_linear_forms():
    found = read_vnnlib(HEAD + BOX + "(assert (<= (+ (* 2 Y_0) (- Y_1) (/ X_0 4)) (- 3 (* Y_0 0.5) 1)))")
    assert found.cases[0].unsafe == (
        (Row(((0, Fraction(-1, 4)),), ((0, Fraction(-5, 2)), (1, Fraction(1))), Fraction(2)),),
    )


def test_rows_over_inputs_only_and_fixed_inputs():
    found = read_vnnlib(
        HEAD + "(assert (= X_0 0.5))(assert (<= X_1 1))(assert (>= X_1 0))(assert (<= (+ X_0 X_1) 1))"
    )
    (case,) = found.cases
    assert case.lower[0] == case.upper[0] == Fraction(1, 2)
    assert case.unsafe == ((Row(((0, Fraction(-1)), (1, Fraction(-1))), (), Fraction(1)),),)


def test_what_is_false_has_no_case_and_what_is_true_no_row():
    assert read_vnnlib(HEAD + BOX + "(assert (<= 1 0))").cases == ()
    assert read_vnnlib(HEAD + BOX + "(assert (<= 0 1))").cases[0].unsafe == ((),)
    assert read_vnnlib(HEAD + BOX + "(assert (< Y_0 Y_0))").cases == ()


def test_strict_bounds_of_inputs_stay_strict():
    (case,) = read_vnnlib(HEAD + BOX + "(assert (< X_0 1))").cases
    assert case.upper[0] == 1 and case.unsafe == ((Row(((0, Fraction(-1)),), (), Fraction(1), strict=True),),)


SECOND = """(vnnlib-version <2.0>)
(declare-network N (declare-input X real [1,2]) (declare-output Y real [1,2]))
(assert (and (<= X[0,0] 1.0) (>= X[0,0] 0.0)))
(assert (and (<= X[0,1] 0.1) (>= X[0,1] -0.1)))
(assert (or (<= Y[0,0] Y[0,1]) (> (* 2.0 Y[0,0]) 0.30000000000000000001)))
"""


def test_version_2():
    found = read_vnnlib(SECOND)
    assert (found.inputs, found.outputs) == (2, 2)
    (case,) = found.cases
    assert (case.lower, case.upper) == ((0, -TENTH), (1, TENTH))
    assert case.unsafe == (
        (Row((), ((0, Fraction(-1)), (1, Fraction(1)))),),
        (Row((), ((0, Fraction(2)),), -Fraction("0.30000000000000000001"), strict=True),),
    )


def test_version_2_says_what_its_parser_says():
    with pytest.raises(InputError, match=r"p\.vnnlib: is no valid VNN-LIB 2.0 \(.*\); see vnnlib.org"):
        read_vnnlib("(vnnlib-version <2.0>)\n(declare-network N (declare-input X", origin="p.vnnlib")


def test_version_2_with_two_networks_is_refused():
    two = SECOND.replace(
        "(assert", "(declare-network M (declare-input A real [1]) (declare-output B real [1]))\n(assert", 1
    )
    with pytest.raises(InputError, match="declares 2 networks"):
        read_vnnlib(two)


BAD = {
    "empty": ("", "p: is empty; give a VNN-LIB file"),
    "no lisp": ("hello", "p:1: 'hello' stands outside of brackets; is this a VNN-LIB file?"),
    "open": (
        HEAD + "(assert (<= X_0",
        "p:5: the bracket that opens here never closes; check the brackets; is the file truncated?",
    ),
    "closed": (HEAD + ")", "p:5: a bracket closes that never opened; check the brackets"),
    "undeclared": (HEAD + "\n(assert (<= X_7 1))", "p:6: X_7 is not declared"),
    "twice": (HEAD + "(declare-const X_0 Real)", "p:5: X_0 is declared twice"),
    "type": ("(declare-const X_0 Int)", "p:1: X_0 is declared as (Int), not as Real"),
    "name": ("(declare-const Z Real)", "p:1: variable 'Z' is neither X_i (an input) nor Y_j (an output)"),
    "hole": (
        "(declare-const X_0 Real)(declare-const X_2 Real)(declare-const Y_0 Real)",
        "p: declares X_2, but not X_1; declare them all",
    ),
    "no output": (
        "(declare-const X_0 Real)",
        "p: declares no output Y_0; declare the variables with declare-const",
    ),
    "unbounded": (
        HEAD + BOX.replace("(assert (<= X_0 1))", ""),
        "p: X_0 has no upper bound; assert one: every input needs a finite interval",
    ),
    "command": (HEAD + "(push 1)", "p:5: (push 1) is not understood"),
    "implication": (
        HEAD + BOX + "(assert (=> (<= X_0 1) (<= Y_0 1)))",
        "is neither a comparison nor and/or of comparisons",
    ),
    "product": (HEAD + BOX + "(assert (<= (* X_0 Y_0) 1))", "it multiplies two variables"),
    "division": (HEAD + BOX + "(assert (<= (/ 1 X_0) 1))", "it divides by a variable or by zero"),
    "zero": (HEAD + BOX + "(assert (<= (/ Y_0 0) 1))", "it divides by a variable or by zero"),
    "number": (HEAD + "(assert (<= X_0 1.2.3))", "p:5: '1.2.3' is no number"),
    "exponent": (HEAD + "(assert (<= X_0 1e99999999))", "is too long or its exponent too large"),
    "expression": (
        HEAD + "(assert (<= X_0 (sin Y_0)))",
        "(sin Y_0) is not an expression of +, -, *, /, numbers and variables",
    ),
    "deep": (HEAD + "(assert " + "(and " * 5000, "brackets are nested more than 100 deep"),
    "nothing": (HEAD + "()", "p:5: () is not understood"),
    "nothing to compare": (HEAD + "(assert (<= X_0))", "is neither a comparison nor and/or of comparisons"),
    "huge index": ("(declare-const X_999999999 Real)", "X_999999999 is over the limit of 16777216 variables"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_say_where_and_what(name):
    text, message = BAD[name]
    with pytest.raises(InputError) as error:
        read_vnnlib(text, origin="p")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_too_many_regions_is_unsupported():
    body = "".join(f"(assert (or (<= Y_0 {k}) (>= Y_1 {k})))" for k in range(40))
    with pytest.raises(Unsupported, match="multiplies out to more than 200000 regions"):
        read_vnnlib(HEAD + BOX + body)


@given(st.text(alphabet="()<=>+-*/ XY_01.e;\nassertdclr", max_size=200))
def test_anything_is_read_or_refused_in_one_line(text):
    try:
        found = read_vnnlib(HEAD + BOX + text)
    except (InputError, Unsupported) as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(found, Property)


def test_files(tmp_path):
    plain, packed, broken = tmp_path / "p.vnnlib", tmp_path / "p.vnnlib.gz", tmp_path / "b.gz"
    plain.write_text(HEAD + BOX)
    packed.write_bytes(gzip.compress((HEAD + BOX).encode()))
    assert load_vnnlib(plain) == load_vnnlib(packed)
    broken.write_bytes(packed.read_bytes()[:-10])
    for path, message in (
        (broken, "cannot be read"),
        (tmp_path / "none", "there is no such file; check the path"),
        (tmp_path, "cannot be read (Is a directory)"),
    ):
        with pytest.raises(InputError, match=message.replace("(", r"\(").replace(")", r"\)")):
            load_vnnlib(path)
    broken.write_bytes(b"\xff\xfe(")
    with pytest.raises(InputError, match="is no text"):
        load_vnnlib(broken)


@pytest.mark.skipif(not FILES, reason="../shared/data is not there")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_real_files(path):
    found = load_vnnlib(path)
    assert len(found.cases) == 1
    sizes = {"acasxu": (5, 5), "mnist_fc": (784, 10), "reach": (5, 5)}
    assert (found.inputs, found.outputs) in [sizes.get(path.parts[-3]), (4, 2), (8, 8)]


def test_a_property_knows_its_counterexamples():
    half = Fraction(1, 2)
    row = Row(((0, Fraction(1)),), ((0, Fraction(1)),), Fraction(-1))
    stated = Property(1, 1, (Case((Fraction(0),), (Fraction(1),), ((row,),)),))
    assert stated.witnesses([half], [half]) and not stated.witnesses([half], [Fraction(0)])
    assert not stated.witnesses([Fraction(2)], [half])  # outside of the box
    with pytest.raises(ValueError, match="lower bounds are at most"):
        Case((Fraction(1),), (Fraction(0),), ())
    with pytest.raises(ValueError, match="that is not there"):
        Property(1, 1, (Case((Fraction(0),), (Fraction(1),), ((Row((), ((1, half),)),),)),))
    for twice in ((((0, half), (0, half)), ()), ((), ((1, half), (0, half), (1, -half)))):
        with pytest.raises(ValueError, match="names an input or output twice"):
            Row(*twice)


# -- regions without an input, which are told with their lines


EMPTY = {
    "(assert (>= X_0 1))\n(assert (<= X_0 -1))": "the input region is empty, so that nothing is asked: X_0 >= 1 (line 6) and X_0 <= -1 (line 7)",
    "(assert (> X_0 1))": "the input region is empty, so that nothing is asked: X_0 > 1 (line 6)",
    "(assert (= X_0 2))": "the input region is empty, so that nothing is asked: X_0 >= 2 (line 6) and X_0 <= 1 (line 5)",
    "(assert (>= (+ X_0 X_1) 1.25))": "the input region is empty, so that nothing is asked: X_0 + X_1 >= 1.25 (line 6)",
    "(assert (<= (* 3 X_0) -1))": "the input region is empty, so that nothing is asked: X_0 >= 0 (line 5) and X_0 <= -1/3 (line 6)",
    "(assert (> X_0 X_1))\n(assert (>= X_1 X_0))": "the input region is empty, so that nothing is asked: X_0 - X_1 > 0 (line 6) and X_0 - X_1 <= 0 (line 7)",
    "(assert (and\n (>= (+ X_0 (* 2 X_1)) 1)\n (<= (+ X_0 X_1) 0.75)\n))":
        "the input region is empty, so that nothing is asked: X_0 + 2 X_1 >= 1 (line 7) and X_0 + X_1 <= 0.75 (line 8)",
    "(assert (>= 1 2))": "the input region is empty, so that nothing is asked: 0 >= 1 (line 6)",
    "(assert (or\n (and (<= X_0 -1) (>= Y_0 1))\n (and (<= X_0 0.5) (>= Y_0 1))))": "a case has no input: X_0 >= 0 (line 5) and X_0 <= -1 (line 7)",
}  # fmt: skip


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_region_is_told_with_its_lines(text):
    found = read_vnnlib(HEAD + BOX + text + "\n(assert (>= Y_0 5))")
    assert found.empty == (EMPTY[text],) and len(found.cases) == (1 if "a case" in EMPTY[text] else 0)


@given(st.integers(0, 2**31))
def test_what_is_called_empty_holds_no_input(seed):
    """Of random boxes and rows: a point that satisfies all of them, and a file that asserts them, which is
    not called empty.
    """
    import random

    rng = random.Random(seed)
    point = [Fraction(rng.randrange(-8, 9), 8) for _ in range(2)]
    lines = [
        f"(assert (>= X_{i} {float(v - rng.randrange(3))}))(assert (<= X_{i} {float(v + rng.randrange(3))}))"
        for i, v in enumerate(point)
    ]
    for _ in range(rng.randrange(1, 6)):
        a, b = rng.randrange(-3, 4), rng.randrange(-3, 4)
        strict, room = rng.random() < 0.5, Fraction(rng.randrange(0, 3), 8)
        limit = a * point[0] + b * point[1] - room - (Fraction(1, 16) if strict else 0)
        lines.append(f"(assert ({'>' if strict else '>='} (+ (* {a} X_0) (* {b} X_1)) {float(limit)}))")
    found = read_vnnlib(HEAD + "\n".join(lines) + "(assert (>= Y_0 5))")
    assert not found.empty and len(found.cases) == 1


def test_many_empty_cases_are_a_few_lines():
    cases = "\n".join(f" (and (<= X_0 -{k}) (>= Y_0 {k}))" for k in range(1, 9))
    found = read_vnnlib(HEAD + BOX + f"(assert (or\n{cases}\n (and (<= X_0 1) (>= Y_0 1))))")
    assert len(found.cases) == 1 and len(found.empty) == 4 and found.empty[-1] == "5 more cases have no input"


# -- variables that cancel: what is asked is what is left


@pytest.mark.parametrize("operator", ["<=", ">=", "<", ">", "="])
@pytest.mark.parametrize("gone", ["X_0", "X_1", "Y_0", "Y_2"])
@pytest.mark.parametrize("left", ["1", "-1", "0", "X_0", "X_1", "Y_1", "(+ X_0 Y_1)", "(- X_1 X_0)"])
def test_a_variable_that_cancels_says_nothing(operator, gone, left):
    start = HEAD + "(declare-const Y_2 Real)\n" + BOX  # more outputs than inputs
    plain = read_vnnlib(start + f"(assert ({operator} {left} 0.5))(assert (>= Y_0 5))")
    for first, second in (
        (f"(- (+ {left} {gone}) {gone})", "0.5"),
        (f"(+ {left} {gone})", f"(+ {gone} 0.5)"),
        (f"(+ {left} (* 0 {gone}))", "0.5"),
        (f"(+ {left} (* (- 1 1) {gone}))", f"(- 0.5 (* 0.0 (- {gone})))"),
    ):
        assert read_vnnlib(start + f"(assert ({operator} {first} {second}))(assert (>= Y_0 5))") == plain


def test_no_linear_form_has_a_term_of_nothing():
    x, y, one = ("X", 0), ("Y", 0), Fraction(1)
    form = Linear({x: one, y: Fraction(0)}, one)
    assert form.terms == {x: one} and form == Linear({x: one}, one)
    assert form.plus(Linear({x: one}), -one).terms == {} and form.times(Fraction(0)) == Linear()
    assert form.plus(Linear({y: one}), Fraction(0)).terms == {x: one}
