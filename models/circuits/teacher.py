"""The circuit's decision on every input of a domain: the labels that surrogate and program are held to.

The circuit reads prefix + sequence + suffix without padding; its decision is the logits at the last position,
restricted to the labels, exactly equal ones going to the lowest label index.  The labels are what the float32 run on
this machine gave, so the smallest margin comes with them: where it is far above 1e-4, rounding had no say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..domain import Domain
from ..errors import InputError
from ..labelled import Labelled
from ..language import build_language
from .circuit import Circuit

LARGEST_DOMAIN = 10**7


@dataclass(frozen=True, eq=False)
class Teaching:
    """Every input of the domain with the circuit's label; `closest` is the sequence whose two best labels are `smallest_margin` apart."""

    labelled: Labelled
    smallest_margin: float
    closest: tuple[str, ...]


def label_domain(
    circuit: Circuit, domain: Domain, labels: Sequence[object], progress: Callable[[int, int], None] | None = None
) -> Teaching:
    """Run the circuit on the whole domain.  `progress(done, all)` is called after each batch."""
    number = {word: i for i, word in enumerate(circuit.vocabulary)}
    columns = _label_columns(circuit.name, number, labels)
    prefix = _ids(circuit.name, number, domain.prefix, "[domain] prefix")
    suffix = _ids(circuit.name, number, domain.suffix, "[domain] suffix")
    tokens = _ids(circuit.name, number, domain.tokens, "[domain] tokens")
    language = build_language(domain, None, None)
    if language.empty:
        raise InputError("[domain]", "the domain is empty: `where` keeps no sequence", "loosen the predicate or the length")
    size = language.size
    if size > LARGEST_DOMAIN:
        raise InputError("[domain]", f"{size} inputs are too many to run the circuit on each", f"keep it to {LARGEST_DOMAIN}")
    words, decisions = [], []
    margin, closest, done = float("inf"), np.zeros(domain.max_length, dtype=np.int16), 0
    for batch, _ in language.words():
        best, gaps = _decide(circuit, batch, len(domain.tokens), prefix, tokens, suffix, columns)
        lowest = int(gaps.argmin())
        if gaps[lowest] < margin:
            margin, closest = float(gaps[lowest]), batch[lowest]
        words.append(batch)
        decisions.append(best)
        done += len(batch)
        if progress is not None:
            progress(done, size)
    return Teaching(Labelled(np.concatenate(words), np.concatenate(decisions)), margin, domain.unpadded(closest))


def _decide(
    circuit: Circuit, batch: np.ndarray, pad: int, prefix: np.ndarray, tokens: np.ndarray, suffix: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Label indices and margins (best minus second best) for padded words."""
    best, gaps = np.zeros(len(batch), dtype=np.int64), np.full(len(batch), np.inf)
    lengths = (batch < pad).sum(axis=1)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        body = tokens[batch[rows, :length].astype(np.int64)]
        ids = np.concatenate([np.tile(prefix, (len(rows), 1)), body, np.tile(suffix, (len(rows), 1))], axis=1)
        chosen = circuit.logits(ids)[:, columns]
        if not np.isfinite(chosen).all():
            raise InputError(circuit.name, "gives logits that are not finite on this domain", "the weights overflow float32")
        best[rows] = chosen.argmax(axis=1)  # numpy's argmax takes the first of equal values
        if len(columns) > 1:
            ordered = np.sort(chosen, axis=1)
            gaps[rows] = ordered[:, -1].astype(np.float64) - ordered[:, -2]
    return best, gaps


def _label_columns(name: str, number: dict[str, int], labels: Sequence[object]) -> np.ndarray:
    strange = next((y for y in labels if not isinstance(y, str)), None)
    if strange is not None:
        raise InputError("[decision] labels", f"{strange!r} is not a string", "a circuit's labels are words of its vocabulary")
    return _ids(name, number, labels, "[decision] labels")


def _ids(name: str, number: dict[str, int], words: Sequence[object], place: str) -> np.ndarray:
    unknown = next((w for w in words if w not in number), None)
    if unknown is not None:
        known = ", ".join(map(repr, list(number)[:20])) + (", ..." if len(number) > 20 else "")
        raise InputError(place, f"{unknown!r} is not in the vocabulary of {name}", f"its words are {known}")
    return np.array([number[w] for w in words], dtype=np.int64)  # type: ignore[index]
