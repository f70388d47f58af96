"""Correct a network by construction: neurons that fire on a box of inputs and fix their label.

Last step of `fit.py`.  On one-hot inputs, relu(sum of the chosen symbols at P positions - (P - 1)) is 1 if
each of the P positions holds a chosen symbol, and 0 otherwise.  A box that holds words of the domain with one
label only may push that label as hard as needed without harm.  Growing boxes lets one neuron correct many
inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..automata.labelled import Labelled
from .layers import Layers
from .quantise import outputs_of

TRIED = 64  # boxes after which hopeless cases are given up: four times their average size must suffice


@dataclass(frozen=True, eq=False)
class WordBox:
    """A set of words: those with allowed symbols at every position.

    Args:
        label: the index of the label of all words of the domain in it.
        allowed: allowed[p, s] tells whether symbol s may stand at position p of the sequence.
    """

    label: int
    allowed: np.ndarray

    @property
    def positions(self) -> list[int]:
        """The positions that the box restricts."""
        return [p for p, row in enumerate(self.allowed) if not row.all()]

    def contains(self, words: np.ndarray) -> np.ndarray:
        """Tell which padded words (n, positions) are in the box: bools (n,)."""
        inside = np.ones(len(words), dtype=bool)
        for p in self.positions:
            inside &= self.allowed[p][words[:, p]]
        return inside


def boxes_for(
    wrong: np.ndarray, words: np.ndarray, labels: np.ndarray, symbols: int, limit: int
) -> list[WordBox] | None:
    """Cover wrong inputs by boxes that hold words of one label only.

    Args:
        wrong: rows of `words`.
        words: all padded words, (n, positions).
        labels: their label indices, (n,).
        symbols: how many symbols there are.
        limit: boxes at most.

    Returns: the boxes; None if `limit` do not suffice.
    """
    rest = np.array(wrong, dtype=np.int64)
    others = {int(c): words[labels != c] for c in np.unique(labels[rest])}
    boxes: list[WordBox] = []
    length = words.shape[1]
    while len(rest):
        if len(boxes) == limit or (
            len(boxes) == TRIED and (len(wrong) - len(rest)) * 4 * limit < len(wrong) * TRIED
        ):
            return None
        row = int(rest[0])
        c = int(labels[row])
        best, covered = None, np.zeros(len(rest), dtype=bool)
        for order in (range(length), range(length - 1, -1, -1)):
            box = _grown(words[row], c, others[c], symbols, order)
            inside = box.contains(words[rest]) & (labels[rest] == c)
            if best is None or inside.sum() > covered.sum():
                best, covered = box, inside
        assert best is not None and covered[0], "a box holds the input that it grew from"
        boxes.append(best)
        rest = rest[~covered]
    return boxes


def _grown(word: np.ndarray, label: int, others: np.ndarray, symbols: int, order: Sequence[int]) -> WordBox:
    """Grow a box around a word, position by position, while it keeps out every word of `others`."""
    outside = others != word
    reasons = outside.sum(axis=1)  # how many positions keep each word out
    allowed = np.zeros((len(word), symbols), dtype=bool)
    allowed[np.arange(len(word)), word] = True
    for p in order:
        if not (outside[:, p] & (reasons == 1)).any():
            allowed[p] = True
            reasons = reasons - outside[:, p]
            outside[:, p] = False
    for p in order:
        if allowed[p].all():
            continue
        needed = outside[:, p] & (reasons == 1)
        row = np.ones(symbols, dtype=bool)
        row[others[needed, p]] = False
        released = outside[:, p] & row[others[:, p]]
        reasons = reasons - released
        outside[released, p] = False
        allowed[p] = row
    return WordBox(label, allowed)


def corrected(
    layers: Layers, boxes: Sequence[WordBox], labelled: Labelled, ids: np.ndarray, prefix: int
) -> Layers:
    """Add one neuron for each box, and a copy of it to each later hidden layer.

    Args:
        layers: the network.
        boxes: what to correct.
        labelled: all words.
        ids: their alphabet indices, (n, positions of the network).
        prefix: positions before the sequence.
    """
    if not boxes:
        return layers
    outputs = outputs_of(layers, ids)
    positions = ids.shape[1]
    weight, bias = layers[0]
    alphabet = weight.shape[1] // positions
    added = np.zeros((len(boxes), positions, alphabet))
    offsets = np.zeros(len(boxes))
    push = np.zeros((len(layers[-1][1]), len(boxes)))
    for i, box in enumerate(boxes):
        for p in box.positions:
            added[i, prefix + p, : box.allowed.shape[1]] = box.allowed[p]
        offsets[i] = 1 - len(box.positions)
        inside = box.contains(labelled.words)
        rivals = outputs[inside].copy()
        right = rivals[:, box.label].copy()
        rivals[:, box.label] = -np.inf
        push[box.label, i] = max(0.0, np.floor((rivals.max(axis=1) - right).max())) + 1
    out: Layers = [(np.concatenate([weight, added.reshape(len(boxes), -1)]), np.concatenate([bias, offsets]))]
    for hidden, offset in layers[1:-1]:
        rows, columns = hidden.shape
        wide = np.zeros((rows + len(boxes), columns + len(boxes)))
        wide[:rows, :columns] = hidden
        wide[rows:, columns:] = np.eye(len(boxes))
        out.append((wide, np.concatenate([offset, np.zeros(len(boxes))])))
    last, offset = layers[-1]
    out.append((np.concatenate([last, push], axis=1), offset))
    return out
