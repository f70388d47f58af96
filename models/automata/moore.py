"""State machines with a label at each state: what a program computes that runs a table.

Sources: Moore, "Gedanken-experiments on sequential machines" (1956), for the machines and for merging states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...common.text import word


@dataclass(frozen=True, eq=False)
class MooreMachine:
    """A deterministic machine that reads tokens.  State 0 begins.

    Args:
        step: step[state, token] is the next state, or -1 if no input goes there, (states, tokens).
        labels: the label index of inputs that end in a state, or -1 if none does, (states,).

    Raises:
        ValueError: the parts do not fit, or there is no state.
    """

    step: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.step.ndim != 2 or not len(self.step) or self.labels.shape != (len(self.step),):
            raise ValueError(f"steps {self.step.shape} and labels {self.labels.shape} do not fit")
        if self.step.size and not -1 <= int(self.step.min()) <= int(self.step.max()) < len(self.step):
            raise ValueError("a step leads to no state")

    def __len__(self) -> int:
        return len(self.step)

    def run(self, tokens: Sequence[int]) -> int:
        """Return the label index of an input, or -1 if the machine has none for it."""
        state = 0
        for token in tokens:
            state = int(self.step[state, token])
            if state < 0:
                return -1
        return int(self.labels[state])

    def minimal(self) -> MooreMachine:
        """Return the machine with equal states merged, numbered in the order in which words reach them."""
        _, classes = np.unique(self.labels, return_inverse=True)
        while True:
            following = np.where(self.step >= 0, classes[np.maximum(self.step, 0)], -1)
            keys = np.concatenate([classes[:, None], following], axis=1)
            _, first, finer = np.unique(keys, axis=0, return_index=True, return_inverse=True)
            finer = finer.reshape(-1)
            if len(first) == len(np.unique(classes)):
                break
            classes = finer
        class_of = [int(c) for c in finer]
        queue, number = [0], {class_of[0]: 0}
        for state in queue:
            for target in map(int, self.step[state]):
                if target >= 0 and class_of[target] not in number:
                    number[class_of[target]] = len(number)
                    queue.append(target)
        step = [[number[class_of[t]] if t >= 0 else -1 for t in map(int, self.step[q])] for q in queue]
        return MooreMachine(
            np.array(step, dtype=np.int64).reshape(len(queue), self.step.shape[1]), self.labels[queue]
        )

    def access_words(self) -> list[tuple[int, ...]]:
        """Return a shortest word that leads to each state, as token indices; () where none does."""
        words: dict[int, tuple[int, ...]] = {0: ()}
        queue = [0]
        for state in queue:
            for token, target in enumerate(map(int, self.step[state])):
                if target >= 0 and target not in words:
                    words[target] = (*words[state], token)
                    queue.append(target)
        return [words.get(state, ()) for state in range(len(self))]

    def names(self, tokens: Sequence[str]) -> list[str]:
        """Name each state by a shortest word that leads there."""
        written = [" ".join(word(tokens[t]) for t in path) for path in self.access_words()]
        return [name or "start" for name in written]

    def steps(self, state: int) -> dict[int, list[int]]:
        """Return the tokens that lead from a state, by the next state."""
        found: dict[int, list[int]] = {}
        for token, target in enumerate(map(int, self.step[state])):
            if target >= 0:
                found.setdefault(target, []).append(token)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the steps (null where there is none) and the label indices, as lists."""
        return {
            "step": [[t if t >= 0 else None for t in row] for row in self.step.tolist()],
            "labels": [y if y >= 0 else None for y in self.labels.tolist()],
        }


def read_machine(data: Mapping[str, Any]) -> MooreMachine:
    """Read what `to_json` gave.  Raises ValueError if it is something else."""
    rows, labels = data["step"], data["labels"]
    entries: list[Any] = [labels, *rows] if isinstance(rows, list) else [None]
    if not all(isinstance(e, list) and all(v is None or type(v) is int for v in e) for e in entries):
        raise ValueError("no lists of numbers")
    if not all(0 <= v <= len(rows) + len(labels) for e in entries for v in e if v is not None):
        raise ValueError("a number is out of range")
    step = [[-1 if v is None else v for v in row] for row in rows]
    if len({len(row) for row in step}) > 1:
        raise ValueError("rows of several lengths")
    return MooreMachine(np.array(step, dtype=np.int64), np.array([-1 if v is None else v for v in labels]))


def token_class(tokens: Sequence[str], chosen: Sequence[int], most: int = 6) -> str:
    """Write a set of tokens briefly.

    Args:
        tokens: all tokens.
        chosen: indices of some of them.
        most: how many are listed.
    """
    if len(chosen) == len(tokens) > 1:
        return "any"
    rest = [t for t in range(len(tokens)) if t not in set(chosen)]
    if len(rest) < len(chosen) and len(rest) <= most and len(chosen) > 2:
        return f"all but {', '.join(word(tokens[t]) for t in rest)}"
    listed = ", ".join(word(tokens[t]) for t in chosen[:most])
    return listed if len(chosen) <= most else f"{listed} and {len(chosen) - most} more"
