"""Operators with random attributes, odd ones among them, against onnxruntime: what is read is what it
computes; it may be refused, with a reason.
"""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference
from relucid.common.errors import InputError
from relucid.models.network.exact_point import exact_outputs
from relucid.models.network.runtime import OnnxRuntime, RuntimeUnavailable
from relucid.models.onnx.operators.resize import NEAREST, WHERE
from relucid.models.onnx.reader import read_onnx


def model(node, shape, constants, opset):
    """A graph of one node that reads x, and a sum, so that constants come out as well."""
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return shape_inference.infer_shapes(made).SerializeToString()


def resize(rng):
    opset = rng.choice([11, 13, 18, 19, 21])
    shape = [rng.randint(1, 7) for _ in range(rng.randint(1, 4))]
    modes = [
        m
        for m in WHERE
        if (opset >= 19 or m != "half_pixel_symmetric") and (opset < 13 or m != "tf_half_pixel_for_nn")
    ]
    mode = rng.choice(modes)
    attributes = {
        "mode": "nearest",
        "coordinate_transformation_mode": mode,
        "nearest_mode": rng.choice(list(NEAREST)),
    }
    axes = list(range(len(shape)))
    if opset >= 18 and rng.random() < 0.4:
        axes = rng.sample(axes, rng.randint(1, len(axes)))
        attributes["axes"] = [a - len(shape) if rng.random() < 0.5 else a for a in axes]
    constants, names = {}, ["x", "", "", ""]
    if mode == "tf_crop_and_resize":
        starts, ends = (
            [rng.choice([0, 0, 0.25, -0.5]) for _ in axes],
            [rng.choice([1, 1, 0.75, 1.5]) for _ in axes],
        )
        constants["r"], names[1] = np.float32([*starts, *ends]), "r"
        attributes["extrapolation_value"] = rng.choice([0.0, 2.5])
    if rng.random() < 0.5:
        constants["n"], names[3] = np.array([rng.randint(1, 12) for _ in axes], dtype=np.int64), "n"
    else:
        scales = [rng.choice([1, 2, 3, 0.5, 1.5, 0.75, 2.25, 1 / 3, 0.6, 1.7]) for _ in axes]
        constants["s"], names[2] = np.float32(scales), "s"
        names = names[:3]
    for k, name in enumerate(names):
        if not name and opset < 13:  # all but the sizes had to be there, empty
            names[k], constants[f"e{k}"] = f"e{k}", np.zeros(0, dtype=np.float32)
    return helper.make_node("Resize", names, ["y"], **attributes), shape, constants, opset


def legacy_resize(rng):
    """Before opset 11, where nothing but scales could be said."""
    shape = [rng.randint(1, 6) for _ in range(rng.randint(2, 4))]
    up = rng.random() < 0.5
    scales = [rng.choice([1, 2, 1.5, 3, 2.25, 1.7] if up else [1, 0.5, 0.75, 0.6]) for _ in shape]
    name = rng.choice(["Upsample", "Resize"]) if up else "Resize"
    return (
        helper.make_node(name, ["x", "s"], ["y"], mode="nearest"),
        shape,
        {"s": np.float32(scales)},
        10 if name == "Resize" else 9,
    )


def einsum(rng):
    letters = rng.sample("abcdXYZ", 4)
    size = {c: rng.randint(1, 3) for c in letters}
    dots = [rng.randint(1, 3) for _ in range(rng.choice([0, 0, 1, 2]))]
    place = rng.randrange(3)
    count = rng.choice([1, 2, 2, 3])
    operands, names, constants, shape = [], [], {}, None
    variable = place % count
    for k in range(count):
        own = [rng.choice(letters) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.8:
            own = list(dict.fromkeys(own))
        with_dots = bool(dots) and (k == variable or rng.random() < 0.7)
        at = rng.randint(0, len(own))
        some = dots[rng.randint(0, len(dots)) :] if with_dots and k != variable else dots
        text = "".join(own[:at]) + ("..." if with_dots else "") + "".join(own[at:])
        dims = [size[c] for c in own[:at]] + (list(some) if with_dots else []) + [size[c] for c in own[at:]]
        operands.append(text)
        if k == variable:
            names.append("x")
            shape = dims
        else:
            names.append(f"c{k}")
            constants[f"c{k}"] = np.float32(
                [rng.randint(-8, 8) / 4 for _ in range(int(np.prod(dims)))]
            ).reshape(dims)
    equation = ",".join(operands)
    if rng.random() < 0.7:
        seen = list(dict.fromkeys(c for c in equation if c.isalpha()))
        kept = rng.sample(seen, rng.randint(0, len(seen)))
        at = rng.randint(0, len(kept))
        equation += " -> " + "".join(kept[:at]) + ("..." if dots else "") + "".join(kept[at:])
    return (
        helper.make_node("Einsum", names, ["y"], equation=equation),
        shape,
        constants,
        rng.choice([12, 13, 21]),
    )


def hard_sigmoid(rng):
    attributes = {
        k: rng.choice([0.0, 0.2, -0.5, 1.0, 3.5, 1 / 6]) for k in ("alpha", "beta") if rng.random() < 0.8
    }
    return (
        helper.make_node("HardSigmoid", ["x"], ["y"], **attributes),
        [rng.randint(1, 3), rng.randint(1, 3)],
        {},
        rng.choice([7, 13, 22]),
    )


def conv_transpose(rng):
    rank = rng.choice([1, 2])
    groups = rng.choice([1, 1, 2])
    channels, made = groups * rng.randint(1, 2), rng.randint(1, 2)
    shape = [1, channels, *(rng.randint(1, 4) for _ in range(rank))]
    kernel = [rng.randint(1, 3) for _ in range(rank)]
    strides = [rng.randint(1, 3) for _ in range(rank)]
    attributes = {"group": groups, "strides": strides}
    if rng.random() < 0.5:
        attributes["dilations"] = [rng.randint(1, 2) for _ in range(rank)]
    if rng.random() < 0.5:
        attributes["output_padding"] = [rng.randint(0, s - 1) for s in strides]
    kind = rng.choice(["pads", "SAME_UPPER", "SAME_LOWER", "VALID", "output_shape", "none"])
    if kind == "pads":
        attributes["pads"] = [rng.randint(0, 2) for _ in range(2 * rank)]
    elif kind == "output_shape":
        attributes["output_shape"] = [rng.randint(1, 9) for _ in range(rank)]
        if rng.random() < 0.3:
            attributes["auto_pad"] = rng.choice(["SAME_UPPER", "SAME_LOWER"])
    elif kind != "none":
        attributes["auto_pad"] = kind
    weights = np.float32(
        [rng.randint(-8, 8) / 4 for _ in range(channels * made * int(np.prod(kernel)))]
    ).reshape(channels, made, *kernel)
    return (
        helper.make_node("ConvTranspose", ["x", "w"], ["y"], **attributes),
        shape,
        {"w": weights},
        rng.choice([7, 11, 13, 22]),
    )


KINDS = {f.__name__: f for f in (resize, legacy_resize, einsum, hard_sigmoid, conv_transpose)}
MOST_REFUSED = 0.7  # of all that onnxruntime runs, so that a reader that refuses everything fails


def outcome(made):
    """What became of one graph: "agrees", "refused: why", "onnxruntime refuses"; fails where they differ."""
    node, shape, constants, opset = made
    data = model(node, shape, constants, opset)
    try:
        network = read_onnx(data, origin="random.onnx")
    except InputError as error:
        return f"refused: {error}"
    try:
        runtime = OnnxRuntime(network)
        for _ in range(4):
            x = np.random.default_rng(sum(shape)).integers(-8, 9, size=network.input_size) / 4
            got = runtime.run(x[None].astype(np.float32))[0]
            want = [float(v) for v in exact_outputs(network, [Fraction(v) for v in x])]
            np.testing.assert_allclose(
                got, want, rtol=1e-5, atol=1e-5, err_msg=f"{node} {shape} {constants} opset {opset}"
            )
    except RuntimeUnavailable:
        return "onnxruntime refuses"
    return "agrees"


@pytest.mark.parametrize("kind", KINDS)
def test_random_attributes(kind):
    rng = random.Random(f"{kind} 1")
    found = Counter(outcome(KINDS[kind](rng)).split(":")[0] for _ in range(200))
    assert found["agrees"] >= (1 - MOST_REFUSED) * (found["agrees"] + found["refused"]), found
