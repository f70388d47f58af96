"""A block of a network's outputs as a network of its own: its ONNX file with one more step at the end.

For claims about every position (`claims/positions.py`): the block at a position holds the outputs there.  The
new file is read as any other, so that engines, proofs and onnxruntime all take the same network.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from ...common.errors import InputError
from ..network.network import Network
from ..network.stacked import same_nodes
from .reader import read_onnx
from .writer import with_source


def blocks(network: Network, size: int, *, positions: int, alphabet: int) -> Callable[[int], Network]:
    """Return a function that gives the network with the outputs of block i only, without unused nodes.

    network: its file is read once more; where there is none, it is written first.
    size: the number of outputs in a block.
    positions, alphabet: those of the domain.

    Raises InputError where the network cannot be written, or its file is that of another network.
    """
    whole = network if network.source else with_source(network, positions=positions, alphabet=alphabet)

    def read(data: bytes) -> Network:
        return read_onnx(data, origin=whole.name, positions=positions, alphabet=alphabet)

    if network.source and not same_nodes(read(whole.source), whole):
        what = "its ONNX bytes are those of another network"
        raise InputError(network.name, what, "read it again, or leave them out")
    return lambda i: read(_block(whole, i * size, size))


def _block(network: Network, start: int, size: int) -> bytes:
    """Return the file with a step more, which takes the outputs `start` to `start + size` - 1."""
    import onnx
    from onnx import helper

    model = onnx.load_model_from_string(network.source)
    graph = model.graph
    (given,) = [o for o in graph.output if network.output in ("", o.name)]
    taken = set(chain.from_iterable((*node.input, *node.output, node.name) for node in graph.node))
    taken |= {entry.name for entry in (*graph.input, *graph.initializer, *graph.output)}
    mark = "block"
    while any(name.startswith(mark) for name in taken):
        mark += "_"
    places = helper.make_tensor(f"{mark}1", onnx.TensorProto.INT64, [size], range(start, start + size))
    graph.node.extend(
        [
            helper.make_node("Flatten", [given.name], [f"{mark}0"], name=f"{mark}0", axis=0),
            helper.make_node("Constant", [], [f"{mark}1"], name=f"{mark}1", value=places),
            helper.make_node("Gather", [f"{mark}0", f"{mark}1"], [f"{mark}2"], name=f"{mark}2", axis=1),
        ]
    )
    kind = given.type.tensor_type.elem_type
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(f"{mark}2", kind, [1, size]))
    return bytes(model.SerializeToString())
