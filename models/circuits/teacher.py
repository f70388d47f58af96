"""The circuit's decision on every input of a domain: the labels that surrogate and program are held to.

The circuit reads prefix + sequence + suffix without padding; its decision is the logits at the last position,
restricted to the labels, exactly equal ones going to the lowest label index.  The labels are what the float32 run on
this machine gave, so the smallest margin comes with them: where it is far above 1e-4, rounding had no say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...common.errors import InputError
from ..automata.labelled import Labelled
from ..claims.domain import Domain
from ..claims.language import build_language
from .circuit import Circuit

LARGEST_DOMAIN = 10**7
REPEATED = 64  # inputs on which a circuit is asked twice
SLACK = 1e-3  # by how much its two answers may differ: some GPU kernels add in another order each time


@dataclass(frozen=True, eq=False)
class Teaching:
    """Inputs with the circuit's label and `margins` (best minus second best); `closest` is the sequence with the smallest one."""

    labelled: Labelled
    margins: np.ndarray
    smallest_margin: float
    closest: tuple[str, ...]


def label_domain(
    circuit: Circuit,
    domain: Domain,
    labels: Sequence[object],
    progress: Callable[[int, int], None] | None = None,
) -> Teaching:
    """Run the circuit on the whole domain.  `progress(done, all)` is called after each batch."""
    ask = Questions(circuit, domain, labels)
    language = build_language(domain, None, None)
    if language.empty:
        raise InputError(
            "[domain]", "the domain is empty: `where` keeps no sequence", "loosen the predicate or the length"
        )
    size = language.size
    if size > LARGEST_DOMAIN:
        raise InputError(
            "[domain]",
            f"{size} inputs are too many to run the circuit on each",
            f"keep it to {LARGEST_DOMAIN}",
        )
    words, decisions, margins = [], [], []
    margin, closest, done = float("inf"), np.zeros(domain.max_length, dtype=np.int16), 0
    for batch, _ in language.words():
        best, gaps = ask(batch)
        lowest = int(gaps.argmin())
        if gaps[lowest] < margin:
            margin, closest = float(gaps[lowest]), batch[lowest]
        words.append(batch)
        decisions.append(best)
        margins.append(gaps)
        done += len(batch)
        if progress is not None:
            progress(done, size)
    labelled = Labelled(np.concatenate(words), np.concatenate(decisions))
    return Teaching(labelled, np.concatenate(margins), margin, domain.unpadded(closest))


def check_repeatable(circuit: Circuit, teaching: Teaching, domain: Domain, labels: Sequence[object]) -> None:
    """Ask a few inputs twice, in equal batches: raises InputError where the answers differ, as with dropout left on."""
    ask, words = Questions(circuit, domain, labels), teaching.labelled.words[:REPEATED]
    (first, margins), (second, again) = ask(words), ask(words)
    flipped = (first != second) & (margins > SLACK)
    if flipped.any() or not np.allclose(margins, again, rtol=SLACK, atol=SLACK):
        raise InputError(
            circuit.name, "gives different logits for the same inputs", "switch off dropout and sampling"
        )


class Questions:
    """Words of the domain in, the circuit's decisions out."""

    def __init__(self, circuit: Circuit, domain: Domain, labels: Sequence[object]) -> None:
        number = {word: i for i, word in enumerate(circuit.vocabulary)}
        self.circuit, self.pad = circuit, len(domain.tokens)
        self.columns = _label_columns(circuit, number, labels)
        self.prefix = _ids(circuit, number, domain.prefix, "[domain] prefix")
        self.suffix = _ids(circuit, number, domain.suffix, "[domain] suffix")
        self.tokens = _ids(circuit, number, domain.tokens, "[domain] tokens")

    def __call__(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Label indices and margins (best minus second best) for padded words."""
        best, gaps = np.zeros(len(words), dtype=np.int64), np.full(len(words), np.inf)
        for rows, ids in self.ids(words):
            chosen = self._logits(ids)[:, self.columns]
            if not np.isfinite(chosen).all():
                raise InputError(
                    self.circuit.name,
                    "gives logits that are not finite on this domain",
                    "the weights overflow float32",
                )
            best[rows] = chosen.argmax(axis=1)  # numpy's argmax takes the first of equal values
            if len(self.columns) > 1:
                ordered = np.sort(chosen, axis=1)
                gaps[rows] = ordered[:, -1].astype(np.float64) - ordered[:, -2]
        return best, gaps

    def ids(self, words: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What the circuit reads, length by length: rows of `words`, and their ids (rows, positions)."""
        lengths = (words < self.pad).sum(axis=1)
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            body = self.tokens[words[rows, :length].astype(np.int64)]
            yield (
                rows,
                np.concatenate(
                    [np.tile(self.prefix, (len(rows), 1)), body, np.tile(self.suffix, (len(rows), 1))], axis=1
                ),
            )

    def _logits(self, ids: np.ndarray) -> np.ndarray:
        """One row of real numbers per sequence, or InputError: numpy would spread a single row over the whole batch."""
        answer = self.circuit.logits(ids)
        try:
            logits = np.asarray(answer)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                self.circuit.name, f"its logits are not an array ({error})", "return float32 (batch, vocab)"
            ) from None
        wide = len(self.circuit.vocabulary)
        if (
            logits.ndim != 2
            or len(logits) != len(ids)
            or logits.shape[1] < wide
            or logits.dtype.kind not in "fiub"
        ):
            what = f"gives logits of shape {logits.shape} and type {logits.dtype} for {len(ids)} sequences"
            raise InputError(self.circuit.name, what, f"return float32 ({len(ids)}, {wide})")
        return logits


def _label_columns(circuit: Circuit, number: dict[str, int], labels: Sequence[object]) -> np.ndarray:
    strange = next((y for y in labels if not isinstance(y, str)), None)
    if strange is not None:
        raise InputError(
            "[decision] labels",
            f"{strange!r} is not a string",
            "a circuit's labels are words of its vocabulary",
        )
    return _ids(circuit, number, labels, "[decision] labels")


def _ids(circuit: Circuit, number: dict[str, int], words: Sequence[object], place: str) -> np.ndarray:
    unknown = next((w for w in words if w not in number), None)
    if unknown is not None:
        known = ", ".join(map(repr, list(number)[:20])) + (", ..." if len(number) > 20 else "")
        raise InputError(
            place, f"{unknown!r} is not in the vocabulary of {circuit.name}", f"its words are {known}"
        )
    if len(number) < len(circuit.vocabulary):
        twice = next((w for w in words if sum(w == known for known in circuit.vocabulary) > 1), None)
        if twice is not None:
            raise InputError(
                place,
                f"{twice!r} is in the vocabulary of {circuit.name} twice",
                "give each id a word of its own",
            )
    return np.array([number[w] for w in words], dtype=np.int64)  # type: ignore[index]
