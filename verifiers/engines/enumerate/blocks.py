"""Divides a claim's words into blocks, and runs the network on one block: the arithmetic of `tree.py`.

Words are heads times tails (`split.py`).  What a layer reads from the word itself is a sum over the head's
symbols plus a sum over the tail's, so it is never multiplied out.  Every value is kept as D + b, or as a + b
where only the word has been read.  D differs from word to word.  a depends on the tail only and is computed
once.  b depends on the head only and is computed once per head.  Then a ReLU is one maximum and no addition,

    max(0, D + a + b) = max(D + a, -b) + b,

and the first layer is the outer maximum of a table of tails and a table of heads.  A block is some tails
times many heads, few enough for the cache.  Deeper layers are matrix products.  `precision.py` says in which
arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ....models.claims.word_claim import WordClaim
from .composed import ComposedLayer, composed
from .precision import precision, reads
from .split import Heads, Split, SplitSizes, Tails
from .tables import Tables

SMALL_PRODUCT = 10**6  # OpenBLAS is faster on matrices whose three sizes have a smaller product
# Blocks are not made smaller than this to have more of them: on small domains, new memory is the cost.
FEW_CELLS = 1 << 15
SETTLED_AT_ONCE = 256  # words decided in exact integers between two checks of the deadline


class BlocksOutOfTime(Exception):
    """The time is up in the middle of a block; the block is not counted."""


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Heads that lead to states of one kind, with what depends on them only.

    inner, negative: b of every layer (rows, heads), and -b.
    columns: the column of the tails' labels that is right for each head; a single one if it is the same for
        all.
    """

    heads: Heads
    kind: int
    inner: list[np.ndarray]
    negative: list[np.ndarray]
    columns: np.ndarray


@dataclass(frozen=True, eq=False)
class Block:
    """The words made of a chunk's heads and some of its tails, tail by tail."""

    chunk: _Chunk
    tails: Tails
    rows: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers (tails, heads)."""
        return self.rows.stop - self.rows.start, len(self.chunk.heads)

    @property
    def labels(self) -> np.ndarray:
        """Return the right labels' indices, (tails, heads) or (tails, 1)."""
        return np.take(self.tails.labels[self.rows], self.chunk.columns, axis=1)

    def symbols(self, places: np.ndarray) -> np.ndarray:
        """Return the words (places, length) at some places of the flattened block."""
        tail, head = np.divmod(places, len(self.chunk.heads))
        return np.concatenate([self.chunk.heads.words[head], self.tails.words[self.rows][tail]], axis=1)


@dataclass(frozen=True, eq=False)
class _BlockStep:
    """A layer in floating point.

    rows: its rows of the tables; None if it has none.
    constant (rows, 1): added where it has no rows of the tables.
    buffer: the number of the buffer that holds its values.
    """

    size: int
    relus: tuple[tuple[int, np.ndarray], ...]
    rows: slice | None
    constant: np.ndarray
    buffer: int


class Blocks:
    """A claim made ready; iteration gives all its words in blocks, always in the same order.

    sizes: limits of memory.
    deadline: a time of `time.monotonic()`.
    """

    def __init__(self, claim: WordClaim, sizes: SplitSizes, deadline: float) -> None:
        self.claim, self.sizes, self.deadline = claim, sizes, deadline
        layers = composed(claim)
        self.rows = max(1, *map(len, layers))
        margins = len(layers[-1])
        self.split = Split.of(
            claim.language, sizes, np.dtype(bool) if margins == 1 else np.min_scalar_type(margins)
        )
        tables = Tables.of(layers, self.split.present(claim.language.symbol_count), self.split.at)
        found = precision(layers, tables.before, tables.behind)
        self.dtype, self.slack = found.dtype, found.slack
        # Without steps, every word is decided in exact integers.
        self.steps = _steps(layers, self.dtype) if np.isfinite(self.slack) else ()
        used = tables.symbols if self.steps else tables.symbols[:0]
        # (length, symbols, rows)
        self.table = np.ascontiguousarray(used.transpose(1, 2, 0).astype(self.dtype))
        self.outer = [self._outer(tables, tails) for tails in self.split.tails]
        largest = max((1, *(w.size for step in self.steps for _, w in step.relus)))
        self.across = min(sizes.across, max(128, SMALL_PRODUCT // largest))
        self.cells = min(sizes.cells, max(FEW_CELLS, claim.domain_size * self.rows >> 5))

    def _outer(self, tables: Tables, tails: Tails) -> list[np.ndarray | None]:
        """Return a of every layer, (tails, rows, 1); None where a layer does not read the word."""
        if not self.steps:
            return []
        sums = tables.sums(tails.words, self.split.at).astype(self.dtype)
        return [
            None if step.rows is None else np.ascontiguousarray(sums[:, step.rows])[:, :, None]
            for step in self.steps
        ]

    def __iter__(self) -> Iterator[Block]:
        limit = max(1, min(self.sizes.heads, (self.sizes.heads << 7) // max(1, self.table.shape[2])))
        for heads in self.split.heads(self.table, limit):
            # Sort by kind, then by state, so that few chunks have several states.
            if len(self.split.kind) > 1:
                heads = heads[np.lexsort((heads.states, self.split.kind[heads.states]))]
            ends = np.cumsum(np.bincount(self.split.kind[heads.states])).tolist()
            for kind, (start, end) in enumerate(pairwise([0, *ends])):
                count = -(-(end - start) // self.across)
                for i in range(count):  # chunks of nearly the same size
                    part = slice(start + (end - start) * i // count, start + (end - start) * (i + 1) // count)
                    yield from self._blocks(self._chunk(heads[part], kind))

    def _blocks(self, chunk: _Chunk) -> Iterator[Block]:
        tails = self.split.tails[chunk.kind]
        step = max(1, self.cells // (self.rows * len(chunk.heads)))
        for i in range(0, len(tails.words), step):
            yield Block(chunk, tails, slice(i, min(i + step, len(tails.words))))

    def _chunk(self, heads: Heads, kind: int) -> _Chunk:
        sums = np.ascontiguousarray(heads.sums.T)
        inner: list[np.ndarray] = []
        for step in self.steps:
            total = step.constant if step.rows is None else sums[step.rows]
            for g, weights in step.relus:
                total = total + weights @ inner[g]
            inner.append(total)
        columns = self.split.column[heads.states]
        same = len(columns) == 0 or (columns == columns[0]).all()
        return _Chunk(heads, kind, inner, [-b for b in inner], columns[:1] if same else columns)


def _steps(layers: tuple[ComposedLayer, ...], dtype: np.dtype) -> tuple[_BlockStep, ...]:
    """Make the steps of all layers, and give out their buffers.

    A buffer is used again once no later layer reads it, so that few buffers stay in the cache.
    """
    last_use = {g: i for i, layer in enumerate(layers) for g in layer.relus}
    steps: list[_BlockStep] = []
    row = 0
    for i, layer in enumerate(layers):
        taken = {steps[g].buffer for g in range(i) if last_use[g] >= i}
        buffer = next(b for b in range(len(layers)) if b not in taken)
        rows = slice(row, row := row + len(layer)) if reads(layer) else None
        relus = tuple((g, np.ascontiguousarray(w.astype(dtype))) for g, w in layer.relus.items())
        constant = (
            np.zeros((len(layer), 1), dtype) if rows is not None else layer.constant.astype(dtype)[:, None]
        )
        steps.append(_BlockStep(len(layer), relus, rows, constant, buffer))
    return tuple(steps)


class Kernel:
    """Decides blocks; holds the buffers of one thread."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.buffers: dict[int, np.ndarray] = {}

    def wrong(self, block: Block) -> np.ndarray:
        """Return where the network's label is not the right one, (tails, heads).

        Raises BlocksOutOfTime after the deadline, if words have to be decided in exact integers.
        """
        right = block.labels
        if self.blocks.steps:
            answers, doubtful = self._decided(self._margins(block), block.chunk)
            wrong: np.ndarray = answers != right
        else:
            wrong, doubtful = np.zeros(block.shape, dtype=bool), np.ones(block.shape, dtype=bool)
        if doubtful is not None:
            self._settle(block, np.flatnonzero(doubtful), np.broadcast_to(right, wrong.shape), wrong)
        return wrong

    def _margins(self, block: Block) -> np.ndarray:
        """Return D + a of the margins, (tails, rows, heads)."""
        chunk, values = block.chunk, list[np.ndarray]()
        for g, step in enumerate(self.blocks.steps):
            here = self._buffer(step, block.shape)
            outer = self.blocks.outer[chunk.kind][g]
            total = here if outer is None else outer[block.rows]
            for i, (h, weights) in enumerate(step.relus):
                if i == 0:
                    np.matmul(weights, values[h], out=here)
                else:
                    np.add(here, np.matmul(weights, values[h]), out=here)
            if step.relus and outer is not None:
                total = np.add(here, total, out=here)
            if g < len(self.blocks.steps) - 1:
                np.maximum(total, chunk.negative[g], out=here)
            elif not step.relus:
                here[:] = total
            values.append(here)
        return values[-1]

    def _buffer(self, step: _BlockStep, shape: tuple[int, int]) -> np.ndarray:
        tails, heads = shape
        size = tails * step.size * heads
        held = self.buffers.get(step.buffer)
        if held is None or held.size < size:
            held = self.buffers[step.buffer] = np.empty(size, dtype=self.blocks.dtype)
        return held[:size].reshape(tails, step.size, heads)

    def _decided(self, margins: np.ndarray, chunk: _Chunk) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the network's label indices, and where they are doubtful (None: nowhere)."""
        slack = self.blocks.slack
        if margins.shape[1] == 1:
            margin, limit = margins[:, 0], chunk.negative[-1][0]
            return margin > limit, np.abs(margin - limit) <= slack if slack else None
        np.add(margins, chunk.inner[-1], out=margins)
        answers = np.zeros(
            (margins.shape[0], margins.shape[2]), dtype=self.blocks.split.tails[0].labels.dtype
        )
        best = np.zeros(answers.shape, dtype=margins.dtype)
        for j in range(margins.shape[1]):
            np.copyto(answers, j + 1, where=margins[:, j] > best)
            np.maximum(best, margins[:, j], out=best)
        if not slack:
            return answers, None
        close = best - 4 * slack  # twice would do; four times covers the rounding of this line
        return answers, (margins >= close[:, None]).sum(axis=1) + (close <= 0) > 1

    def _settle(self, block: Block, places: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> None:
        """Decide the words at `places` again, in exact integers."""
        for i in range(0, len(places), SETTLED_AT_ONCE):
            if time.monotonic() > self.blocks.deadline:
                raise BlocksOutOfTime
            some = places[i : i + SETTLED_AT_ONCE]
            wrong.flat[some] = self.blocks.claim.network_labels(block.symbols(some)) != right.flat[some]
