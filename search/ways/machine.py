"""State machines and partial automata, as the search uses them.

`layers.py` gives partial automata, `learn.py` folds them into machines, and `recognise.py` writes machines as
Python.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...models.automata.labelled import Labelled


@dataclass(frozen=True, eq=False)
class TokenMachine:
    """A deterministic machine over tokens.

    Args:
        step: step[state, token] is the next state; the state itself if nothing was learnt of it.
        start: the first state.
    """

    step: np.ndarray
    start: int

    def run(self, words: np.ndarray) -> np.ndarray:
        """Return the state after each padded word (n, positions)."""
        stay = np.arange(len(self.step))[:, None]
        table = np.concatenate([self.step, stay], axis=1)  # padding changes nothing
        state = np.full(len(words), self.start)
        for t in range(words.shape[1]):
            state = table[state, words[:, t]]
        return state

    def used(self, words: np.ndarray) -> np.ndarray:
        """Tell which steps some padded word takes, bool (states, tokens)."""
        count, size = self.step.shape
        table = np.concatenate([self.step, np.arange(count)[:, None]], axis=1)
        taken = np.zeros((count, size + 1), dtype=bool)
        state = np.full(len(words), self.start)
        for t in range(words.shape[1]):
            taken[state, words[:, t]] = True
            state = table[state, words[:, t]]
        return taken[:, :size]


@dataclass(frozen=True)
class PartialAutomaton:
    """A deterministic automaton in which steps may be missing.  State 0 begins.

    Args:
        edges: for each state, the next state by token.
        labels: for each state, the label of the sequences that end there; None if none does.
    """

    edges: tuple[dict[int, int], ...]
    labels: tuple[int | None, ...]


def reachable(machine: TokenMachine) -> TokenMachine:
    """Return the machine without the states that no word leads to; state 0 begins."""
    order = [machine.start]
    for state in order:
        order += [int(t) for t in dict.fromkeys(machine.step[state].tolist()) if t not in order]
    place = {q: i for i, q in enumerate(order)}
    return TokenMachine(np.array([[place[int(t)] for t in machine.step[q]] for q in order]), 0)


def separates(machine: TokenMachine, examples: Labelled) -> bool:
    """Tell whether the last state alone gives the label of each example."""
    pairs = np.unique(np.stack([machine.run(examples.words), examples.labels], axis=1), axis=0)
    return len(np.unique(pairs[:, 0])) == len(pairs)
