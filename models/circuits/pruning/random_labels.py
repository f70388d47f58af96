"""Run the control of a pruning: prune the model to random labels, and to its own, in the same way.

Weight-sparse transformers are pruned by trained node masks, circuits that are sets of edges by trying edge
after edge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..circuit import Circuit, EdgePruned, PrunedCircuit
from ..examples import Examples
from ..sparse_gpt.model import SparseGpt
from .control import Control, reported
from .judge import Runs, decisions
from .node_masks import trained_mask
from .settings import PruningSettings

Say = Callable[[str], None]
Prune = Callable[
    [Examples, str], tuple[Runs, int]
]  # examples, what to say -> the circuit and how many parts it has

COST = 1.0  # of all nodes, if no pruning has found out a better one
MOST_INPUTS = 1 << 16  # that a control looks at
MOST_EDGES = 400  # that are tried one by one
TRIED = 1024  # inputs on which they are


def control_for(circuit: PrunedCircuit, examples: Examples, seed: int, say: Say) -> Control | None:
    """Run the control that fits a circuit, or take it from the report of its mask.

    Args:
        circuit: what was pruned.
        examples: inputs with the whole model's labels.
        seed: of everything random.
        say: is told about progress.

    Returns: the control; None if the circuit has too many edges, or is of a kind that cannot be pruned here.
    """
    if isinstance(circuit, SparseGpt):
        known = None if circuit.mask is None else reported(circuit.mask.report)
        return known or by_trained_masks(circuit.unpruned(), examples, seed, say)
    return edge_by_edge(circuit, examples, seed, say) if isinstance(circuit, EdgePruned) else None


def control_of(what: str, prune: Prune, examples: Examples, seed: int) -> Control:
    """Prune twice: to random labels, which are the model's own in another order, and to its own."""
    rng = np.random.default_rng(seed)
    if len(examples) > MOST_INPUTS:
        examples = examples.take(np.sort(rng.permutation(len(examples))[:MOST_INPUTS]))
    right, found = examples.right, []
    for labels, which in ((rng.permutation(right), "random labels"), (right, "the model's own labels")):
        circuit, parts = prune(replace(examples, right=labels), which)
        reached = decisions(circuit, examples.ids, examples.columns) == labels
        found.append((parts, float(reached.mean())))
    chance = float(np.bincount(right).max() / len(right))
    return Control(what, *found[0], chance, *found[1])


def by_trained_masks(model: SparseGpt, examples: Examples, seed: int, say: Say) -> Control:
    """Prune nodes with the gates that `relucid prune` trains (`node_masks.py`), and mean ablation."""
    settings = PruningSettings(seed=seed)

    def prune(examples: Examples, which: str) -> tuple[Circuit, int]:
        def told(step: int) -> None:
            say(f"control, {which}: step {step} of {settings.steps}")

        mask = trained_mask(model, examples, COST, settings, told)
        return replace(model, mask=mask), mask.nodes_kept

    return control_of("nodes", prune, examples, seed)


def edge_by_edge(circuit: EdgePruned, examples: Examples, seed: int, say: Say) -> Control | None:
    """Prune edges, from the last to the first: each goes for good if no more labels are missed without it.

    Returns: the control; None if there are more than MOST_EDGES edges.
    """
    edges = circuit.edges_in_order()
    if len(edges) > MOST_EDGES:
        return None

    def prune(examples: Examples, which: str) -> tuple[Circuit, int]:
        tried = examples.take(np.arange(0, len(examples), max(1, len(examples) // TRIED)))

        def reached(kept: frozenset[object]) -> int:
            found = decisions(circuit.with_edges(kept), tried.ids, tried.columns)
            return int((found == tried.right).sum())

        kept = frozenset(edges)
        best = reached(kept)
        for i, edge in enumerate(reversed(edges)):
            say(f"control, {which}: edge {i + 1} of {len(edges)}")
            count = reached(kept - {edge})
            if count >= best:
                kept, best = kept - {edge}, count
        return circuit.with_edges(kept), len(kept)

    return control_of("edges", prune, examples, seed)
