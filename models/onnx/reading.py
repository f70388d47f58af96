"""How an ONNX file was read: which values of the network each tensor of the file became.

Made by `reader.py`; `agreement.py` runs the file next to it.  The nodes are those that the operators made,
before sums are merged and unused nodes dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..network.network import Network, Node
from .tensors import HeadValues, Tensor


@dataclass(frozen=True, eq=False)
class OnnxStep:
    """One node of the file: the tensors that it reads and makes, and the network nodes `first` to `last` - 1.

    - `hidden`: for each element of the output, amounts that a run adds and takes away and that the nodes do
      not show.
    - `factor`: 1 plus the sizes of the attributes that are numbers.
    """

    title: str
    inputs: Mapping[str, Tensor | HeadValues]
    outputs: Mapping[str, Tensor]
    first: int
    last: int
    hidden: np.ndarray | None
    factor: float


@dataclass(frozen=True, eq=False)
class OnnxReading:
    """A network, and how it was read from a file.

    - `entry`: the name of the file's input, and its tensor.
    - `offsets` and `sizes`: where the values of node k (0: the input) are among all scalar values.
    """

    network: Network
    entry: tuple[str, Tensor]
    steps: tuple[OnnxStep, ...]
    nodes: tuple[Node, ...]
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
