"""The circuit's decision on every input of a domain: the labels that surrogate and program have to give.

The circuit reads prefix + sequence + suffix without padding.  Its decision is its logits at the last
position, restricted to the labels; exactly equal logits go to the lowest label index.  The labels are what
the float32 run on this machine gave, so the smallest margin comes with them: if it is far above 1e-4,
rounding had no say.
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
from .vocabulary import token_ids

LARGEST_DOMAIN = 10**7  # inputs
REPEATED = 64  # inputs on which a circuit is asked twice
SLACK = 1e-3  # by how much its two answers may differ: some GPU kernels add in another order each time


@dataclass(frozen=True, eq=False)
class Teaching:
    """What the circuit said.

    Args:
        labelled: padded words with label indices.
        margins: for each word, the best label's logit minus the second best's.
        smallest_margin: of all words that were run, which may be more.
        closest: the tokens of the word that has it.
    """

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
    """Run the circuit on every input of a domain.

    Args:
        circuit: what to run.
        domain: the inputs.
        labels: tokens that the circuit chooses from.
        progress: called as `progress(done, all)` after each batch.

    Raises:
        InputError: the domain is empty, too large, or does not fit the circuit.
    """
    decide = CircuitDecisions(circuit, domain, labels)
    language = build_language(domain, None, None)
    if language.empty:
        what = "the domain is empty: `where` keeps no sequence"
        raise InputError("[domain]", what, "loosen the predicate or the length")
    size = number_checked(language.size)
    words, decisions, margins, done = [], [], [], 0
    for batch, _ in language.words():
        best, gaps = decide(batch)
        words.append(batch)
        decisions.append(best)
        margins.append(gaps)
        done += len(batch)
        if progress is not None:
            progress(done, size)
    labelled, every_margin = (
        Labelled(np.concatenate(words), np.concatenate(decisions)),
        np.concatenate(margins),
    )
    lowest = int(every_margin.argmin())
    closest = domain.unpadded(labelled.words[lowest])
    return Teaching(labelled, every_margin, float(every_margin[lowest]), closest)


def number_checked(size: int) -> int:
    """Return the number of inputs.  Raises InputError if a circuit cannot be run on so many."""
    if size > LARGEST_DOMAIN:
        what = f"{size} inputs are too many to run the circuit on each"
        raise InputError("[domain]", what, f"keep it to {LARGEST_DOMAIN}")
    return size


def decided(name: str, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return label indices and margins (infinite for one label), (...), for logits of labels (..., labels).

    name: the circuit's, for messages.

    Raises InputError: logits are not finite.
    """
    if not np.isfinite(chosen).all():
        raise InputError(
            name, "gives logits that are not finite on this domain", "the weights overflow float32"
        )
    best = chosen.argmax(axis=-1)  # numpy's argmax takes the first of equal values
    if chosen.shape[-1] < 2:
        return best, np.full(best.shape, np.inf)
    ordered = np.sort(chosen, axis=-1)
    return best, ordered[..., -1].astype(np.float64) - ordered[..., -2]


def check_repeatable(circuit: Circuit, teaching: Teaching, domain: Domain, labels: Sequence[object]) -> None:
    """Run a few inputs twice, in equal batches.

    Raises:
        InputError: the answers differ, as they do with dropout left on.
    """
    check_same(circuit.name, CircuitDecisions(circuit, domain, labels), teaching.labelled.words[:REPEATED])


def check_same(
    name: str, decide: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], words: np.ndarray
) -> None:
    """Run words twice; `decide` gives label indices and margins.  Raises InputError: the answers differ."""
    (first, margins), (second, again) = decide(words), decide(words)
    flipped = (first != second) & (margins > SLACK)
    if flipped.any() or not np.allclose(margins, again, rtol=SLACK, atol=SLACK):
        what = "gives different logits for the same inputs"
        raise InputError(name, what, "switch off dropout and sampling")


class CircuitDecisions:
    """Turns words of a domain into a circuit's decisions.

    Args:
        circuit: what to run.
        domain: its tokens, prefix and suffix become the circuit's ids.
        labels: tokens that the circuit chooses from.

    Raises:
        InputError: a token or label is not in the circuit's vocabulary.
    """

    def __init__(self, circuit: Circuit, domain: Domain, labels: Sequence[object]) -> None:
        place = "[decision] labels"
        unknown = next((y for y in labels if not isinstance(y, str)), None)
        if unknown is not None:
            what = f"{unknown!r} is not a string"
            raise InputError(place, what, "a circuit's labels are tokens of its vocabulary")

        def ids(tokens: Sequence[object], place: str) -> np.ndarray:
            return token_ids(circuit.name, circuit.vocabulary, tokens, place)

        self.circuit, self.pad = circuit, len(domain.tokens)
        self.columns = ids(labels, place)
        self.prefix = ids(domain.prefix, "[domain] prefix")
        self.suffix = ids(domain.suffix, "[domain] suffix")
        self.tokens = ids(domain.tokens, "[domain] tokens")

    def __call__(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return label indices and margins (infinite for one label), (n,), for padded words."""
        best, gaps = np.zeros(len(words), dtype=np.int64), np.full(len(words), np.inf)
        for rows, ids in self.ids(words):
            chosen = self._logits(ids)[:, self.columns]
            best[rows], gaps[rows] = decided(self.circuit.name, chosen)
        return best, gaps

    def ids(self, words: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Give what the circuit reads, for one length after the other.

        Args:
            words: padded words (n, max_length).

        Returns: row numbers of `words`, and int64 ids (rows, positions).
        """
        lengths = (words < self.pad).sum(axis=1)
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            body = self.tokens[words[rows, :length].astype(np.int64)]
            before, after = (np.tile(side, (len(rows), 1)) for side in (self.prefix, self.suffix))
            yield rows, np.concatenate([before, body, after], axis=1)

    def _logits(self, ids: np.ndarray) -> np.ndarray:
        """Check that each sequence has a row of numbers: numpy would spread one row over all of them."""
        answer, name = self.circuit.logits(ids), self.circuit.name
        try:
            logits = np.asarray(answer)
        except (TypeError, ValueError, RuntimeError) as error:
            what = f"its logits are not an array ({error})"
            raise InputError(name, what, "return float32 (batch, vocab)") from None
        wide = len(self.circuit.vocabulary)
        fits = logits.ndim == 2 and len(logits) == len(ids) and logits.shape[1] >= wide
        if not fits or logits.dtype.kind not in "fiub":
            what = f"gives logits of shape {logits.shape} and type {logits.dtype} for {len(ids)} sequences"
            raise InputError(name, what, f"return float32 ({len(ids)}, {wide})")
        return logits
