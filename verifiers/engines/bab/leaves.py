"""The leaves of a search of `bab`, by cell, in memory or in a temporary file.

A file is for proofs, which may need more evidence than fits.  A search never looks at a leaf again; only a
record or a proof does, once.  In a file a leaf takes about 50 bytes of memory, whatever the network.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from ...bounds.multipliers import STEP, Multipliers
from .cells import SettledNode

HEAD = struct.Struct("<iiii")  # row, number of phases, kind of evidence, number of multipliers of a kind
NOTHING, LOOKED, GIVEN = 0, 1, 2


class Leaves:
    """By number of the cell, in memory."""

    def __init__(self) -> None:
        self.kept: dict[int, list[SettledNode]] = {}

    def add(self, cell: int, leaves: Iterable[SettledNode]) -> None:
        self.kept.setdefault(cell, []).extend(leaves)

    def of(self, cell: int) -> list[SettledNode]:
        return self.kept.get(cell, [])

    def cells(self) -> Iterator[int]:
        return iter(sorted(self.kept))


class Spooled(Leaves):
    """In a temporary file that is gone when this is."""

    def __init__(self) -> None:
        super().__init__()
        self.file = tempfile.TemporaryFile(prefix="relucid-")  # noqa: SIM115 - it lives as long as the search
        self.places: dict[int, list[int]] = {}
        self.end = 0

    def add(self, cell: int, leaves: Iterable[SettledNode]) -> None:
        """Raises OSError where the disk is full."""
        places = self.places.setdefault(cell, [])
        for leaf in leaves:
            data = _packed(leaf)
            self.file.seek(self.end)
            self.file.write(data)
            places.append(self.end)
            self.end += len(data)

    def of(self, cell: int) -> list[SettledNode]:
        return [self._read(place) for place in self.places.get(cell, [])]

    def cells(self) -> Iterator[int]:
        return iter(sorted(self.places))

    def _read(self, place: int) -> SettledNode:
        self.file.seek(place)
        target, phases, kind, count = HEAD.unpack(self.file.read(HEAD.size))
        flat = np.frombuffer(self.file.read(4 * phases), dtype="<i4").tolist()
        split = tuple((abs(v) - 1, 1 if v > 0 else -1) for v in flat)
        if kind != GIVEN:
            return SettledNode(target, split, None, looked=kind == LOOKED)
        slopes = np.frombuffer(self.file.read(4 * count), dtype="<u2").astype(np.float64) * STEP
        beta = np.frombuffer(self.file.read(8 * count), dtype="<f8")
        return SettledNode(target, split, Multipliers(slopes[:count], slopes[count:], beta))


def _packed(leaf: SettledNode) -> bytes:
    phases = np.array([phase * (j + 1) for j, phase in leaf.phases], dtype="<i4").tobytes()
    if leaf.multipliers is None:
        return HEAD.pack(leaf.target, len(leaf.phases), LOOKED if leaf.looked else NOTHING, 0) + phases
    m = leaf.multipliers
    slopes = np.rint(np.concatenate([m.below, m.above]) / STEP).astype("<u2").tobytes()
    return (
        HEAD.pack(leaf.target, len(leaf.phases), GIVEN, len(m.beta))
        + phases
        + slopes
        + m.beta.astype("<f8").tobytes()
    )
