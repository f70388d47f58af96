"""The control of a pruning: what the same method makes of random labels.  A method that fits those would fit anything.

Each format that can be pruned says how (`Pruned.control`): trained node masks for weight-sparse transformers, edges one by one for the others.
The same is done with the model's own labels, so that two numbers can be compared.  `faithfulness.py` asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..circuit import Circuit

if TYPE_CHECKING:
    from ..formats.circuit_sparsity import SparseGpt

Say = Callable[[str], None]
K = 1.0  # what a node costs where no pruning has found out
MOST_INPUTS = 1 << 16
MOST_PARTS = 400  # edges that are tried one by one
TRIED = 1024  # inputs on which they are


@dataclass(frozen=True)
class Control:
    """Parts kept, and share of the labels reached, on random labels and (where that was run too) on the model's own; `chance`: always the same label."""

    what: str
    parts: int
    share: float
    chance: float | None = None
    own_parts: int | None = None
    own_share: float | None = None

    def line(self) -> str:
        """For people."""
        own = (
            ""
            if self.own_share is None
            else f"; in the same way to the model's own: {self.own_parts} {self.what} and {percent(self.own_share)}"
        )
        chance = "" if self.chance is None else f" (one label always: {percent(self.chance)})"
        return f"control, pruned to random labels: {self.parts} {self.what} and {percent(self.share)} of the labels{chance}{own}"

    def report(self) -> dict[str, float]:
        """As a node mask keeps it."""
        named = {
            "control_nodes": self.parts, "control_accuracy": self.share, "control_chance": self.chance,
            "control_own_nodes": self.own_parts, "control_own_accuracy": self.own_share,
        }  # fmt: skip
        return {k: round(float(v), 6) for k, v in named.items() if v is not None}


def percent(share: float) -> str:
    """Never 100 % of what is not all."""
    return "100%" if share >= 1 else f"{min(share, 0.999):.1%}"


def reported(report: Mapping[str, float]) -> Control | None:
    """The control that a node mask's report remembers."""
    if "control_nodes" not in report or "control_accuracy" not in report:
        return None
    own = report.get("control_own_nodes")
    return Control(
        "nodes", int(report["control_nodes"]), report["control_accuracy"], report.get("control_chance"),
        None if own is None else int(own), report.get("control_own_accuracy"),
    )  # fmt: skip


Prune = Callable[
    [np.ndarray, np.ndarray, str], tuple[Circuit, int]
]  # ids, labels, what to say -> the circuit and its parts


def control_of(
    what: str, prune: Prune, ids: np.ndarray, right: np.ndarray, columns: np.ndarray, seed: int
) -> Control:
    """Prune twice: to random labels, which are the model's own in another order, and to its own."""
    rng = np.random.default_rng(seed)
    if len(ids) > MOST_INPUTS:
        rows = np.sort(rng.permutation(len(ids))[:MOST_INPUTS])
        ids, right = ids[rows], right[rows]
    found = []
    for labels, which in ((rng.permutation(right), "random labels"), (right, "the model's own labels")):
        circuit, parts = prune(ids, labels, which)
        found.append((parts, float((decisions(circuit, ids, columns) == labels).mean())))
    chance = float(np.bincount(right).max() / len(right))
    return Control(what, *found[0], chance, *found[1])


def decisions(circuit: Circuit, ids: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.asarray(circuit.logits(ids)[:, columns].argmax(axis=1))


def by_trained_masks(
    model: SparseGpt, ids: np.ndarray, right: np.ndarray, columns: np.ndarray, seed: int, say: Say
) -> Control:
    """Nodes, by the gates that `relucid prune` trains (`node_masks.py`), with mean ablation."""
    from .node_masks import Settings, trained_mask

    settings = Settings(seed=seed)

    def prune(ids: np.ndarray, labels: np.ndarray, which: str) -> tuple[Circuit, int]:
        mask = trained_mask(
            model,
            ids,
            labels,
            columns,
            K,
            settings,
            lambda step: say(f"control, {which}: step {step} of {settings.steps}"),
        )
        return replace(model, mask=mask), mask.nodes_kept

    return control_of("nodes", prune, ids, right, columns, seed)


def edge_by_edge(
    links: Sequence[Any],
    cut_to: Callable[[frozenset[Any]], Circuit],
    ids: np.ndarray,
    right: np.ndarray,
    columns: np.ndarray,
    seed: int,
    say: Say,
) -> Control | None:
    """Edges, from the last to the first: each goes for good where no more labels are missed without it.  None where there are too many."""
    if len(links) > MOST_PARTS:
        return None

    def prune(ids: np.ndarray, labels: np.ndarray, which: str) -> tuple[Circuit, int]:
        step = max(1, len(ids) // TRIED)
        tried, wanted, kept = ids[::step], labels[::step], frozenset(links)
        best = int((decisions(cut_to(kept), tried, columns) == wanted).sum())
        for i, link in enumerate(reversed(links)):
            say(f"control, {which}: edge {i + 1} of {len(links)}")
            reached = int((decisions(cut_to(kept - {link}), tried, columns) == wanted).sum())
            if reached >= best:
                kept, best = kept - {link}, reached
        return cut_to(kept), len(kept)

    return control_of("edges", prune, ids, right, columns, seed)
