"""On which inputs an ONNX file is run next to its reading.

Used where claims are read, with `onnx/agreement.py`.  A small domain is run on all words, a large one on
extreme and random words.  Boxes are run on corners and on points inside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from ..automata.automaton import Automaton
from ..automata.sampling import Sampler
from ..network.network import Affine, SparseMatrix
from ..onnx.agreement import compare
from ..onnx.reading import OnnxReading
from .domain import Domain
from .property import Case

MOST = 256  # words; a domain that has no more is run as a whole
POINTS = 64  # of all boxes
FEWEST = 4
WORK = 1 << 24  # products of all inputs together: large networks are run on few
TILTED = 8  # symbols of which some words have as many as there may be
CASES = 16  # boxes of one property
SEED = 0


def compare_on_words(readings: Sequence[OnnxReading], domain: Domain, language: Automaton) -> None:
    """Compare the readings of networks with onnxruntime on words of the domain.

    Raises InputError if onnxruntime runs another network.
    """
    for reading in readings:
        compare(reading, domain.one_hot(words_of(language, _affordable(reading))))


def words_of(language: Automaton, count: int) -> np.ndarray:
    """Return all words of a small language, or about `count` of a large one: (words, length).

    These are the first and the last word, some words with as many of one symbol as possible, and random ones.
    """
    if language.size <= MOST:
        return np.concatenate([words for words, _ in language.words()])
    rng, sampler = np.random.default_rng(SEED), Sampler(language)
    parts = [_end(language, last=False), _end(language, last=True)]
    for symbol in np.unique(np.linspace(0, language.symbol_count - 1, TILTED).astype(np.int64)):
        weights = np.where(np.arange(language.symbol_count) == symbol, 1e3, 1.0)
        parts.append(sampler.words(max(1, count // (4 * TILTED)), rng, weights))
    parts.append(sampler.words(count, rng))
    return np.concatenate(parts)[:count]


def _end(language: Automaton, *, last: bool) -> np.ndarray:
    """Return the first or last word of all: at every step, the smallest or largest symbol."""
    state, word = (language.layer_sizes[0] - 1) * last, []
    for layer in language.edges:
        _, symbol, state = (max if last else min)(edge for edge in layer if edge[0] == state)
        word.append(symbol)
    return np.array([word], dtype=np.int16)


def compare_on_boxes(reading: OnnxReading, cases: Sequence[Case], deadline: float) -> str:
    """Compare the reading of a network of real inputs with onnxruntime on points of boxes.

    Returns why that was not done, or "".  Raises InputError if onnxruntime runs another network.
    """
    chosen = cases[:: -(-len(cases) // CASES)] if cases else ()
    each = min(POINTS, _affordable(reading)) // max(1, len(chosen))
    points = [point for case in chosen for point in _points(case, max(FEWEST, each))]
    if not points:
        return ""
    kind = {"float64": "f8", "float16": "f2"}.get(reading.entry[1].dtype, "f4")
    with np.errstate(over="ignore"):
        typed = np.nan_to_num(np.array(points).astype(kind))  # what is too large becomes the largest
    return compare(reading, typed, deadline)


def _points(case: Case, count: int) -> Iterator[np.ndarray]:
    """Yield points of a box: both ends, the middle, corners (all if they are few), and random points."""
    low, high = _floats(case.lower), _floats(case.upper)
    rng = np.random.default_rng(SEED)
    yield from (low, high, low / 2 + high / 2)[:count]
    free = np.flatnonzero(low < high)
    corners = min(1 << min(len(free), 30), (count - 2) // 2)
    for i in range(corners):
        bits = (
            (i >> np.arange(len(free))) & 1
            if corners == 1 << min(len(free), 30)
            else rng.integers(0, 2, len(free))
        )
        corner = low.copy()
        corner[free] = np.where(bits, high[free], low[free])
        yield corner
    for _ in range(count - 3 - corners):
        share = rng.random(len(low))
        yield low * (1 - share) + high * share


def _floats(values: Sequence[Fraction]) -> np.ndarray:
    def near(v: Fraction) -> float:
        try:
            return float(v)
        except OverflowError:
            return math.inf if v > 0 else -math.inf

    result: np.ndarray = np.clip(
        np.array([near(v) for v in values]), -np.finfo(np.float64).max, np.finfo(np.float64).max
    )
    return result


def _affordable(reading: OnnxReading) -> int:
    """Return on how many inputs a network of this size is run."""
    matrices = [m for node in reading.nodes if isinstance(node, Affine) for m in node.matrices]
    products = sum(len(m.numerators) if isinstance(m, SparseMatrix) else m.size for m in matrices)
    return max(FEWEST, min(MOST, WORK // (1 + products)))
