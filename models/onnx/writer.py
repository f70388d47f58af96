"""Networks as ONNX files, which `reader.py` reads back as the same function.

After a surrogate was fitted, and wherever onnxruntime has to run a network that did not come from a file.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ...common.errors import InputError
from ..network.float32 import FORMATS, representable
from ..network.network import Affine, Network

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 13, 8


def write_onnx(network: Network, *, positions: int | None = None, alphabet: int | None = None) -> bytes:
    """Return ONNX bytes: opset 13, shape-inferred, input "input", output "output", float32, batch 1.

    An "ids" network needs `positions` and `alphabet`.  Raises InputError if a parameter is no float32.
    """
    from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

    nodes: list[onnx.NodeProto] = []
    tensors: list[onnx.TensorProto] = []
    if network.encoding == "ids":
        if positions is None or alphabet is None or positions * alphabet != network.input_size:
            raise InputError(
                network.name,
                f"{network.input_size} inputs are not {positions} positions x {alphabet} tokens",
                "give both",
            )
        entry = helper.make_tensor_value_info("input", TensorProto.INT64, [1, positions])
        tensors.append(numpy_helper.from_array(np.eye(alphabet, dtype=np.float32), "one_hot"))
        tensors.append(numpy_helper.from_array(np.array([1, network.input_size], dtype=np.int64), "shape"))
        nodes.append(helper.make_node("Gather", ["one_hot", "input"], ["words"], name="embed"))
        nodes.append(helper.make_node("Reshape", ["words", "shape"], ["vector"], name="flatten"))
    else:
        entry = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, network.input_size])
    names = ["vector" if network.encoding == "ids" else "input"]
    for k, node in enumerate(network.nodes, start=1):
        name = "output" if k == len(network.nodes) else f"value{k}"
        names.append(name)
        if not isinstance(node, Affine):
            nodes.append(helper.make_node("Relu", [names[node.source]], [name], name=f"relu{k}"))
            continue
        matrix = (
            np.concatenate([_float32(network, k, w, node.denominator) for w in node.weights], axis=1)
            if node.weights
            else None
        )
        bias = _float32(network, k, node.bias, node.denominator)
        source = names[node.sources[0]] if node.sources else names[0]
        if matrix is None:  # a constant, which does not read the input
            matrix = np.zeros((node.size, network.input_size), dtype=np.float32)
        if len(node.sources) > 1:
            source = f"joined{k}"
            nodes.append(
                helper.make_node("Concat", [names[s] for s in node.sources], [source], name=source, axis=1)
            )
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(matrix), f"weight{k}"))
        tensors.append(numpy_helper.from_array(bias, f"bias{k}"))
        nodes.append(
            helper.make_node("Gemm", [source, f"weight{k}", f"bias{k}"], [name], name=f"affine{k}", transB=1)
        )
    end = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, network.output_size])
    graph = helper.make_graph(nodes, "network", [entry], [end], tensors)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="relucid"
    )
    model = shape_inference.infer_shapes(model, strict_mode=True)
    checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def with_source(network: Network, *, positions: int | None = None, alphabet: int | None = None) -> Network:
    """Return the same network with ONNX bytes attached, so that onnxruntime can run it."""
    return replace(network, source=write_onnx(network, positions=positions, alphabet=alphabet))


def _float32(network: Network, k: int, numerators: np.ndarray, denominator: int) -> np.ndarray:
    """Return exact parameters as float32.  Raises InputError if one cannot be held exactly."""
    exact = representable(numerators, denominator, *FORMATS["float32"])
    if not exact.all():
        worst = Fraction(int(numerators[~exact].flat[0]), denominator)
        shown = str(worst) if len(str(worst)) < 40 else "a rational of many digits"
        raise InputError(
            network.name,
            f"node {k} has the parameter {shown}, which is not a float32",
            "round the network's parameters first",
        )
    if (
        numerators.dtype == np.int64
        and denominator & (denominator - 1) == 0
        and denominator.bit_length() < 1000
    ):
        return np.ldexp(numerators.astype(np.float64), 1 - denominator.bit_length()).astype(
            np.float32
        )  # exact: every value is a float32
    flat = [float(Fraction(int(v), denominator)) for v in numerators.flat]
    return np.array(flat, dtype=np.float32).reshape(numerators.shape)
