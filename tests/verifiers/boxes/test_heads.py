"""Files that end in Softmax, Sigmoid, Tanh or ArgMax: verdicts against dense sampling, thresholds at the
edge, witnesses and proofs.
"""

from __future__ import annotations

import json
import time
from fractions import Fraction

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from relucid.cli.main import main
from relucid.models.claims.head_property import HeadProperty
from relucid.models.claims.head_rows import MOST_BITS
from relucid.models.claims.property import Case, Property, Row
from relucid.models.network.enclosures import exp, log
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.head import Wanted
from relucid.models.network.runtime import OnnxRuntime
from relucid.models.onnx.reader import read_onnx
from relucid.verifiers.boxes import heads
from relucid.verifiers.boxes.heads import TOO_CLOSE, decide_on_logits
from relucid.verifiers.boxes.options import BoxOptions
from relucid.verifiers.proof.boxes.checker import check_box_proof
from relucid.verifiers.proof.boxes.producer import proof_lines
from relucid.verifiers.proof.format import Rejected

INPUTS = 2
ENDS = {
    "softmax": (3, 3, "y = Softmax(z)"),
    "softmax of two": (2, 2, "y = Softmax(z)"),
    "log softmax": (3, 3, "y = LogSoftmax(z)"),
    "sigmoids": (2, 2, "y = Sigmoid(z)"),
    "tanh": (2, 2, "y = Tanh(z)"),
    "one minus p": (1, 2, "p = Sigmoid(z)\nq = Sub(one, p)\ny = Concat<axis=1>(q, p)"),
    "label": (3, 1, "s = Softmax(z)\nl = ArgMax<axis=1>(s)\ny = Cast<to=1>(l)"),
}


def network(end, rng):
    """x -> 5 ReLUs -> logits -> the ending, as the reader has it and as bytes."""
    logits, _, text = ENDS[end]
    arrays = {
        "a": rng.normal(size=(INPUTS, 5)), "c": rng.normal(size=5), "w": rng.normal(size=(5, logits)), "b": rng.normal(size=logits),
    }  # fmt: skip
    tensors = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in arrays.items()]
    tensors.append(numpy_helper.from_array(np.float32(1), "one"))
    nodes = [
        parser.parse_node(line)
        for line in f"g = Gemm(x, a, c)\nh = Relu(g)\nz = Gemm(h, w, b)\n{text}".splitlines()
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, INPUTS)),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()
    return read_onnx(data, origin="n", wanted=Wanted())


def samples(net, count=2500):
    side = int(count**0.5)
    grid = (
        np.stack(np.meshgrid(*[np.linspace(-1, 1, side)] * INPUTS), axis=-1)
        .reshape(-1, INPUTS)
        .astype(np.float32)
    )
    return OnnxRuntime(net).run(grid).astype(np.float64)


def stated(outputs, *polyhedra):
    box = (Fraction(-1),) * INPUTS, (Fraction(1),) * INPUTS
    return Property(INPUTS, outputs, (Case(*box, tuple(polyhedra)),))


def row(y, constant, strict=False):
    return Row((), tuple((j, Fraction(c)) for j, c in y if c), Fraction(constant), strict)


def decided(net, asked, seconds=20.0):
    return decide_on_logits(net, asked, BoxOptions(deadline=time.monotonic() + seconds))


def margins(asked, values):
    """Per sample, how far inside some polyhedron it is."""
    inside = []
    for rows in asked.cases[0].unsafe:
        each = [float(r.constant) + sum(float(c) * values[:, j] for j, c in r.y) for r in rows]
        inside.append(np.min(each, axis=0))
    return np.max(inside, axis=0)


def agrees(net, asked, values):
    answer, _ = decided(net, asked)
    best = margins(asked, values).max()
    if best > 1e-4:
        assert answer.outcome == "refuted", (answer, best)
    if answer.outcome == "refuted":
        witness = answer.counterexample
        shown = np.array([[float(Fraction(v)) for v in witness.output]])
        assert margins(asked, shown).max() > -1e-9
        np.testing.assert_allclose([float(v) for v in witness.runtime_output], shown[0], atol=1e-4)
    return answer.outcome


@pytest.mark.parametrize("end", ENDS)
def test_verdicts_agree_with_sampling(end):
    rng = np.random.default_rng(sorted(ENDS).index(end))
    verdicts = []
    for _ in range(10):
        net, outputs = network(end, rng), ENDS[end][1]
        values = samples(net)
        one = rng.integers(outputs)
        mean, spread = values[:, one].mean(), np.ptp(values[:, one]) + 1e-3
        limit = Fraction(float(mean + rng.uniform(-0.8, 0.8) * spread)).limit_denominator(10**6)
        sign = int(rng.choice([-1, 1]))
        rows = [row([(one, sign)], -sign * limit, strict=bool(rng.integers(2)))]
        if outputs > 1 and rng.random() < 0.6:
            other = (one + 1) % outputs
            rows.append(
                row(
                    [(other, 1), (one, -1)],
                    Fraction(int(rng.integers(-3, 4)), 10) if end not in ("log softmax",) else 0,
                )
            )
        polyhedra = [tuple(rows)] if rng.random() < 0.6 else [(r,) for r in rows]
        verdicts.append(agrees(net, stated(outputs, *polyhedra), values))
    assert {"proved", "refuted"} <= set(verdicts) and verdicts.count("unknown") <= 1, verdicts


@pytest.mark.parametrize("end", ["softmax", "softmax of two", "sigmoids", "tanh", "log softmax"])
@pytest.mark.parametrize("sign", [1, -1])
def test_thresholds_close_to_what_is_reached(end, sign):
    """The largest value, by sampling where the search says so: just above it is proved, just below it is
    refuted.
    """
    net = network(end, np.random.default_rng(8))
    outputs = ENDS[end][1]
    found = float(sign * (sign * samples(net)[:, 0]).max())
    for _ in range(60):  # up to the true extreme
        answer, _ = decided(net, stated(outputs, (row([(0, sign)], -sign * Fraction(found + sign * 1e-4)),)))
        if answer.outcome != "refuted":
            break
        found = float(Fraction(answer.counterexample.output[0]))
    assert answer.outcome == "proved"
    below, _ = decided(net, stated(outputs, (row([(0, sign)], -sign * Fraction(found - sign * 1e-5)),)))
    assert below.outcome == "refuted"


def test_cuts_are_what_decides_a_softmax_of_several(monkeypatch):
    """Without them the threshold would stay open, and is never said to be proved."""
    net = network("softmax", np.random.default_rng(8))
    high = samples(net)[:, 0].max()
    asked = stated(3, (row([(0, 1)], -Fraction(float(high) + 2e-3)),))
    answer, about = decided(net, asked)
    if not (answer.outcome == "proved" and about is not None and about.cuts):
        pytest.fail(f"the example takes no cuts: {answer}")
    assert answer.attempts[0].backend == "cuts" and answer.attempts[0].detail.endswith("points cut off")
    monkeypatch.setattr(HeadProperty, "refine", lambda *arguments: False)
    stuck, _ = decided(net, asked)
    assert (stuck.outcome, stuck.reason) == ("unknown", TOO_CLOSE)
    monkeypatch.undo()
    monkeypatch.setattr(heads, "MOST_ROUNDS", 1)
    assert decided(net, asked)[0].outcome == "unknown"


def test_rows_that_cannot_be_reduced_are_unknown_and_say_why():
    net = network("softmax", np.random.default_rng(1))
    mixed = Row(((0, Fraction(1)),), ((0, Fraction(1)),))
    answer, _ = decided(net, stated(3, (mixed,)))
    assert answer.outcome == "unknown" and "which is no comparison of logits" in answer.reason


def test_time_is_kept():
    net = network("softmax", np.random.default_rng(8))
    high = samples(net)[:, 0].max()
    answer, _ = decided(net, stated(3, (row([(0, 1)], -Fraction(float(high) + 1e-3)),)), seconds=-1.0)
    assert answer.outcome == "unknown" and answer.boxes.timeout


def test_proofs_are_about_the_threshold_that_is_asked():
    """A proof that Y_0 stays below one threshold is none that it stays below a lower one, whatever the
    digests say.
    """
    net = network("sigmoids", np.random.default_rng(8))
    high = float(samples(net)[:, 0].max())
    names = {"network": "n", "property": "p"}
    asked = {
        t: HeadProperty(stated(2, (row([(0, 1)], -Fraction(high + t)),)), net.head, net.output_size)
        for t in (1e-2, -1e-2)
    }
    lines = list(proof_lines(net, asked[1e-2].outer(), names, time.monotonic() + 20))
    assert check_box_proof(net, asked[1e-2].outer(), names, iter(lines)).leaves > 0
    with pytest.raises(Rejected):
        check_box_proof(net, asked[-1e-2].outer(), names, iter(lines))


def spec(asked):
    lines = [
        f"(declare-const {k}_{i} Real)"
        for k, n in (("X", asked.inputs), ("Y", asked.outputs))
        for i in range(n)
    ]
    lines += [f"(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(asked.inputs)]
    for r in asked.cases[0].unsafe[0]:
        terms = " ".join(f"(* {c.numerator}.0 Y_{j})" for j, c in r.y)
        lines.append(f"(assert (>= (+ {terms}) {float(-r.constant)!r}))")
    return "\n".join(lines)


@pytest.mark.parametrize("end", ["softmax of two", "sigmoids", "tanh", "label"])
def test_proofs_and_witnesses_are_checked_from_their_files(end, tmp_path, capsys):
    net, outputs = network(end, np.random.default_rng(4)), ENDS[end][1]
    (tmp_path / "n.onnx").write_bytes(net.source)
    values = samples(net)[:, 0]
    seen = {}
    for limit in (float(values.max()) + 0.05, float(values.max()) - 0.05):
        (tmp_path / "s.vnnlib").write_text(spec(stated(outputs, (row([(0, 1)], -Fraction(limit)),))))
        files = [str(tmp_path / name) for name in ("n.onnx", "s.vnnlib")]
        status = main(["verify", *files, "--proof", str(tmp_path / "proof"), "--json"])
        found = json.loads(capsys.readouterr().out)
        seen[found["verdict"]] = found["trust"]
        assert status in (0, 1) and main(["verify", *files, "--check", str(tmp_path / "proof")]) == 0
        assert capsys.readouterr().out.startswith("accepted: ")
    assert seen == {"proved": "checked", "refuted": None}


def test_aptp_says_that_it_cannot(tmp_path, capsys):
    net = network("sigmoids", np.random.default_rng(4))
    (tmp_path / "n.onnx").write_bytes(net.source)
    (tmp_path / "s.vnnlib").write_text(
        spec(stated(2, (row([(0, 1)], -Fraction(999, 1000)), row([(0, -1)], 0))))
    )
    files = [str(tmp_path / name) for name in ("n.onnx", "s.vnnlib")]
    assert main(["verify", *files, "--proof", str(tmp_path / "p"), "--format", "aptp"]) == 3
    assert (
        "APTP is about a ReLU network's outputs" in capsys.readouterr().out and not (tmp_path / "p").exists()
    )


def test_a_property_in_version_2_names_the_label(tmp_path, capsys):
    rng = np.random.default_rng(6)
    arrays = {"w": rng.normal(size=(2, 3)).astype(np.float32), "classes": np.array([3, 5, 9], dtype=np.int64)}
    text = (
        "z = MatMul(x, w)\np = Softmax(z)\na = ArgMax<axis=1>(p)\nlabel = ai.onnx.ml.ArrayFeatureExtractor(classes, a)\n"
        "maps = ai.onnx.ml.ZipMap<classlabels_int64s=[3,5,9]>(p)"
    )
    label = helper.make_tensor_value_info("label", TensorProto.INT64, None)
    floats = helper.make_map_type_proto(
        TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    maps = helper.make_value_info("maps", helper.make_sequence_type_proto(floats))
    graph = helper.make_graph(
        [parser.parse_node(line) for line in text.splitlines()], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2))],
        [label, maps], [numpy_helper.from_array(v, k) for k, v in arrays.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 3)]
    (tmp_path / "n.onnx").write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    grid = np.stack(np.meshgrid(*[np.linspace(0.25, 1, 60)] * 2), axis=-1).reshape(-1, 2)
    reached = {[3, 5, 9][k] for k in (grid @ arrays["w"]).argmax(axis=1)}
    for names in (("label", "Y"), ("A", "B")):  # by name, or by place
        for wanted in (3, 4, 5, 9):
            (tmp_path / "s.vnnlib").write_text(
                f"(vnnlib-version <2.0>)(declare-network n (declare-input X float32 [1,2])(declare-output {names[0]} int64 [1,1])"
                f"(declare-output {names[1]} float32 [1,3]))(assert (and (>= X[0,0] 0.25) (<= X[0,0] 1.0) (>= X[0,1] 0.25) (<= X[0,1] 1.0)))"
                f"(assert (== {names[0]}[0,0] {wanted}))"
            )
            assert main(["verify", str(tmp_path / "n.onnx"), str(tmp_path / "s.vnnlib")]) == (
                wanted in reached
            ), (names, wanted)
            first = capsys.readouterr().out.split()[0]
            assert first == ("sat" if wanted in reached else "unsat")
    assert 0 < len(reached) < 3


@pytest.mark.parametrize("bits", [300, 3 * MOST_BITS // 2])
def test_a_threshold_that_is_the_result_as_far_as_bits_tell_is_left_open(bits):
    """On a box of one point: ln of a share, known to so many bits, from below and from above."""
    net = network("log softmax", np.random.default_rng(3))
    point = (Fraction(1, 2), Fraction(-1, 4))
    logits = exact_outputs(net, point)
    sums = [sum(ends) for ends in zip(*(exp(z - logits[0], bits) for z in logits), strict=True)]
    low, high = -log(sums[1], bits)[1], -log(sums[0], bits)[0]
    for threshold, word in ((low, "refuted"), (high, "proved")):
        answer, _ = decided(net, Property(INPUTS, 3, (Case(point, point, ((row([(0, 1)], -threshold),),)),)))
        assert answer.outcome in (("unknown", word) if bits < MOST_BITS else ("unknown",)), (
            bits,
            word,
            answer.reason,
        )
        assert bits < MOST_BITS or "bits tell" in answer.reason
