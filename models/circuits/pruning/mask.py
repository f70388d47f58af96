"""Node masks: which nodes of a circuit are kept, and the constants that stand in for the others (mean ablation).

A mask makes a circuit out of a model: `gpt.forward` calls it at every node location, and a node that is not kept has its
mean over the task, the same number on every input and position.  docs/reference/circuits.md describes the file.
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
from ..formats.config import GptConfig, read_json
from ..formats.gpt import NODE_LOCATIONS, node_widths

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "relucid node mask 1"
Cut = tuple[int, str, int, int]  # layer, matrix, row, column of a weight: an edge
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class NodeMask:
    """Per (layer, location): `kept` is a bool per node, `means` a float32 per node (0 where the node is kept)."""

    kept: dict[tuple[int, str], np.ndarray]
    means: dict[tuple[int, str], np.ndarray]
    origin: str = ""
    weights_sha256: str = ""
    cut: frozenset[Cut] = frozenset()  # edges between kept nodes whose weight counts as zero
    report: dict[str, float] = field(default_factory=dict)  # what pruning found out, by name; for people

    @property
    def nodes_kept(self) -> int:
        return sum(int(k.sum()) for k in self.kept.values())

    @property
    def nodes_total(self) -> int:
        return sum(k.size for k in self.kept.values())

    @cached_property
    def _tensors(self) -> dict[tuple[int, str], tuple[Tensor, Tensor]]:
        import torch

        return {
            place: (torch.from_numpy(self.kept[place]), torch.from_numpy(self.means[place]))
            for place in self.kept
        }

    def __call__(self, layer: int, location: str, x: Tensor) -> Tensor:
        """The hook for `gpt.forward`."""
        import torch

        kept, means = self._tensors[layer, location]
        return torch.where(kept, x, means)

    def text(self) -> str:
        """The file."""
        layers = 1 + max(layer for layer, _ in self.kept)
        body = []
        for i in range(layers):
            rows = []
            for location in NODE_LOCATIONS:
                kept, means = self.kept[i, location], self.means[i, location]
                entry = {"kept": np.flatnonzero(kept).tolist(), "means": [_short(m) for m in means[~kept]]}
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
        write(path, self.text())


def _short(value: np.float32) -> float:
    """The shortest decimal that is this float32."""
    return float(str(np.float32(value)))


def read_mask(path: Path, config: GptConfig, weights_sha256: str) -> NodeMask:
    """A mask file that fits the model, or one clear line."""
    where = str(path)
    raw = read_json(path, "a mask is a JSON file, see docs/reference/circuits.md")
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise InputError(
            where, "is not a node mask", f'its "format" is "{FORMAT}", see docs/reference/circuits.md'
        )
    unknown = sorted(set(raw) - {"format", "origin", "weights_sha256", "layers", "edges_cut", "report"})
    if unknown:
        raise InputError(where, f"unknown key {unknown[0]!r}", "see docs/reference/circuits.md")
    origin, digest = raw.get("origin", ""), raw.get("weights_sha256", "")
    if not isinstance(origin, str) or not isinstance(digest, str):
        raise InputError(
            where, "origin and weights_sha256 are texts", "write them in quotes, or leave them out"
        )
    if digest and digest != weights_sha256:
        raise InputError(
            where, "this mask was made for other weights: weights_sha256 differs", "prune this model anew"
        )
    layers = raw.get("layers")
    if not isinstance(layers, list) or len(layers) != config.n_layer:
        raise InputError(
            where, f'"layers" is not a list of {config.n_layer} layers', "the mask belongs to another model"
        )
    kept, means = {}, {}
    for i, layer in enumerate(layers):
        if not isinstance(layer, dict) or set(layer) != set(NODE_LOCATIONS):
            raise InputError(
                where,
                f"layer {i} does not have exactly the locations {', '.join(NODE_LOCATIONS)}",
                "list each once",
            )
        for location, width in node_widths(config).items():
            kept[i, location], means[i, location] = _read_location(
                f"{where}: layer {i}, {location}", layer[location], width
            )
    return NodeMask(
        kept,
        means,
        origin,
        digest,
        _read_cut(where, raw.get("edges_cut", []), config),
        _read_report(where, raw.get("report", {})),
    )


def _read_cut(where: str, raw: object, config: GptConfig) -> frozenset[Cut]:
    shapes = config.shapes()
    cut = set()
    for entry in raw if isinstance(raw, list) else [raw]:
        good = (
            isinstance(entry, list)
            and len(entry) == 4
            and type(entry[0]) is int
            and isinstance(entry[1], str)
        )
        shape = shapes.get(f"transformer.h.{entry[0]}.{entry[1]}.weight", ()) if good else ()  # type: ignore[index]
        if len(shape) != 2 or any(
            type(k) is not int or not 0 <= k < n
            for k, n in zip(entry[2:], shape, strict=True)  # type: ignore[index]
        ):  # type: ignore[index]
            raise InputError(
                where,
                f"edges_cut has {entry!r:.60}, no edge of this model",
                'an edge is [layer, "mlp.c_fc", row, column]',
            )
        cut.add(tuple(entry))  # type: ignore[arg-type]
    return frozenset(cut)  # type: ignore[arg-type]


def _read_report(where: str, raw: object) -> dict[str, float]:
    if not isinstance(raw, dict) or any(
        type(v) not in (int, float) or not abs(v) <= _LARGEST for v in raw.values()
    ):
        raise InputError(where, "report is not a table of numbers", "leave it out, or prune this model anew")
    return {str(k): float(v) for k, v in raw.items()}


def _read_location(where: str, entry: object, width: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(entry, dict) or set(entry) != {"kept", "means"}:
        raise InputError(
            where, 'the entry is not {"kept": [...], "means": [...]}', "see docs/reference/circuits.md"
        )
    indices, values = entry["kept"], entry["means"]
    if not isinstance(indices, list) or any(type(k) is not int or not 0 <= k < width for k in indices):
        raise InputError(
            where, f'"kept" is not a list of node numbers from 0 to {width - 1}', "list the nodes that stay"
        )
    if any(a >= b for a, b in itertools.pairwise(indices)):
        raise InputError(where, '"kept" is not in increasing order', "list each node once, in order")
    kept = np.zeros(width, dtype=bool)
    kept[indices] = True
    if not isinstance(values, list) or len(values) != width - len(indices):
        raise InputError(
            where,
            f'"means" is not a list of {width - len(indices)} numbers',
            "one for each node that is not kept, in order",
        )
    if any(
        type(v) not in (int, float) or not abs(v) <= _LARGEST for v in values
    ):  # NaN and infinities included
        raise InputError(
            where, '"means" has something that is not a finite number', "means are float32 numbers"
        )
    means = np.zeros(width, dtype=np.float32)
    means[~kept] = values
    return kept, means
