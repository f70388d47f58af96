"""A circuit's decisions at every position, as labels of prefixes.

For tasks with `position = "every"` and `per_prefix`: where the circuit is causal, its label at a position is
a function of the tokens up to there.  So it is run on whole sequences once, read at every position of them,
and becomes a function on the domain of all prefixes.  That it depends on the prefix only is not assumed: two
sequences that begin alike and have another label there are an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...common.errors import InputError
from ..automata.labelled import Labelled
from ..claims.domain import Domain
from ..claims.language import build_language
from .circuit import AnswersEverywhere, Circuit
from .teacher import REPEATED, CircuitDecisions, Teaching, check_same, decided, number_checked

MEND = 'state a task about its last position only: leave out position = "every"'


def prefix_domain(domain: Domain) -> Domain:
    """Return the domain of all prefixes of the sequences, but for the empty one, without the suffix.

    Raises InputError where `where` keeps a sequence and not all of its prefixes, or a prefix of none.
    """
    if not domain.max_length:
        raise InputError("[domain] length", "the empty sequence has no position", "allow at least one token")
    pad, taken = domain.pad, {*domain.tokens, *domain.prefix}
    if pad is None and domain.max_length > 1:
        pad = "<pad>"
        while pad in taken:
            pad += "_"
    found = replace(domain, min_length=1, pad=pad, suffix=())
    if domain.where is not None:
        _check_closed(domain, found)
    return found


def _check_closed(domain: Domain, prefixes: Domain) -> None:
    """Raise InputError unless the predicate keeps all prefixes of what it keeps, and no others."""
    assert domain.where is not None
    kept, told = _words(domain), _words(prefixes)
    meant = [kept[:0]]
    for n in range(1, domain.max_length + 1):
        prefix = np.full_like(kept, len(domain.tokens))
        prefix[:, :n] = kept[:, :n]
        meant.append(np.unique(prefix[(prefix[:, :n] < len(domain.tokens)).all(axis=1)], axis=0))
    for some, others, what in (
        (np.concatenate(meant), told, "is false on {!r}, which is a prefix of a sequence that it keeps"),
        (told, np.concatenate(meant), "is true on {!r}, which is no prefix of a sequence of the domain"),
    ):
        if len(wrong := np.setdiff1d(_records(some), _records(others))):
            words = wrong.view(np.int16).reshape(len(wrong), -1)
            shown = min((prefixes.unpadded(word) for word in words), key=lambda word: (len(word), word))
            what = f"{domain.where.name} {what.format(shown)}"
            raise InputError("[domain] where", what, "keep all prefixes of a sequence, or leave it out")


def _words(domain: Domain) -> np.ndarray:
    language = build_language(domain, None, None)
    number_checked(language.size)
    parts = [words for words, _ in language.words()]
    return np.concatenate(parts) if parts else np.zeros((0, domain.max_length), dtype=np.int16)


def _records(words: np.ndarray) -> np.ndarray:
    """Return words as records, which numpy compares as wholes."""
    return np.ascontiguousarray(words, dtype=np.int16).view([("", np.int16)] * words.shape[1]).reshape(-1)


class PositionDecisions:
    """Turns words of a domain into a circuit's decisions at all of their positions.

    Args:
        circuit: what to run.
        domain: its tokens, prefix and suffix become the circuit's ids.
        labels: tokens that the circuit chooses from.

    Raises:
        InputError: the circuit gives no logits at every position, or a token is not in its vocabulary.
    """

    def __init__(self, circuit: Circuit, domain: Domain, labels: Sequence[object]) -> None:
        if not isinstance(circuit, AnswersEverywhere):
            raise InputError(circuit.name, "gives logits at the last position only (no all_logits)", MEND)
        self.circuit, self._last = circuit, CircuitDecisions(circuit, domain, labels)

    def __call__(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return label indices and margins, (n, max_length), for padded words; -1 where there is no token."""
        best, gaps = np.full(words.shape, -1, dtype=np.int64), np.full(words.shape, np.inf)
        before = len(self._last.prefix)
        for rows, ids in self._last.ids(words):
            length = int((words[rows[0]] < self._last.pad).sum())
            if not length:
                continue
            chosen = self._logits(ids)[:, before : before + length, self._last.columns]
            best[rows, :length], gaps[rows, :length] = decided(self.circuit.name, chosen)
        return best, gaps

    def _logits(self, ids: np.ndarray) -> np.ndarray:
        logits = np.asarray(self.circuit.all_logits(ids))
        wide = len(self.circuit.vocabulary)
        if logits.ndim != 3 or logits.shape[:2] != ids.shape or logits.shape[2] < wide:
            what = f"gives all_logits of shape {logits.shape} for ids of shape {ids.shape}"
            raise InputError(self.circuit.name, what, f"return {(*ids.shape, wide)}")
        if logits.dtype.kind not in "fiub":
            raise InputError(self.circuit.name, f"gives all_logits of type {logits.dtype}", "return floats")
        return logits


def label_prefixes(
    circuit: Circuit,
    sequences: Domain,
    prefixes: Domain,
    labels: Sequence[object],
    progress: Callable[[int, int], None] | None = None,
) -> Teaching:
    """Run the circuit on every sequence, and return its label on every prefix.

    Args:
        circuit: what to run.
        sequences: what it is run on.
        prefixes: `prefix_domain` of that.
        labels: tokens that the circuit chooses from.
        progress: called as `progress(done, all)` after each batch.

    Raises:
        InputError: the domain is too large or does not fit the circuit; the label at some position depends on
            more than the prefix, or differs from run to run.
    """
    decide, language = PositionDecisions(circuit, sequences, labels), build_language(sequences, None, None)
    number_checked(language.size)
    read = _Read(circuit.name, sequences, labels)
    done = 0
    for words, _ in language.words():
        if not done:
            check_same(circuit.name, decide, words[:REPEATED])
        read.add(words, *decide(words))
        done += len(words)
        if progress is not None:
            progress(done, language.size)
    found, decisions, margins = read.whole()
    lowest = int(margins.argmin())
    closest = prefixes.unpadded(found[lowest])
    return Teaching(Labelled(found, decisions), margins, float(margins[lowest]), closest)


def check_prefixes(
    circuit: Circuit, sequences: Domain, prefixes: Domain, labels: Sequence[object], words: np.ndarray
) -> None:
    """Check on some sequences that the label at a position is that of the prefix alone.

    Args:
        circuit, sequences, prefixes, labels: as for `label_prefixes`.
        words: padded words of the sequences.

    Raises InputError where it is not.
    """
    read = _Read(circuit.name, sequences, labels)
    read.add(words, *PositionDecisions(circuit, sequences, labels)(words))
    found, decisions, _ = read.whole()
    alone, _ = CircuitDecisions(circuit, prefixes, labels)(found)
    for i in np.flatnonzero(alone != decisions)[:1]:
        said, other = (repr(labels[int(y)]) for y in (decisions[i], alone[i]))
        prefix = prefixes.unpadded(found[i])
        what = f"gives {said} at the end of {prefix!r} where more follows, and {other} where nothing does"
        raise InputError(circuit.name, f"{what}: its label is no function of the prefix", MEND)


class _Read:
    """What was read at positions: for each prefix its label, its smallest margin, and a word that has it."""

    def __init__(self, name: str, sequences: Domain, labels: Sequence[object]) -> None:
        self.name, self.sequences, self.labels = name, sequences, labels
        self.pad = len(sequences.tokens)
        self.rows = np.zeros((0, 2 * sequences.max_length), dtype=np.int16)  # prefixes, and the words
        self.decisions, self.margins = np.zeros(0, dtype=np.int64), np.zeros(0)

    def add(self, words: np.ndarray, best: np.ndarray, gaps: np.ndarray) -> None:
        """Take in decisions (n, max_length) on words.  Raises InputError where they contradict each other."""
        rows, decisions, margins = [self.rows], [self.decisions], [self.margins]
        for i in range(words.shape[1]):
            there = best[:, i] >= 0
            prefix = np.full((int(there.sum()), words.shape[1]), self.pad, dtype=np.int16)
            prefix[:, : i + 1] = words[there, : i + 1]
            rows.append(np.concatenate([prefix, words[there].astype(np.int16)], axis=1))
            decisions.append(best[there, i])
            margins.append(gaps[there, i])
        self._merge(np.concatenate(rows), np.concatenate(decisions), np.concatenate(margins))

    def _merge(self, rows: np.ndarray, decisions: np.ndarray, margins: np.ndarray) -> None:
        length = self.sequences.max_length
        _, first, which = np.unique(rows[:, :length], axis=0, return_index=True, return_inverse=True)
        which = which.reshape(-1)
        for k in np.flatnonzero(decisions != decisions[first][which])[:1]:
            self._contradiction(rows[first[which[k]]], decisions[first[which[k]]], rows[k], decisions[k])
        smallest = np.full(len(first), np.inf)
        np.minimum.at(smallest, which, margins)
        self.rows, self.decisions, self.margins = rows[first], decisions[first], smallest

    def _contradiction(self, one: np.ndarray, label: int, other: np.ndarray, another: int) -> None:
        length = self.sequences.max_length
        position = int((one[:length] < self.pad).sum()) - 1
        first, second = (self.sequences.unpadded(row[length:]) for row in (one, other))
        says, differs = (repr(self.labels[int(y)]) for y in (label, another))
        what = f"gives {says} at position {position} of {first!r} and {differs} there of {second!r}"
        raise InputError(self.name, f"{what}: its label is no function of the prefix", MEND)

    def whole(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return all prefixes as padded words, with their label indices and margins."""
        return self.rows[:, : self.sequences.max_length], self.decisions, self.margins
