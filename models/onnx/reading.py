"""How an ONNX file was read: which values of the network each tensor of the file became.

`onnx_reader` makes it, `onnx_agreement` runs the file next to it.  The nodes are those that the operators made, before sums are merged
and what nobody needs is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..network.network import Network, Node
from .tensors import Tensor


@dataclass(frozen=True, eq=False)
class Step:
    """One node of the file, after those that it reads: the tensors and the nodes (from `first`, before `last`) that it became.

    `hidden`: for each element of the output, amounts that a run adds and takes away and that the nodes do not show; `factor`: 1 and
    the sizes of the attributes that are numbers.
    """

    title: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    first: int
    last: int
    hidden: np.ndarray | None
    factor: float


@dataclass(frozen=True, eq=False)
class Reading:
    """A network, and the way to it.

    `entry`: the file's input (its name, and its tensor).  `offsets` and `sizes`: where the values of node k (0: the input) lie among
    all scalar values.
    """

    network: Network
    entry: tuple[str, Tensor]
    steps: tuple[Step, ...]
    nodes: tuple[Node, ...]
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
