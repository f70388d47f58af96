"""Sparse matrices (large convolutions): the same network, the same bounds, the same verdicts as with dense
ones; and large files.
"""

from __future__ import annotations

import json
import time
from fractions import Fraction

import numpy as np
import pytest
from box_truth import ENGINES, alone, random_network, random_property
from hypothesis import given
from hypothesis import strategies as st
from in_process import relucid
from onnx import TensorProto, helper, numpy_helper
from relucid.common.errors import TooLarge
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.integers import integer_array
from relucid.models.network.network import Affine, Network, Relu, SparseMatrix
from relucid.models.network.runtime import OnnxRuntime
from relucid.models.network.stacked import same_nodes
from relucid.models.onnx import builder
from relucid.models.onnx.reader import load_onnx, read_onnx
from relucid.verifiers.bounds.floats import float_network
from relucid.verifiers.bounds.matrices import SparseFloats
from relucid.verifiers.bounds.subdomains import BoxSubdomains
from relucid.verifiers.bounds.tighten import tightened
from relucid.verifiers.bounds.unsafe_rows import UnsafeRows
from relucid.verifiers.boxes.compare import compare
from relucid.verifiers.boxes.decide import decide
from relucid.verifiers.boxes.options import BoxOptions


def sparse(matrix: np.ndarray) -> SparseMatrix:
    rows, columns = np.nonzero(matrix)
    return SparseMatrix(matrix.shape, rows, columns, matrix[rows, columns])


def sparsified(network: Network) -> Network:
    nodes = [
        n if isinstance(n, Relu) else Affine(n.sources, tuple(map(sparse, n.weights)), n.bias, n.denominator)
        for n in network.nodes
    ]
    return Network(network.input_size, tuple(nodes), network.encoding, network.source)


@given(st.integers(0, 10**6))
def test_values_and_bounds_are_those_of_the_dense_network(seed):
    rng = np.random.default_rng(seed)
    dense = random_network(rng, int(rng.integers(1, 4)), scale=float(2.0 ** rng.integers(-3, 14)))
    other = sparsified(dense)
    for n, m in zip(dense.nodes, other.nodes, strict=True):
        assert isinstance(n, Relu) or all(
            np.array_equal(u, v) for u, v in zip(n.weights, m.weights, strict=True)
        )
    case = random_property(rng, dense).cases[0]
    point = tuple((2 * a + b) / 3 for a, b in zip(case.lower, case.upper, strict=True))
    assert exact_outputs(dense, point) == exact_outputs(other, point)
    bounds = []
    for network in (dense, other):
        net = float_network(network, case.lower, case.upper)
        box = BoxSubdomains.whole(net)
        found, _ = UnsafeRows.of(net, case.unsafe).bound(net, box, tightened(net, box).relaxations)
        bounds.append((found, box.lower, box.upper, *net.slack))
    for row, most in zip((r for p in case.unsafe for r in p), bounds[1][0][0].tolist(), strict=True):
        assert row.value(point, exact_outputs(dense, point)) <= Fraction(most)
    for u, v in zip(*bounds, strict=True):
        assert np.allclose(u, v, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(u).max(initial=0))))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(6))
def test_verdicts_are_those_of_the_dense_network(monkeypatch, engine, seed):
    backend = alone(monkeypatch, engine)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        dense = random_network(rng, 2)
        stated = random_property(rng, dense)
        verdicts = {
            decide(n, stated, BoxOptions(deadline=time.monotonic() + 2, backend=backend)).outcome
            for n in (dense, sparsified(dense))
        }
        assert len(verdicts) == 1


def test_a_product_leaves_out_what_is_zero_and_nothing_else():
    rng = np.random.default_rng(0)
    dense = rng.normal(0, 1, (40, 30)) * (rng.random((40, 30)) < 0.2)
    w = SparseFloats.of((40, 30), *np.nonzero(dense), dense[np.nonzero(dense)])
    for few in (1, 10, 40):
        a = np.zeros((7, 40))
        a[:, rng.permutation(40)[:few]] = rng.normal(0, 1, (7, few))
        assert np.allclose(a @ w, a @ dense)
    x = rng.normal(0, 1, (30, 3))
    assert (
        np.allclose(w @ x, dense @ x)
        and np.allclose(x.T @ w.T, x.T @ dense.T)
        and np.allclose(abs(w) @ x, np.abs(dense) @ x)
    )
    assert np.array_equal(w[np.array([3, 0])], dense[[3, 0]]) and w.size == np.count_nonzero(dense)


def test_two_sparse_networks_are_compared():
    rng = np.random.default_rng(2)
    a, b = random_network(rng, 2), random_network(rng, 2)
    while a.sizes != b.sizes or len(a.nodes) != len(b.nodes):
        b = random_network(rng, 2)
    box = [Fraction(-1)] * 2, [Fraction(1)] * 2
    dense, other = (compare(x, y, *box, deadline=0.0) for x, y in ((a, b), (sparsified(a), sparsified(b))))
    assert other.bound == pytest.approx(dense.bound, rel=1e-9)
    assert compare(a, sparsified(b), *box, deadline=0.0).bound == pytest.approx(dense.bound, rel=1e-9)
    assert same_nodes(sparsified(a), sparsified(a)) and not same_nodes(sparsified(a), sparsified(b))


def images(
    shape=(3, 32, 32), channels=(16, 16, 32, 32), strides=(1, 2, 1, 2), seed=0, batch_norm=True
) -> bytes:
    """Convolutions of 3 x 3, a batch normalisation, a residual add, max pooling, and two dense layers."""
    rng = np.random.default_rng(seed)
    nodes, stored, before, (c, h, _) = [], [], "x", shape

    def store(name, array):
        stored.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    for i, (made, stride) in enumerate(zip(channels, strides, strict=True)):
        w = store(f"w{i}", rng.normal(0, 1.2 / np.sqrt(9 * c), (made, c, 3, 3)))
        b = store(f"b{i}", rng.normal(0, 0.1, made))
        nodes.append(
            helper.make_node(
                "Conv", [before, w, b], [f"c{i}"], kernel_shape=[3, 3], pads=[1] * 4, strides=[stride] * 2
            )
        )
        name = f"c{i}"
        if batch_norm and i == 1:
            more = [store(f"n{k}", np.abs(rng.normal(1, 0.1, made))) for k in range(4)]
            nodes.append(helper.make_node("BatchNormalization", [name, *more], ["n"]))
            name = "n"
        if c == made and stride == 1:
            nodes.append(helper.make_node("Add", [name, before], [f"s{i}"]))
            name = f"s{i}"
        nodes.append(helper.make_node("Relu", [name], [f"r{i}"]))
        before, c, h = f"r{i}", made, (h - 1) // stride + 1
    nodes.append(helper.make_node("MaxPool", [before], ["p"], kernel_shape=[2, 2], strides=[2, 2]))
    nodes.append(helper.make_node("Flatten", ["p"], ["f"]))
    size, before = c * (h // 2) ** 2, "f"
    for i, made in enumerate((32, 10)):
        w, b = (
            store(f"v{i}", rng.normal(0, 1 / np.sqrt(size), (made, size))),
            store(f"d{i}", rng.normal(0, 0.1, made)),
        )
        nodes.append(helper.make_node("Gemm", [before, w, b], [f"g{i}"], transB=1))
        if made != 10:
            nodes.append(helper.make_node("Relu", [f"g{i}"], ["h"]))
        before, size = "h", made
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *shape]),
        helper.make_tensor_value_info("g1", TensorProto.FLOAT, [1, 10]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], stored)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()


def test_the_reader_makes_the_same_matrices_sparse(monkeypatch):
    data = images((2, 6, 6), (3, 3, 3), (1, 1, 2))
    dense = read_onnx(data, origin="net")
    monkeypatch.setattr(builder, "SPARSE_FROM", 16)
    other = read_onnx(data, origin="net", real_size=72)
    assert any(isinstance(m, SparseMatrix) for n in other.nodes if isinstance(n, Affine) for m in n.matrices)
    point = [Fraction(int(v), 8) for v in np.random.default_rng(0).integers(0, 9, 72)]
    assert exact_outputs(dense, point) == exact_outputs(other, point)
    assert not any(
        isinstance(m, SparseMatrix) for n in dense.nodes if isinstance(n, Affine) for m in n.matrices
    )


def test_entries_over_limits_are_too_large(monkeypatch):
    monkeypatch.setattr(builder, "MAX_ALL_WEIGHTS", 2**18)
    with pytest.raises(ValueError, match="entries in all"):
        read_onnx(images(), origin="net", real_size=3072)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """About 35,000 ReLUs, and a box around an image for which the largest output is asked for."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "net.onnx").write_bytes(images())
    network = load_onnx(folder / "net.onnx", real_size=3072)
    image = np.round(np.random.default_rng(1).random(3072), 3)
    out = OnnxRuntime(network).run(image[None].astype(np.float32))[0]
    exact = exact_outputs(network, [Fraction(float(v)) for v in image.astype(np.float32)])
    assert network.relu_count > 25_000 and np.allclose([float(v) for v in exact], out, atol=1e-5)
    best = int(out.argmax())
    for name, radius in (("near", 0.0005), ("far", 0.25)):
        head = [
            f"(declare-const X_{i} Real)(assert (>= X_{i} {v - radius:.6f}))(assert (<= X_{i} {v + radius:.6f}))"
            for i, v in enumerate(image)
        ]
        head += [f"(declare-const Y_{j} Real)" for j in range(10)]
        head.append(f"(assert (or {' '.join(f'(and (>= Y_{j} Y_{best}))' for j in range(10) if j != best)}))")
        (folder / f"{name}.vnnlib").write_text("\n".join(head))
    return folder


def run(folder, stated, *more):
    return json.loads(relucid("verify", "net.onnx", stated, "--json", *more, cwd=folder).stdout)


def test_a_large_convolution_is_decided(large):
    found = run(large, "far.vnnlib", "--timeout", "60")
    assert found["word"] == "sat" and found["peak_mb"] < 1500


def test_a_large_convolution_over_the_memory_limit_is_unknown(large):
    found = run(large, "near.vnnlib", "--timeout", "60", "--memory", "150")
    assert found["word"] == "unknown" and found["reason"] == "it needs more memory than the limit of 150 MB"


@pytest.mark.slow
def test_a_large_convolution_is_proved(large):
    found = run(large, "near.vnnlib", "--timeout", "90")
    assert found["word"] == "unsat" and found["peak_mb"] < 1500


def test_writing_out_a_large_sparse_matrix_is_refused():
    entry = np.array([0])
    node = Affine(
        (0,),
        (SparseMatrix((2**14, 2**13), entry, entry, integer_array([1])),),
        integer_array(np.zeros(2**14, dtype=np.int64)),
    )
    with pytest.raises(TooLarge, match="has a layer whose matrices have 134217728 entries"):
        node.weights  # noqa: B018


def test_a_point_of_a_large_network_is_exact():
    """Integers far beyond float64, entry by entry."""
    big = 2**80 + 1
    matrix = SparseMatrix((2, 3), np.array([0, 1, 1]), np.array([0, 0, 2]), integer_array([big, 1, -big]))
    network = Network(3, (Affine((0,), (matrix,), integer_array([0, 1])),), "real")
    assert exact_outputs(network, [Fraction(1), Fraction(5), Fraction(1)]) == (big, 2 - big)
