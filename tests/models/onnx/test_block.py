"""Blocks of a network's outputs, as networks of their own: what the reader and onnxruntime make of them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from relucid.common.errors import InputError
from relucid.models.claims.domain import Domain
from relucid.models.network.network import Network, feed_forward
from relucid.models.network.runtime import OnnxRuntime
from relucid.models.onnx.block import blocks
from relucid.models.onnx.reader import load_onnx

DOMAIN = Domain(("a", "b", "c"), 4, 4)
SIZE = {"positions": 4, "alphabet": 3}
WORDS = np.array(list(itertools.product(range(3), repeat=4)))


def embedding(path: Path, *, opset: int, ir: int, batch: int | str, names: str = "t") -> Network:
    """Ids, an embedding, and two layers at each position: outputs [1, positions, labels]."""
    rng = np.random.default_rng(opset)
    table, first, second = (rng.integers(-3, 4, s).astype(np.float32) for s in ((3, 2), (2, 5), (5, 2)))
    tensors = [numpy_helper.from_array(t, f"{names}{i}") for i, t in enumerate((table, first, second))]
    nodes = [
        helper.make_node("Gather", [f"{names}0", "ids"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", f"{names}1"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", f"{names}2"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [batch, 4])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [batch, 4, 2])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    onnx.save(model, path)
    return load_onnx(path, **SIZE)


@pytest.mark.parametrize(
    ("opset", "ir", "batch", "names"),
    [(13, 8, 1, "t"), (7, 4, 1, "t"), (18, 9, "n", "t"), (13, 8, 1, "block")],
)
def test_blocks_of_ids_networks(opset: int, ir: int, batch: int | str, names: str, tmp_path: Path) -> None:
    whole = embedding(tmp_path / "m.onnx", opset=opset, ir=ir, batch=batch, names=names)
    expected = whole.evaluate(DOMAIN.one_hot(WORDS))
    for i in range(4):
        part = blocks(whole, 2, **SIZE)(i)
        rows = expected[:, 2 * i : 2 * i + 2] * (part.scale // whole.scale)
        assert part.encoding == "ids" and part.output_size == 2
        assert (part.evaluate(DOMAIN.one_hot(WORDS)) == rows).all()
        assert (OnnxRuntime(part).run_words(DOMAIN, WORDS) * part.scale == rows).all()


def test_what_a_block_does_not_need_is_not_in_it() -> None:
    """An unrolled network: later positions are nothing to an earlier label."""
    made = feed_forward([(np.eye(12), np.zeros(12)), (np.eye(12), np.zeros(12))])
    digests = {blocks(made, 3, **SIZE)(i).digest for i in range(4)}
    assert len(digests) == 4
    once = blocks(made, 3, **SIZE)(0)
    twice = blocks(once, 3, **SIZE)(0)
    assert twice.digest == once.digest and "block_0" in str(onnx.load_model_from_string(twice.source).graph)


def test_bytes_of_another_network_are_refused(tmp_path: Path) -> None:
    """The blocks are read from the file, so it has to be the network's own."""
    whole = embedding(tmp_path / "m.onnx", opset=13, ir=8, batch=1)
    other = embedding(tmp_path / "o.onnx", opset=14, ir=8, batch=1)
    with pytest.raises(InputError, match="its ONNX bytes are those of another network"):
        blocks(replace(whole, source=other.source), 2, **SIZE)
