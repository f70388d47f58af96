"""Node masks: which nodes of a model are kept, and what stands in for the others (mean ablation).

A mask makes a circuit out of a model.  It is a hook of `forward.py`: at every node location, a node that is
not kept gets its mean over the task, the same number on every input and position.  docs/reference/circuits.md
describes the file.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....common.errors import InputError
from ....common.files import write
from ..json_file import read_json
from .config import GptConfig
from .forward import NODE_LOCATIONS, node_widths

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "relucid node mask 1"
Place = tuple[int, str]  # layer and location
Kept = dict[Place, np.ndarray]  # for each place, one bool per node
GptEdge = tuple[int, str, int, int]  # layer, matrix, row and column of a weight
_LARGEST = float(np.finfo(np.float32).max)
_SEE = "see docs/reference/circuits.md"


@dataclass(frozen=True, eq=False)
class NodeMask:
    """The nodes that are kept, and what stands in for the others.

    Args:
        kept: for each place, a bool per node.
        means: for each place, a float32 per node: its constant, 0 for a node that is kept.
        origin: how the mask was made, for people.
        weights_sha256: of the weights that the mask belongs to; "" if that is not known.
        cut: edges between kept nodes whose weight counts as zero.
        report: what pruning measured, by name, for people.
    """

    kept: Kept
    means: dict[Place, np.ndarray]
    origin: str = ""
    weights_sha256: str = ""
    cut: frozenset[GptEdge] = frozenset()
    report: dict[str, float] = field(default_factory=dict)

    @property
    def nodes_kept(self) -> int:
        """How many nodes are kept."""
        return count_kept(self.kept)

    @property
    def nodes_total(self) -> int:
        """How many nodes there are."""
        return sum(k.size for k in self.kept.values())

    @cached_property
    def _tensors(self) -> dict[Place, tuple[Tensor, Tensor]]:
        import torch

        return {p: (torch.from_numpy(self.kept[p]), torch.from_numpy(self.means[p])) for p in self.kept}

    def __call__(self, layer: int, location: str, x: Tensor) -> Tensor:
        """Replace the activations of nodes that are not kept: the hook of `forward`."""
        import torch

        kept, means = self._tensors[layer, location]
        return torch.where(kept, x, means)

    def text(self) -> str:
        """Return the mask file."""
        layers = 1 + max(layer for layer, _ in self.kept)
        body = []
        for i in range(layers):
            rows = []
            for location in NODE_LOCATIONS:
                kept, means = self.kept[i, location], self.means[i, location]
                entry = {"kept": np.flatnonzero(kept).tolist(), "means": [_shortest(m) for m in means[~kept]]}
                rows.append(f'  "{location}": {json.dumps(entry)}')
            body.append(" {\n" + ",\n".join(rows) + "\n }")
        head: dict[str, object] = {
            "format": FORMAT,
            "origin": self.origin,
            "weights_sha256": self.weights_sha256,
        }
        head |= {"edges_cut": sorted(self.cut)} if self.cut else {}
        head |= {"report": self.report} if self.report else {}
        return json.dumps(head)[:-1] + ', "layers": [\n' + ",\n".join(body) + "\n]}\n"

    def write(self, path: Path) -> None:
        """Write the mask file."""
        write(path, self.text())


def count_kept(kept: Kept) -> int:
    """Count the nodes that are kept."""
    return sum(int(k.sum()) for k in kept.values())


def every_node(config: GptConfig) -> Kept:
    """Return the choice that keeps all nodes."""
    widths = node_widths(config).items()
    return {(i, place): np.ones(width, dtype=bool) for i in range(config.n_layer) for place, width in widths}


def _shortest(value: np.float32) -> float:
    """Return the float with the shortest decimal that is this float32."""
    return float(str(np.float32(value)))


def is_mask(raw: object) -> bool:
    """Tell whether a JSON value is a node mask."""
    return isinstance(raw, dict) and raw.get("format") == FORMAT


def read_mask(path: Path, config: GptConfig, weights_sha256: str) -> NodeMask:
    """Read a mask file.

    Args:
        path: the file.
        config: the model that the mask belongs to.
        weights_sha256: of the model's weights.

    Raises:
        InputError: it is no mask, or one of another model.
    """
    where = str(path)
    raw = read_json(path, f"a mask is a JSON file, {_SEE}")
    if not isinstance(raw, dict) or not is_mask(raw):
        raise InputError(where, "is not a node mask", f'its "format" is "{FORMAT}", {_SEE}')
    unknown = sorted(set(raw) - {"format", "origin", "weights_sha256", "layers", "edges_cut", "report"})
    if unknown:
        raise InputError(where, f"unknown key {unknown[0]!r}", _SEE)
    origin, digest = raw.get("origin", ""), raw.get("weights_sha256", "")
    if not isinstance(origin, str) or not isinstance(digest, str):
        what = "origin or weights_sha256 is not a string"
        raise InputError(where, what, "write them in quotes, or leave them out")
    if digest and digest != weights_sha256:
        what = "this mask was made for other weights: weights_sha256 differs"
        raise InputError(where, what, "prune this model anew")
    layers = raw.get("layers")
    if not isinstance(layers, list) or len(layers) != config.n_layer:
        what = f'"layers" is not a list of {config.n_layer} layers'
        raise InputError(where, what, "the mask belongs to another model")
    kept, means = {}, {}
    for i, layer in enumerate(layers):
        if not isinstance(layer, dict) or set(layer) != set(NODE_LOCATIONS):
            what = f"layer {i} does not have exactly the locations {', '.join(NODE_LOCATIONS)}"
            raise InputError(where, what, "list each once")
        for location, width in node_widths(config).items():
            place = f"{where}: layer {i}, {location}"
            kept[i, location], means[i, location] = _read_location(place, layer[location], width)
    cut = _read_cut(where, raw.get("edges_cut", []), config)
    return NodeMask(kept, means, origin, digest, cut, _read_report(where, raw.get("report", {})))


def _read_cut(where: str, raw: object, config: GptConfig) -> frozenset[GptEdge]:
    shapes = config.shapes()
    cut = set()
    for entry in raw if isinstance(raw, list) else [raw]:
        layer, matrix, *at = entry if isinstance(entry, list) and len(entry) == 4 else (None, None)
        known = type(layer) is int and isinstance(matrix, str)
        shape = shapes.get(f"transformer.h.{layer}.{matrix}.weight", ()) if known else ()
        if len(shape) != 2 or any(
            type(k) is not int or not 0 <= k < n for k, n in zip(at, shape, strict=True)
        ):
            what, mend = f"edges_cut has {entry!r:.60}, no edge of this model", "[layer, matrix, row, column]"
            raise InputError(where, what, f'an edge is {mend}, such as [0, "mlp.c_fc", 3, 5]')
        cut.add((layer, matrix, *at))
    return frozenset(cut)


def _read_report(where: str, raw: object) -> dict[str, float]:
    if not isinstance(raw, dict) or any(
        type(v) not in (int, float) or not abs(v) <= _LARGEST for v in raw.values()
    ):
        raise InputError(where, "report is not a table of numbers", "leave it out, or prune this model anew")
    return {str(k): float(v) for k, v in raw.items()}


def _read_location(where: str, entry: object, width: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(entry, dict) or set(entry) != {"kept", "means"}:
        raise InputError(where, 'the entry is not {"kept": [...], "means": [...]}', _SEE)
    indices, values = entry["kept"], entry["means"]
    if not isinstance(indices, list) or any(type(k) is not int or not 0 <= k < width for k in indices):
        what = f'"kept" is not a list of node numbers from 0 to {width - 1}'
        raise InputError(where, what, "list the nodes that stay")
    if any(a >= b for a, b in itertools.pairwise(indices)):
        raise InputError(where, '"kept" is not in increasing order', "list each node once, in order")
    kept = np.zeros(width, dtype=bool)
    kept[indices] = True
    if not isinstance(values, list) or len(values) != width - len(indices):
        what = f'"means" is not a list of {width - len(indices)} numbers'
        raise InputError(where, what, "one for each node that is not kept, in order")
    if any(type(v) not in (int, float) or not abs(v) <= _LARGEST for v in values):  # NaN and infinities too
        what = '"means" has something that is not a finite number'
        raise InputError(where, what, "means are float32 numbers")
    means = np.zeros(width, dtype=np.float32)
    means[~kept] = values
    return kept, means
