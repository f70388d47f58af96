"""torch modules as ONNX bytes, so that `prove` takes a module wherever it takes a file.

Before `reader.py`.  Plain stacks of layers are written directly; everything else goes through torch's own
exporter.  The claim is about the bytes that come out.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ...common.deadline import LIMITS
from ...common.errors import InputError

if TYPE_CHECKING:
    import torch

OPSET, IR_VERSION = 13, 8


def from_torch(
    module: torch.nn.Module,
    *,
    positions: int | None = None,
    alphabet: int | None = None,
    example_input: torch.Tensor | None = None,
) -> bytes:
    """Return the ONNX bytes of a module in evaluation mode, with batch size 1.

    Stacks (nn.Sequential) of Linear, ReLU, LeakyReLU, Flatten, Identity, Dropout and a leading Embedding need
    nothing more.

    - `positions`: the number of ids, if the layers leave it open.
    - `positions` and `alphabet`: the shape [1, positions, alphabet] of an input that is flattened first.
    - `example_input`: a tensor of batch 1, which other modules need.

    Raises InputError.
    """
    layers = _flat(module)
    where = type(module).__name__
    if layers is not None and layers:
        return _Stack(where, layers, positions, alphabet).write()
    if example_input is None:
        if positions is None or alphabet is None:
            raise InputError(
                where, "is not a plain stack of layers", "give example_input=, or export it to ONNX yourself"
            )
        import torch

        example_input = torch.zeros(1, positions * alphabet)
    return _exported(where, module, example_input)


def _flat(module: Any) -> list[Any] | None:
    """Return the layers in order, or None if the module is more than a stack of known ones."""
    import torch
    from torch import nn

    if type(module) is nn.Sequential and not _has_hooks(module):
        parts = [_flat(m) for m in module]
        return None if any(p is None for p in parts) else [layer for p in parts for layer in p or ()]
    known = (nn.Linear, nn.ReLU, nn.LeakyReLU, nn.Flatten, nn.Identity, nn.Dropout, nn.Embedding)
    if (
        type(module) not in known
        or _has_hooks(module)
        or any(p.dtype != torch.float32 for p in module.parameters())
    ):
        return None
    return [module]


def _has_hooks(module: Any) -> bool:
    """Return whether hooks or parametrisations change what a layer computes: only the exporter sees them."""
    return bool(module._forward_hooks or module._forward_pre_hooks or hasattr(module, "parametrizations"))


class _Stack:
    """Writes layers one by one and keeps track of the shape."""

    def __init__(self, where: str, layers: list[Any], positions: int | None, alphabet: int | None) -> None:
        self.where, self.layers, self.positions, self.alphabet = where, layers, positions, alphabet
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def write(self) -> bytes:
        """Return the ONNX bytes.  Raises InputError."""
        from onnx import TensorProto, checker, helper, shape_inference
        from torch import nn

        ids = isinstance(self.layers[0], nn.Embedding)
        shape = self._input_shape()
        entry = helper.make_tensor_value_info("input", TensorProto.INT64 if ids else TensorProto.FLOAT, shape)
        name = "input"
        for i, layer in enumerate(self.layers):
            name, shape = self._layer(i, layer, name, shape)
        self.nodes.append(helper.make_node("Identity", [name], ["output"], name="output"))
        end = helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, self.where, [entry], [end], self.tensors)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="relucid",
        )
        model = shape_inference.infer_shapes(model, strict_mode=True)
        checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def _input_shape(self) -> list[int]:
        from torch import nn

        first = self.layers[0]
        linear = next((m for m in self.layers if isinstance(m, nn.Linear)), None)
        if isinstance(first, nn.Embedding):
            positions = self.positions
            if positions is None and linear is not None:
                positions = linear.in_features // first.embedding_dim
            if not positions:
                raise InputError(self.where, "the number of positions is open", "give positions=")
            return [1, positions]
        flattened = linear is None or any(
            isinstance(m, nn.Flatten) for m in self.layers[: self.layers.index(linear)]
        )
        if (
            self.positions
            and self.alphabet
            and (flattened or (linear is not None and linear.in_features == self.alphabet))
        ):
            return [1, self.positions, self.alphabet]
        if linear is None:
            raise InputError(
                self.where,
                "the size of the input is open: there is no Linear layer",
                "give positions= and alphabet=",
            )
        return [1, linear.in_features]

    def _layer(self, i: int, layer: Any, name: str, shape: list[int]) -> tuple[str, list[int]]:
        from onnx import helper
        from torch import nn

        where, out = f"{self.where} layer {i} ({type(layer).__name__})", f"layer{i}"

        def node(kind: str, *inputs: str, **attributes: Any) -> None:
            self.nodes.append(
                helper.make_node(kind, list(inputs), [out], name=f"{kind.lower()}{i}", **attributes)
            )

        if isinstance(layer, (nn.Identity, nn.Dropout)):
            return name, shape
        if isinstance(layer, nn.ReLU):
            node("Relu", name)
        elif isinstance(layer, nn.LeakyReLU):
            node("LeakyRelu", name, alpha=float(layer.negative_slope))
        elif isinstance(layer, nn.Flatten):
            if layer.start_dim not in (1, 1 - len(shape)) or layer.end_dim not in (-1, len(shape) - 1):
                raise InputError(
                    where, f"flattens axes {layer.start_dim} to {layer.end_dim}", "use Flatten()"
                )
            node("Flatten", name, axis=1)
            shape = [1, int(np.prod(shape[1:]))]
        elif isinstance(layer, nn.Embedding):
            if i or layer.max_norm is not None:
                raise InputError(
                    where,
                    "an embedding must come first and have no max_norm",
                    "export the module to ONNX yourself",
                )
            node("Gather", self._tensor(f"table{i}", layer.weight), name, axis=0)
            shape = [*shape, layer.embedding_dim]
        else:
            if shape[-1] != layer.in_features:
                raise InputError(
                    where,
                    f"takes {layer.in_features} values, the layer before gives {shape[-1]}",
                    "check the layers",
                )
            weight = self._tensor(f"weight{i}", layer.weight, transposed=len(shape) != 2)
            bias = self._tensor(f"bias{i}", layer.bias) if layer.bias is not None else ""
            if len(shape) == 2:
                node("Gemm", name, weight, *([bias] if bias else []), transB=1)
            else:
                product = f"product{i}" if bias else out
                self.nodes.append(helper.make_node("MatMul", [name, weight], [product], name=f"matmul{i}"))
                if bias:
                    node("Add", product, bias)
            shape = [*shape[:-1], layer.out_features]
        return out, shape

    def _tensor(self, name: str, parameter: Any, transposed: bool = False) -> str:
        from onnx import numpy_helper

        array = parameter.detach().cpu().numpy()
        self.tensors.append(
            numpy_helper.from_array(np.ascontiguousarray(array.T if transposed else array), name)
        )
        return name


def _exported(where: str, module: Any, example: Any) -> bytes:
    """Export through torch's tracing exporter (the newer one needs onnxscript).  Raises InputError."""
    import torch

    training, buffer = module.training, io.BytesIO()
    try:
        module.eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A branch that depends on values would be recorded as the example took it: refuse it.
            warnings.simplefilter("error", torch.jit.TracerWarning)  # type: ignore[attr-defined]
            options: dict[str, Any] = {
                "input_names": ["input"],
                "output_names": ["output"],
                "dynamo": False,
                "opset_version": OPSET,
            }
            torch.onnx.export(module, (example,), buffer, **options)  # type: ignore[arg-type]
    except LIMITS:
        raise
    except Exception as error:
        text = str(error).strip()
        reason = text.splitlines()[0][:200] if text else type(error).__name__
        raise InputError(
            where, f"torch cannot export it ({reason})", "export it to ONNX yourself and give the file"
        ) from None
    finally:
        module.train(training)
    return buffer.getvalue()
