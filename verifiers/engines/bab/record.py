"""What `bab` has done, as plain data, and the way back: an interrupted search goes on.

Nothing in the data is believed.  A record has the cuts, what settled each node, and what is open.  Reading it
applies the cuts again, proves every bound again with the multipliers that it names (one evaluation instead of
a search for them), and checks that closed and open nodes together leave no phase of any rival out.  A record
that was tampered with is refused; it cannot make a false claim true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ....common.errors import InputError
from ...bounds.multipliers import STEP, Multipliers
from .bounding import BoundTask
from .cells import Cell, OpenNode, Phases, SettledNode, WordCut
from .search import LabelSearch

FORMAT = "relucid bab record 1"


def write_record(search: LabelSearch) -> dict[str, Any]:
    """Plain data for JSON; of a search that has started."""
    k = search.problem.count
    cuts = [
        [number, cut.kind, cut.place, list(cut.values), *halves]
        for number, (cut, *halves) in sorted(search.cuts.items())
    ]
    closed = [
        [number, [_leaf(leaf, k) for leaf in search.closed.of(number)]] for number in search.closed.cells()
    ]
    left = [
        [cell.number, [[n.target - k, _flat(n.phases), _plain(n.multipliers)] for n in cell.nodes]]
        for cell in search.waiting.cells
    ]
    return {"cuts": cuts, "closed": closed, "open": left}


def _leaf(leaf: SettledNode, count: int) -> list[Any]:
    evidence = "looked" if leaf.looked else None if leaf.multipliers is None else _plain(leaf.multipliers)
    return [leaf.target - count, _flat(leaf.phases), evidence]


def _flat(phases: Phases) -> list[int]:
    """ReLU j active: j + 1, inactive: -(j + 1)."""
    return [phase * (j + 1) for j, phase in phases]


def _plain(multipliers: Multipliers) -> list[list[int]]:
    return [
        np.rint(m / STEP).astype(np.int64).tolist()
        for m in (multipliers.below, multipliers.above, multipliers.beta)
    ]


def read_record(search: LabelSearch, record: Any, origin: str) -> None:
    """Bring a fresh search to where the record stands.

    Raises InputError where the record does not hold for it.
    """
    try:
        _Reader(search, origin).read(record)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError):
        raise _refused(origin, "is not a record of this claim") from None


def _refused(origin: str, what: str) -> InputError:
    return InputError(origin, f"the checkpoint {what}", "remove the file to begin anew")


class _Reader:
    def __init__(self, search: LabelSearch, origin: str) -> None:
        self.search, self.origin = search, origin
        self.count = search.problem.count
        self.cells: dict[int, Cell] = {0: search.root}
        self.parents: dict[int, int] = {}

    def read(self, record: Mapping[str, Any]) -> None:
        search = self.search
        self._cut(record["cuts"])
        for number, leaves in record["closed"]:
            read = [self._closed(leaf) for leaf in leaves]
            self._prove(self.cells[number], read)
            search.closed.add(number, read)
        left = {
            number: [self._job(self.cells[number], node) for node in nodes]
            for number, nodes in record["open"]
        }
        ends = [number for number in self.cells if number not in search.cuts]
        if not set(left) <= set(ends):
            raise _refused(self.origin, "has open nodes in a part that was split")
        for number in ends:
            self._covered(number, left.get(number, []))
        search.started = True
        jobs = [job for nodes in left.values() for job in nodes]
        words, nodes = search.bounding.results(jobs, 0) if jobs else ((), [])
        if words:  # it was open: then it is found again by the search
            nodes = [
                OpenNode(j.target, j.phases, j.multipliers, np.inf) for j in jobs if j.multipliers is not None
            ]
        for number in left:
            here = [(job, node) for job, node in zip(jobs, nodes, strict=True) if job.cell.number == number]
            search.closed.add(number, (node for _, node in here if isinstance(node, SettledNode)))
            if still := tuple(node for _, node in here if isinstance(node, OpenNode)):
                cell = self.cells[number]
                search.waiting.put(
                    [Cell(number, cell.symbol_mask, cell.state_mask, cell.lower, cell.upper, still)]
                )

    def _cut(self, cuts: Sequence[Sequence[Any]]) -> None:
        search, paths = self.search, self.search.problem.paths
        for number, kind, place, values, inside, outside in cuts:
            if kind not in ("state", "symbol") or any(
                type(n) is not int or n < 0 for n in (number, place, *values, inside, outside)
            ):
                raise ValueError("not a cut")
            cut = WordCut(kind, place, tuple(values))
            if {inside, outside} & set(self.cells) or inside == outside or number in search.cuts:
                raise _refused(self.origin, "uses a number twice")
            halves = self.cells[number].cut(paths, cut, (inside, outside))
            if not halves:
                raise ValueError("not a cut")
            for half in search.bounding.tightened(halves):
                self.cells[half.number] = half
                self.parents[half.number] = number
            search.cuts[number] = (cut, inside, outside)
        for _ in range(max(self.cells) + 1):
            next(search.numbers)

    def _phases(self, flat: Sequence[int]) -> Phases:
        if any(type(v) is not int or not 1 <= abs(v) <= self.count for v in flat):
            raise ValueError("not phases")
        return tuple((abs(v) - 1, 1 if v > 0 else -1) for v in flat)

    def _target(self, rival: int) -> int:
        if type(rival) is not int or not 0 <= rival < len(self.search.queries):
            raise ValueError("not a rival")
        return rival + self.count

    def _multipliers(self, plain: Sequence[Sequence[int]]) -> Multipliers:
        below, above, beta = (np.array(part, dtype=np.int64) for part in plain)
        if any(m.shape != (self.count,) for m in (below, above, beta)):
            raise ValueError("not multipliers")
        if (
            min(below.min(initial=0), above.min(initial=0), beta.min(initial=0)) < 0
            or max(below.max(initial=0), above.max(initial=0)) * STEP > 1
        ):
            raise _refused(self.origin, "has a multiplier out of its range")
        return Multipliers(below * STEP, above * STEP, beta * STEP)

    def _closed(self, leaf: Sequence[Any]) -> SettledNode:
        rival, flat, evidence = leaf
        multipliers = None if evidence is None or evidence == "looked" else self._multipliers(evidence)
        return SettledNode(self._target(rival), self._phases(flat), multipliers, evidence == "looked")

    def _job(self, cell: Cell, node: Sequence[Any]) -> BoundTask:
        rival, flat, multipliers = node
        return BoundTask(cell, self._target(rival), self._phases(flat), self._multipliers(multipliers))

    def _prove(self, cell: Cell, leaves: Sequence[SettledNode]) -> None:
        for leaf in leaves:
            if leaf.looked and (cell.size(self.search.language) != 1 or self.search.looked_at(cell)):
                raise _refused(self.origin, "says that inputs were evaluated that were not")
            if leaf.multipliers is None and not leaf.looked and not cell.excludes(leaf.phases):
                raise _refused(self.origin, "says that there are no inputs where there may be")
        jobs = [
            BoundTask(cell, leaf.target, leaf.phases, leaf.multipliers)
            for leaf in leaves
            if leaf.multipliers is not None
        ]
        if jobs:
            words, results = self.search.bounding.results(jobs, 0)
            if words or not all(isinstance(result, SettledNode) for result in results):
                raise _refused(self.origin, "has a bound that does not hold")

    def _covered(self, number: int, left: Sequence[BoundTask]) -> None:
        """Every rival with every phase is settled in the cell or in one around it, or open here."""
        around, here = [], number
        while True:
            around += self.search.closed.of(here)
            if here not in self.parents:
                break
            here = self.parents[here]
        for target in range(self.count, self.count + len(self.search.queries)):
            known = {leaf.phases for leaf in around if leaf.target == target} | {
                job.phases for job in left if job.target == target
            }
            if not covers(known):
                raise _refused(self.origin, "leaves a part out")


def covers(known: Iterable[Phases], prefix: Phases = ()) -> bool:
    """Whether these nodes of a tree of phase splits have every leaf below them."""
    known = [phases for phases in known if phases[: len(prefix)] == prefix]
    if prefix in known:
        return True
    following = {phases[len(prefix)][0] for phases in known}
    return any(all(covers(known, (*prefix, (j, phase))) for phase in (1, -1)) for j in sorted(following))
