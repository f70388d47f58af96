"""Writes Activation Pattern Tree Proofs (`aptp.py`) of what `engines/boxes/relu_split.py` proves.  Untrusted.

`../boxes/subject.py` calls this for `relucid verify --format aptp`, after the property was proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import numpy as np

from ....common.errors import Unsupported
from ....models.claims.property import Polyhedron, Property
from ....models.network.network import Network, Relu
from ...bounds.floats import FloatNetwork, float_network
from ...bounds.refuted_leaves import RefutedLeaves
from ...bounds.unsafe_rows import UnsafeRows
from ...engines.boxes import relu_split
from ...engines.boxes.request import SearchRequest
from ...engines.boxes.tree import Tree
from ..writing import write_pieces
from .aptp import MOST_LEAVES, Pattern, Progress, only_case, pieces, scaled

RELUS = {"Relu"}
OTHERS = {
    "LeakyRelu",
    "PRelu",
    "Clip",
    "Max",
    "Min",
    "Abs",
    "Sign",
    "MaxPool",
    "GlobalMaxPool",
    "HardSigmoid",
    "Sigmoid",
    "Tanh",
}


def check_plain(network: Network, operators: Iterable[str]) -> None:
    """Raise Unsupported unless the ReLUs of the ONNX file, which the format numbers, are the network's."""
    names = list(operators)
    relus = sum(isinstance(node, Relu) for node in network.nodes)
    if others := sorted(OTHERS & set(names)):
        raise Unsupported(f"APTP knows ReLU networks only, and this one has {others[0]}")
    if sum(name in RELUS for name in names) != relus:
        raise Unsupported("APTP numbers the ReLUs of the file, and not all of them take part here")
    if not relus:
        raise Unsupported("the network has no ReLU to split on, and APTP has no tree without one")


def patterns(
    network: Network,
    stated: Property,
    deadline: float,
    threads: int = 1,
    progress: Progress = lambda text: None,
) -> list[Pattern]:
    """Return the leaves of a tree of phases; on each, every unsafe polyhedron is refuted.

    Raises TimeoutError, and Unsupported if the format cannot say it or splits of ReLUs do not show it.
    """
    case = only_case(stated)
    net = float_network(network, case.lower, case.upper)
    trees = [_tree(net, polyhedron, deadline, threads, progress) for polyhedron in case.unsafe]
    out: list[Pattern] = [()]
    for tree in trees:  # the common refinement: intersect each leaf with each
        merged = (tuple(sorted({*a, *b}, key=abs)) for a, b in product(out, tree))
        out = [p for p in merged if not any(-j in p for j in p)]
        if len(out) > MOST_LEAVES:
            raise Unsupported(f"the polyhedra's trees have over {MOST_LEAVES:,} leaves together")
    return out if out != [()] else [(1,), (-1,)]  # the format's readers expect at least one split


def _tree(
    net: FloatNetwork, polyhedron: Polyhedron, deadline: float, threads: int, progress: Progress
) -> list[Pattern]:
    """Return the leaves for one polyhedron.  It is closed: APTP has no strict comparisons of outputs."""
    closed = tuple(map(scaled, polyhedron))
    found: list[Pattern] = []

    def settled(leaves: RefutedLeaves) -> None:
        found.extend(tuple(int(p) * (j + 1) for j, p in enumerate(row) if p) for row in leaves.phase)

    def refuted(points: np.ndarray) -> bool:
        return False  # points in floats prove nothing; the property was proved before

    tree = Tree(1)
    rows = UnsafeRows.of(net, [closed])
    result = relu_split.search(SearchRequest(net, rows, refuted, deadline, progress, threads, settled), tree)
    if result.status == "timeout":
        raise TimeoutError("out of time while splitting ReLUs")
    if tree.tiling() is None:
        raise Unsupported("splits of ReLUs alone do not show it in float64")
    return found


def write(
    path: Path,
    network: Network,
    stated: Property,
    deadline: float,
    threads: int,
    progress: Progress,
    confirm: Callable[[Path], None],
) -> None:
    """Write the proof of a property that was proved, all or nothing.

    confirm: checks the file before it gets its name.

    Raises TimeoutError, Unsupported, OSError, and what `confirm` raises.
    """
    import onnx

    check_plain(network, [node.op_type for node in onnx.load_model_from_string(network.source).graph.node])
    leaves = patterns(network, stated, deadline, threads, progress)
    neurons = sum(network.sizes[node.source] for node in network.nodes if isinstance(node, Relu))
    write_pieces(path, pieces(stated, neurons, leaves), confirm)
