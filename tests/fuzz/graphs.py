"""Random ONNX graphs with odd attributes, opset 7 and newer: our reader against onnxruntime and against
onnx's reference evaluator.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import shape_inference

from .onnx_graphs import NOBODY, differences, random_model
from .registry import Case, Counts


def cases(rng: random.Random) -> Iterator[Case]:
    while True:
        seed = rng.getrandbits(32)
        model = random_model(np.random.default_rng(seed))
        yield {"model": base64.b64encode(model.SerializeToString()).decode(), "seed": seed}


def problem(case: Case, counts: Counts) -> str | None:
    model = onnx.ModelProto.FromString(base64.b64decode(case["model"]))
    said = differences(model, np.random.default_rng(case["seed"]))
    for node in model.graph.node:
        counts[node.op_type, "nodes"] += 1
    if said is not None and said.startswith(
        NOBODY
    ):  # no wrong answer: whoever asks about it is told that nothing was compared
        counts["graphs", "run by nobody"] += 1
        return None
    counts["graphs", "compared"] += 1
    return said


def smaller(case: Case) -> Iterator[Case]:
    """The graph up to an earlier tensor."""
    model = onnx.ModelProto.FromString(base64.b64decode(case["model"]))
    try:
        known = {v.name: v for v in shape_inference.infer_shapes(model).graph.value_info}
    except Exception:
        return
    for node in model.graph.node[:-1]:
        for name in node.output:
            if name in known:
                yield {
                    **case,
                    "model": base64.b64encode(up_to(model, known[name]).SerializeToString()).decode(),
                }


def up_to(model: onnx.ModelProto, output: onnx.ValueInfoProto) -> onnx.ModelProto:
    needed, used = {output.name}, []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            used.append(node)
            needed.update(node.input)
    out = onnx.ModelProto()
    out.CopyFrom(model)
    del out.graph.node[:], out.graph.output[:]
    out.graph.node.extend(reversed(used))
    out.graph.output.append(output)
    stored = [t for t in out.graph.initializer if t.name in needed]
    del out.graph.initializer[:]
    out.graph.initializer.extend(stored)
    return out
