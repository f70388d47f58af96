"""Points that are replayed lie in the box as it is written, in the file's own numbers where it holds any, and
nothing infinite is among them.
"""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper, parser
from relucid.models.claims.onnx_inputs import compare_on_boxes
from relucid.models.claims.property import Case, Property, Row
from relucid.models.claims.vnnlib import read_vnnlib
from relucid.models.network.exact_point import exact_outputs
from relucid.models.onnx.reader import trace_onnx
from relucid.reports.verdicts import witness_text
from relucid.verifiers.boxes.against import decide_against
from relucid.verifiers.boxes.agreement import decide_same_label
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.race.replay_points import PointReplayer, clamped, inside

TYPES = {np.float16: TensorProto.FLOAT16, np.float32: TensorProto.FLOAT, np.float64: TensorProto.DOUBLE}
ONE = Fraction(1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6), st.floats(0, 1))
def test_a_point_is_moved_into_the_decimal_box(dtype, low, width, share):
    lower, upper = Fraction(low, 10**5), Fraction(low + width, 10**5)
    case = Case((lower,) * 3, (upper,) * 3, ())
    points = np.array([float(lower), float(lower + (upper - lower) * Fraction(share)), float(upper)])
    typed = inside(case, points, np.dtype(dtype))
    assert typed.dtype == dtype
    if width >= 10:  # the box holds such numbers
        assert case.contains([Fraction(float(v)) for v in typed])
    assert case.contains(clamped(case, [Fraction(float(v)) for v in typed]))


def test_where_the_box_holds_no_such_number_it_is_the_nearest():
    third = Fraction(1, 3)
    case = Case((third,), (third,), ())
    assert inside(case, np.array([1 / 3]), np.dtype(np.float32)) == np.float32(1 / 3)
    assert clamped(case, [Fraction(float(np.float32(1 / 3)))]) == [third]


# -- beyond the largest number of the file's type


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_beyond_the_type_becomes_its_largest(dtype, sign):
    top = Fraction(float(np.finfo(dtype).max))
    for low, high in (
        (2 * top, 4 * top),
        (-4 * top, 4 * top),
        (top, 4 * top),
        (top / 2, 4 * top),
        (top + 1, top + 1),
    ):
        ends = sorted((sign * low, sign * high))
        case = Case((ends[0],) * 2, (ends[1],) * 2, ())
        typed = inside(case, np.array([sign * float(4 * top), sign * float(top)]), np.dtype(dtype))
        assert typed.dtype == dtype and [Fraction(float(v)) for v in typed] == [sign * top] * 2


def test_a_point_that_is_no_number_is_no_counterexample():
    net = copies(np.float32)
    case = Case((-ONE,), (ONE,), ((Row((), ((0, ONE),)),),))
    found = PointReplayer(net).first(case, np.array([[np.nan], [np.inf], [-np.inf], [0.5]]))
    assert found is not None and found.input == (Fraction(1, 2),)


def read(dtype, bias=0.0):
    """x, and max(0, x) + bias, of that type."""
    text = "n = Neg(x)\np = Relu(x)\nm = Relu(n)\nd = Sub(p, m)\nq = Add(p, c)\ny = Concat<axis=1>(d, q)"
    ends = [
        helper.make_tensor_value_info(name, TYPES[dtype], (1, size)) for name, size in (("x", 1), ("y", 2))
    ]
    constants = [numpy_helper.from_array(np.array([bias], dtype=dtype), "c")]
    graph = helper.make_graph(
        [parser.parse_node(line) for line in text.splitlines()], "g", ends[:1], ends[1:], constants
    )
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()
    return trace_onnx(data, origin="n", real_size=1)


def copies(dtype, bias=0.0):
    return read(dtype, bias).network


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("low", ["{top}", "-{top}", "0", "{more}"])
@pytest.mark.parametrize(
    "row",
    ["(>= Y_0 {more})", "(>= Y_1 {beyond})", "(>= Y_0 1)", "(<= Y_0 -1)", "(> Y_0 {beyond})", "(< Y_1 0)"],
)
def test_boxes_beyond_the_type_are_decided(dtype, low, row):
    """From somewhere to three times the largest number of the type: the verdict is the true one, and what
    onnxruntime was given is said.
    """
    top = Fraction(float(np.finfo(dtype).max))
    numbers = {"top": int(top), "more": int(2 * top), "beyond": int(3 * top)}
    box = f"(assert (>= X_0 {low}))(assert (<= X_0 {{beyond}}))"
    text = (
        "(declare-const X_0 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)" + box + f"(assert {row})"
    )
    stated = read_vnnlib(text.format(**numbers), origin="p")
    reading = read(dtype)
    assert compare_on_boxes(reading, stated.cases, time.monotonic() + 60) == ""
    answer = decide(reading.network, stated, BoxOptions(deadline=time.monotonic() + 20))
    holds = row not in ("(> Y_0 {beyond})", "(< Y_1 0)") and (row != "(<= Y_0 -1)" or low == "-{top}")
    assert answer.outcome == ("refuted" if holds else "proved"), answer
    if holds:
        w = answer.counterexample
        inputs = [Fraction(v) for v in w.input]
        assert stated.witnesses(inputs, exact_outputs(reading.network, inputs))
        assert (w.runtime_output is None) == (abs(inputs[0]) > top)
        said = f"no {np.dtype(dtype)} is as large as the counterexample: it is replayed exactly, but not in onnxruntime"
        assert answer.warnings == ((said,) if w.runtime_output is None else ())
        kind = np.float64 if w.runtime_output is None else dtype
        shown = Fraction(float(kind(witness_text(w).split("(X_0 ")[1].split(")")[0])))
        assert stated.cases[0].contains([shown]) and Fraction(w.distance) == abs(shown - inputs[0])
        assert row not in ("(>= Y_0 {more})", "(>= Y_1 {beyond})") or w.runtime_output is None


@pytest.mark.parametrize(
    ("first", "second"), [(np.float32, np.float32), (np.float32, np.float16), (np.float64, np.float16)]
)
@pytest.mark.parametrize("low", [-3, 1, 2])
def test_two_networks_beyond_the_smaller_type(first, second, low):
    """They differ by a quarter of its largest number, and no point of some of these boxes is a number of both
    types.
    """
    top = Fraction(float(np.finfo(second).max))
    a, b = copies(first), copies(second, -float(top / 4))
    asked = Property(1, 2, (Case((low * top,), (3 * top,), ()),))
    for epsilon, verdict in ((None, "proved"), (top / 8, "refuted")):
        found = decide_against(a, b, asked, epsilon, BoxOptions(deadline=time.monotonic() + 10))
        assert found.outcome == verdict, (epsilon, found)
        point = found.boxes.point if verdict == "proved" else found.counterexample
        assert all(np.isfinite(float(v)) for v in point.runtime_input)
        assert low < 2 or point.runtime_output is None
    labels = decide_same_label(a, b, asked, BoxOptions(deadline=time.monotonic() + 2))
    assert labels.outcome in (("refuted",) if low < 0 else ("proved", "unknown")), labels


@pytest.mark.parametrize(
    ("epsilon", "verdict"),
    [(Fraction(10) ** 400, "unknown"), (Fraction(1, 10**400), "refuted"), (Fraction(0), "refuted")],
)
def test_an_epsilon_beyond_floats_is_told(epsilon, verdict):
    asked = Property(1, 2, (Case((-ONE,), (ONE,), ()),))
    found = decide_against(
        copies(np.float32),
        copies(np.float32, 1.0),
        asked,
        epsilon,
        BoxOptions(deadline=time.monotonic() + 10),
    )
    assert found.outcome == verdict and (
        verdict == "refuted" or found.reason == "a number of the property is far beyond float64"
    )
