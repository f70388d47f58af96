"""Random graphs with odd attributes: our reader against onnxruntime and the reference evaluator
(`fuzz/onnx_graphs.py`).
"""

from collections import Counter

import numpy as np
import pytest
from fuzz.onnx_graphs import MAKERS, differences, random_model
from onnx import TensorProto
from relucid.common.errors import InputError
from relucid.models.onnx.operators.shapes import slice_of
from relucid.models.onnx.reader import REGISTRY, read_onnx

GRAPHS = 60


@pytest.mark.parametrize("batch", range(5))
def test_random_graphs_are_read_as_they_run_or_refused(batch):
    for seed in range(batch * GRAPHS, (batch + 1) * GRAPHS):
        rng = np.random.default_rng(seed)
        found = differences(random_model(rng), rng)
        assert found is None, f"seed {seed}: {found}"


def test_the_generator_knows_every_operator_and_most_graphs_are_read():
    assert {name for name in REGISTRY.plain if "." not in name} <= set(MAKERS)  # of the default domain
    drawn, read = Counter(), 0
    for seed in range(400):
        model = random_model(np.random.default_rng(seed))
        entry = model.graph.input[0].type.tensor_type
        ids = entry.elem_type == TensorProto.INT64
        size = (
            {"positions": entry.shape.dim[1].dim_value, "alphabet": int(model.metadata_props[0].value)}
            if ids
            else {}
        )
        drawn.update(node.op_type for node in model.graph.node)
        try:
            read += bool(read_onnx(model.SerializeToString(), origin="n", **size))
        except InputError:
            continue
    assert read > 200 and len(drawn) > 40


def test_a_reader_that_slices_like_python_is_caught(monkeypatch):
    def python_slice(call):
        x = call.input(0)
        if call.opset < 10 or call.optional(4) is None:
            return slice_of(call)
        cut = [slice(None)] * len(x.shape)
        for start, end, axis, step in zip(
            *(call.known(i, "them").integers() for i in range(1, 5)), strict=True
        ):
            cut[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
        return x.rearranged(lambda i: i[tuple(cut)])

    monkeypatch.setitem(REGISTRY.plain, "Slice", python_slice)

    def caught(seed):
        rng = np.random.default_rng(seed)
        return differences(random_model(rng), rng)

    assert any(caught(seed) for seed in range(3000))
