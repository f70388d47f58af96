"""Circuits that are only executed: token ids in, labels or logits out, and nothing known of the inside.

The formats for Python functions, TorchScript and ONNX models each give a function; this module makes a
circuit of it.  The function may give one label per sequence (a token or its id), or logits, at the last
position or at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...common.errors import InputError
from .circuit import CircuitSummary, DisplayedCircuit


@dataclass(frozen=True, eq=False, repr=False)
class BlackBox(DisplayedCircuit):
    """A circuit that is a function.

    Args:
        name: for people.
        vocabulary: the token of each id.
        run: takes int64 ids (batch, positions); `as_logits` says what it may give.
        kind: what the function is, for people.
        origin: where it came from, for people.
    """

    name: str
    vocabulary: tuple[str, ...]
    run: Callable[[np.ndarray], Any]
    kind: str
    origin: str = ""

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """Return logits (batch, vocabulary) at the last position.  A label counts as logit 1 among zeros."""
        ids = np.asarray(ids, dtype=np.int64)
        return as_logits(self.name, self.run(ids), len(ids), self.vocabulary)

    def all_logits(self, ids: np.ndarray) -> np.ndarray:
        """Return logits (batch, positions, vocabulary).

        Raises InputError if the function gives one answer for a sequence.
        """
        ids = np.asarray(ids, dtype=np.int64)
        values = _array(self.name, self.run(ids), f"return logits {(*ids.shape, len(self.vocabulary))}")
        if values.shape != (*ids.shape, len(self.vocabulary)) or values.dtype.kind not in "fiub":
            what = f"gives shape {values.shape} and type {values.dtype} for ids {ids.shape}, and no logits"
            mend = f"return {(*ids.shape, len(self.vocabulary))}, or leave out position"
            raise InputError(self.name, f"{what} at every position", mend)
        return values

    def summary(self) -> CircuitSummary:
        """Return what there is to say: no sizes."""
        return CircuitSummary(self.name, 0, 0, 0, 0, 0, 0, 0, self.origin, self.kind)


def as_logits(name: str, answer: Any, batch: int, vocabulary: tuple[str, ...]) -> np.ndarray:
    """Turn what a function gave into logits of the last position.

    Args:
        name: the function's name, for messages.
        answer: labels (batch,) or (batch, 1), logits (batch, vocabulary), or logits (batch, positions,
            vocabulary).
        batch: how many sequences it was given.
        vocabulary: the token of each id.

    Returns: numbers (batch, vocabulary).

    Raises:
        InputError: the answer is something else.
    """
    wanted = f"return labels ({batch},) or logits ({batch}, {len(vocabulary)})"
    values = _array(name, answer, wanted)
    if values.ndim == 3 and values.shape[1]:
        values = values[:, -1]
    if values.ndim == 2 and values.shape == (batch, 1) and len(vocabulary) > 1:
        values = values[:, 0]
    if values.ndim == 1 and len(values) == batch:
        return _one_hot(name, values, vocabulary, wanted)
    if values.shape != (batch, len(vocabulary)) or values.dtype.kind not in "fiub":
        what = f"gives shape {values.shape} and type {values.dtype} for {batch} sequences"
        raise InputError(name, what, wanted)
    return values


def _array(name: str, answer: Any, wanted: str) -> np.ndarray:
    if hasattr(answer, "detach"):  # a torch tensor
        answer = answer.detach().cpu().numpy()
    try:
        return np.asarray(answer)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(name, f"its answer is not an array ({error})", wanted) from None


def _one_hot(name: str, labels: np.ndarray, vocabulary: tuple[str, ...], wanted: str) -> np.ndarray:
    """Encode labels, which are tokens or ids; a float label would be a guess at what was meant."""
    if labels.dtype.kind in "OU":
        ids = {token: i for i, token in enumerate(vocabulary)}
        unknown = [x for x in labels.tolist() if not isinstance(x, str) or x not in ids]
        if unknown:
            what = f"gives the label {unknown[0]!r:.60}, which is no token of its vocabulary"
            raise InputError(name, what, wanted)
        labels = np.array([ids[x] for x in labels.tolist()], dtype=np.int64)
    if labels.dtype.kind not in "iu":
        what = f"gives labels of type {labels.dtype}"
        raise InputError(name, what, "labels are tokens of the vocabulary or their ids")
    if len(labels) and (labels.min() < 0 or labels.max() >= len(vocabulary)):
        what = f"gives a label id outside 0 to {len(vocabulary) - 1}"
        raise InputError(name, what, "label ids are those of the vocabulary")
    out = np.zeros((len(labels), len(vocabulary)), dtype=np.float32)
    out[np.arange(len(labels)), labels.astype(np.int64)] = 1
    return out
