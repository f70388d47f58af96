"""Two networks on one input, as one network whose outputs are those of the first, then those of the second.

Before `claims/side_by_side.py`: what is asked of two networks becomes a property of this one.  Their hidden
layers need not be alike.
"""

from __future__ import annotations

import numpy as np

from .integers import integer_array
from .network import Affine, Network, Node, Relu, SparseMatrix


def side_by_side(a: Network, b: Network) -> Network:
    """Return the network that stacks two networks.

    Raises ValueError if they take different inputs or give different numbers of outputs.
    """
    if (a.input_size, a.output_size) != (b.input_size, b.output_size):
        raise ValueError("the two networks do not have the same inputs and outputs")
    nodes: list[Node] = []
    for network in (a, b):
        before = len(nodes)
        for node in network.nodes:
            if isinstance(node, Relu):
                nodes.append(Relu(_moved(node.source, before)))
            else:
                nodes.append(
                    Affine(
                        tuple(_moved(s, before) for s in node.sources),
                        node.matrices,
                        node.bias,
                        node.denominator,
                    )
                )
    eye, none = (
        np.eye(a.output_size, dtype=np.int64),
        np.zeros((a.output_size, a.output_size), dtype=np.int64),
    )
    both = tuple(integer_array(np.concatenate(blocks)) for blocks in ((eye, none), (none, eye)))
    nodes.append(
        Affine((len(a.nodes), len(nodes)), both, integer_array(np.zeros(2 * a.output_size, dtype=np.int64)))
    )
    return Network(
        a.input_size, tuple(nodes), "real", name=f"{a.name} and {b.name}", rounding=(*a.rounding, *b.rounding)
    )


def _moved(source: int, before: int) -> int:
    return source + before if source else 0


def same_nodes(a: Network, b: Network) -> bool:
    """Return whether two networks are equal number by number, heads included."""
    heads = [None if n.head is None else n.head.elements for n in (a, b)]
    return (
        heads[0] == heads[1]
        and a.sizes == b.sizes
        and all(_equal(m, n) for m, n in zip(a.nodes, b.nodes, strict=True))
    )


def _equal(m: Node, n: Node) -> bool:
    if isinstance(m, Relu) or isinstance(n, Relu):
        return m == n
    if m.sources != n.sources or m.denominator != n.denominator:
        return False
    return all(_same(x, y) for x, y in zip((*m.matrices, m.bias), (*n.matrices, n.bias), strict=True))


def _same(x: np.ndarray | SparseMatrix, y: np.ndarray | SparseMatrix) -> bool:
    if isinstance(x, SparseMatrix) and isinstance(y, SparseMatrix):
        return all(
            np.array_equal(getattr(x, name), getattr(y, name)) for name in ("rows", "columns", "numerators")
        )
    return not isinstance(x, SparseMatrix) and not isinstance(y, SparseMatrix) and np.array_equal(x, y)
