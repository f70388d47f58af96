"""Small state machines from labelled examples, for behaviours that no template describes.

The examples become a small acyclic automaton (`layers.py`), which is folded.  If its middle layers are copies
of a machine's states, aligning them gives the machine (`align.py`).  Otherwise one with as few states as
possible is looked for (`backtrack.py`); if that takes too long, states are merged (`merge.py`).
"""

from __future__ import annotations

import numpy as np

from ...models.automata.labelled import Labelled
from ...models.automata.layered import Layered
from .align import aligned
from .backtrack import smallest_machine
from .layers import acyclic, in_layers, without_padding
from .machine import PartialAutomaton, TokenMachine, reachable, separates
from .merge import merged_machine

MAX_STATES = 400  # of the acyclic automaton
SAMPLE = 512  # examples that an aligned machine is tried on first


def learn_machines(examples: Labelled, size: int, suggested: Layered | None = None) -> list[TokenMachine]:
    """Learn machines that give every example its label in their last state.

    Args:
        examples: labelled words.
        size: the number of tokens, which is the symbol of padding.
        suggested: a layered automaton that may be right on more words than the examples, if they are a
            sample.

    Returns: at most two machines, smallest first.
    """
    if len(np.unique(examples.labels)) < 2:
        return []
    if suggested is None:
        graph = acyclic(examples, size, MAX_STATES)
    else:
        graph = without_padding(suggested.tables, suggested.finals, size)
    if graph is None:
        return []
    first = _aligned(graph, examples, size)
    if first is not None:
        return [first]
    if len(graph.edges) > MAX_STATES:
        return []
    smallest = smallest_machine(graph, size)
    merged = () if smallest else (merged_machine(graph, size, by_score) for by_score in (True, False))
    found = [m for m in (smallest, *merged) if m is not None and separates(m, examples)]
    return sorted(found, key=lambda m: len(m.step))


def _aligned(graph: PartialAutomaton, examples: Labelled, size: int) -> TokenMachine | None:
    """Return the first machine that aligning layers gives and that is right on all examples."""
    some = examples.take(np.arange(0, len(examples), max(1, len(examples) // SAMPLE)))
    for table in aligned(in_layers(graph, size)):
        step = np.where(table >= 0, table, np.arange(len(table))[:, None])
        for start in range(len(step)):
            machine = TokenMachine(step, start)
            if separates(machine, some) and separates(machine, examples):
                return reachable(machine)
    return None
