"""The table of operators in docs/reference/semantics.md is the registry, and the recipe's example works as
printed.
"""

import re
from pathlib import Path

import pytest
from onnx import TensorProto, helper
from relucid.common.errors import InputError
from relucid.models.network.network import Relu
from relucid.models.onnx.reader import REGISTRY, read_onnx

DOCS = Path(__file__).parents[3] / "docs"


def documented_operators():
    table = (DOCS / "reference" / "semantics.md").read_text().split("<!-- operators:")[1].split("\n\n")[1]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    return [name.strip() for row in rows for name in row.split(",")]


def test_documented_operators_are_the_registered_ones():
    names = documented_operators()
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(REGISTRY.plain)


def thresholded_model(alpha):
    node = helper.make_node("ThresholdedRelu", ["x"], ["y"], alpha=alpha)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in "xy"]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:])
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()


def test_the_recipe_works_as_printed():
    registered = REGISTRY.plain.pop("ThresholdedRelu", None)  # of somebody who has followed the recipe
    with pytest.raises(InputError, match="the operator is not supported"):
        read_onnx(thresholded_model(0.0), origin="n")
    example = re.search(
        r"```python\n(.*?)```", (DOCS / "reference" / "add-an-onnx-operator.md").read_text(), re.S
    )[1]
    try:
        exec(example, {"__name__": "relucid.models.onnx.operators.thresholded_relu"})
        assert read_onnx(thresholded_model(0.0), origin="n").nodes == (Relu(0),)
        with pytest.raises(InputError, match="only alpha = 0 is supported"):
            read_onnx(thresholded_model(1.0), origin="n")
    finally:
        REGISTRY.plain.pop("ThresholdedRelu", None)
        if registered is not None:
            REGISTRY.plain["ThresholdedRelu"] = registered
