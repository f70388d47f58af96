"""../shared/cases of files that were refused although they are piecewise linear up to their last operator:
read, decided, and as onnxruntime says.
"""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from relucid.cli.main import main

CASES = Path(__file__).parents[1].parent / "shared" / "cases"
LINEAR, SKLEARN, LAST = (CASES / name for name in ("linear_ops_refused", "sklearn", "last_softmax_sigmoid"))
RADIUS = 0.3
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not there")


def verify(capsys, network, spec):
    status = main(["verify", str(network), str(spec), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert status == {"proved": 0, "refuted": 1}.get(found["verdict"], 3)
    return found


def sampled(network, output=None, count=3000):
    """(inputs, outputs) in onnxruntime: corners where there are few, and random points of the box."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(network), options)
    entry = session.get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in entry.shape]
    size = math.prod(shape)
    points = np.random.default_rng(0).uniform(-RADIUS, RADIUS, (count, size)).astype(np.float32)
    if size <= 10:
        points[: 2**size] = list(itertools.product([-RADIUS, RADIUS], repeat=size))
    got = [
        np.asarray(session.run([output] if output else None, {entry.name: p.reshape(shape)})[0]).reshape(-1)
        for p in points
    ]
    return points, np.array(got, dtype=np.float64)


def spec(path, inputs, outputs, unsafe):
    lines = [
        f"(declare-const X_{i} Real)(assert (>= X_{i} -{RADIUS}))(assert (<= X_{i} {RADIUS}))"
        for i in range(inputs)
    ]
    path.write_text(
        "\n".join([*lines, *(f"(declare-const Y_{j} Real)" for j in range(outputs)), f"(assert {unsafe})"])
    )
    return path


def as_onnxruntime_has_it(capsys, network, place, output=None):
    """A threshold below what onnxruntime gives for the first output is refuted, one far above what it gives
    for the last is proved.
    """
    points, values = sampled(network, output)
    high, spread = values.max(axis=0), np.ptp(values, axis=0)
    below = f"(>= Y_0 {high[0] - 0.01 * spread[0]:.9f})"
    found = verify(capsys, network, spec(place / "below.vnnlib", points.shape[1], values.shape[1], below))
    assert found["verdict"] == "refuted"
    witness = found["witness"]
    np.testing.assert_allclose(
        [float(v) for v in witness["runtime_output"]],
        [float(number(v)) for v in witness["output"]],
        atol=1e-4,
    )
    above = f"(>= Y_{len(high) - 1} {high[-1] + spread[-1]:.9f})"
    far = spec(place / "above.vnnlib", points.shape[1], values.shape[1], above)
    assert verify(capsys, network, far)["verdict"] == "proved"


def number(text):
    top, _, bottom = text.partition("/")
    return int(top) / int(bottom or 1)


@pytest.mark.parametrize("path", sorted(LINEAR.glob("*.onnx")), ids=lambda p: p.stem)
def test_linear_operators(path, tmp_path, capsys):
    as_onnxruntime_has_it(capsys, path, tmp_path)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("act_hardsigmoid_legacy", "refuted"), ("einsum_legacy", "refuted"), ("weightnorm_legacy", "proved")],
)
def test_the_property_beside_them(name, verdict, capsys):
    """It is about three inputs and two outputs; of the networks that have these."""
    assert verify(capsys, LINEAR / f"{name}.onnx", LINEAR / "spec.vnnlib")["verdict"] == verdict
    reached = sampled(LINEAR / f"{name}.onnx")[1][:, 0].max() >= 0.685877085
    assert reached == (verdict == "refuted")


@pytest.mark.parametrize("name", ["convt_legacy", "quant_weightonly", "upsample_legacy"])
def test_the_property_beside_them_does_not_fit_the_others(name, capsys):
    assert main(["verify", str(LINEAR / f"{name}.onnx"), str(LINEAR / "spec.vnnlib")]) == 2
    assert "has 3 inputs, the network has" in capsys.readouterr().err


def test_show_says_what_comes_after_the_logits(capsys):
    path = LAST / "keras_softmax.onnx"
    assert main(["show", str(path)]) == 0
    out = capsys.readouterr().out
    assert "4 values -> 8 -> 3; 8 ReLUs; then Softmax\n" in out
    assert main(["show", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["head"] == ["Softmax"]


@pytest.mark.parametrize("name", ["skl_linreg", "skl_pipe_reg"])
def test_regressors_of_scikit_learn(name, tmp_path, capsys):
    as_onnxruntime_has_it(capsys, SKLEARN / f"{name}.onnx", tmp_path)
    assert verify(capsys, SKLEARN / f"{name}.onnx", SKLEARN / "spec.vnnlib")["verdict"] == "proved"
    assert sampled(SKLEARN / f"{name}.onnx")[1].max() < 2.315969467


@pytest.mark.parametrize(("name", "label"), [("skl_clf3", "output_label"), ("skl_clf3_nozip", "label")])
def test_classifiers_of_scikit_learn(name, label, tmp_path, capsys):
    """VNN-LIB 1.0 speaks of the probabilities; 2.0 names the output it speaks of."""
    path = SKLEARN / f"{name}.onnx"
    _, values = sampled(SKLEARN / "skl_clf3_nozip.onnx", "probabilities")
    for j in range(3):
        high = values[:, j].max()
        limit, verdict = ((high - 0.01, "refuted"), (high + 0.1, "proved"))[j % 2]
        stated = spec(tmp_path / "s.vnnlib", 4, 3, f"(>= Y_{j} {limit:.9f})")
        assert verify(capsys, path, stated)["verdict"] == verdict
    _, labels = sampled(path, label)
    box = "".join(f"(assert (>= X[0,{i}] -{RADIUS}))(assert (<= X[0,{i}] {RADIUS}))" for i in range(4))
    for k in range(3):
        declared = f"(declare-input X float32 [1,4])(declare-output {label} int64 [1])"
        (tmp_path / "s.vnnlib").write_text(
            f"(vnnlib-version <2.0>)(declare-network n {declared}){box}(assert (== {label}[0] {k}))"
        )
        assert verify(capsys, path, tmp_path / "s.vnnlib")["verdict"] == (
            "refuted" if k in labels else "proved"
        )
    assert main(["verify", str(path), str(SKLEARN / "spec.vnnlib")]) == 2
    assert "has 1 outputs, the network has 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "name"),
    [
        ("keras_softmax", "softmax_order"),
        ("keras_softmax", "softmax_threshold"),
        ("keras_sigmoid", "sigmoid"),
    ],
)
def test_the_last_softmax_or_sigmoid(network, name, tmp_path, capsys):
    path = LAST / f"{network}.onnx"
    found = verify(capsys, path, LAST / f"{name}.vnnlib")
    assert found["verdict"] == "refuted"
    shares = [float(v) for v in found["witness"]["runtime_output"]]
    np.testing.assert_allclose([number(v) for v in found["witness"]["output"]], shares, atol=1e-6)
    limit = {"softmax_order": shares[-2:][0], "softmax_threshold": 0.352726638, "sigmoid": 0.575235367}[name]
    assert shares[0] >= limit
    as_onnxruntime_has_it(capsys, path, tmp_path)
