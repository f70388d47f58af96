"""Circuits that are only executed: token ids in, labels or logits out, and nothing known about the inside.

`python_function.py`, `torchscript.py` and `onnx_model.py` each give a function; this module makes a circuit of it.  What the
function gives may be one label per sequence (a word, or its id) or logits, at the last position or at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...common.errors import InputError
from .circuit import CircuitSummary
from .formats.checkpoint import VOCABULARY_FILE, read_words


@dataclass(frozen=True, eq=False)
class BlackBox:
    """`run` takes int64 ids (batch, positions); `kind` says what it is."""

    name: str
    vocabulary: tuple[str, ...]
    run: Callable[[np.ndarray], Any]
    kind: str
    origin: str = ""

    def logits(self, ids: np.ndarray) -> np.ndarray:
        """(batch, vocab) at the last position; a label counts as logit 1 among zeros."""
        ids = np.asarray(ids, dtype=np.int64)
        return as_logits(self.name, self.run(ids), len(ids), self.vocabulary)

    def summary(self) -> CircuitSummary:
        return CircuitSummary(self.name, 0, 0, 0, 0, 0, 0, 0, self.origin, self.kind)


def as_logits(name: str, answer: Any, batch: int, vocabulary: tuple[str, ...]) -> np.ndarray:
    """What a function gave as logits of the last position, or one clear line."""
    wanted = f"return labels ({batch},) or logits ({batch}, {len(vocabulary)})"
    if hasattr(answer, "detach"):  # torch
        answer = answer.detach().cpu().numpy()
    try:
        values = np.asarray(answer)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(name, f"its answer is not an array ({error})", wanted) from None
    if values.ndim == 3 and values.shape[1]:
        values = values[:, -1]
    if values.ndim == 2 and values.shape == (batch, 1) and len(vocabulary) > 1:
        values = values[:, 0]
    if values.ndim == 1 and len(values) == batch:
        return _one_hot(name, values, vocabulary, wanted)
    if values.shape != (batch, len(vocabulary)) or values.dtype.kind not in "fiub":
        raise InputError(
            name, f"gives shape {values.shape} and type {values.dtype} for {batch} sequences", wanted
        )
    return values


def _one_hot(name: str, labels: np.ndarray, vocabulary: tuple[str, ...], wanted: str) -> np.ndarray:
    """Labels are words, or ids of the vocabulary; a float label would be a guess at what was meant."""
    if labels.dtype.kind in "OU":
        number = {word: i for i, word in enumerate(vocabulary)}
        strange = next((x for x in labels.tolist() if not isinstance(x, str) or x not in number), None)
        if strange is not None or None in labels.tolist():
            raise InputError(
                name, f"gives the label {strange!r:.60}, which is no word of its vocabulary", wanted
            )
        labels = np.array([number[x] for x in labels.tolist()], dtype=np.int64)
    if labels.dtype.kind not in "iu":
        raise InputError(
            name, f"gives labels of type {labels.dtype}", "labels are words of the vocabulary or their ids"
        )
    if len(labels) and (labels.min() < 0 or labels.max() >= len(vocabulary)):
        raise InputError(
            name,
            f"gives a label id outside 0 to {len(vocabulary) - 1}",
            "label ids are those of the vocabulary",
        )
    out = np.zeros((len(labels), len(vocabulary)), dtype=np.float32)
    out[np.arange(len(labels)), labels.astype(np.int64)] = 1
    return out


def vocabulary_beside(path: Path) -> tuple[str, ...]:
    """The words by id: `NAME.vocab.json` beside NAME.pt, NAME.onnx or NAME.py, else `vocab.json` there."""
    own = path.with_name(f"{path.stem}.{VOCABULARY_FILE}")
    return read_words(own if own.exists() else path.with_name(VOCABULARY_FILE))[0]
