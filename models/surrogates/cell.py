"""Recurrent cells: a state machine as one integer that a few ReLUs move on, the same ones at every position.

After `machine.py`.  The states are put in some order on the number line.  A symbol then moves s by a
piecewise linear function, and one cell has them all: s' = slope * s + add[symbol] + sum over j of jumps[j] *
relu(s - at[j, symbol]).  Slope and jumps are shared by the symbols; only where a ReLU sets in depends on the
symbol.  Toggles, counters modulo any number, clamped counters, flags and "the last of these" need one ReLU.
All orders are tried, for up to 8 states.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, permutations, product

import numpy as np

from ..claims.domain import Domain
from ..network.network import Network
from .machine import LabelMachine
from .unroll import Unroller

MOST = 3  # ReLUs per position
ORDERS = 300  # orders that are looked at closely, those with few kinks first


@dataclass(frozen=True, eq=False)
class RecurrentCell:
    """The cell; the module's text has the formula.

    Args:
        place: where each of the machine's states is on the line, 0 .. states - 1.
        slope: of the state.
        add: for each symbol.
        jumps: for each ReLU.
        at: where each ReLU sets in, (ReLUs, symbols).
    """

    place: np.ndarray
    slope: int
    add: np.ndarray
    jumps: np.ndarray
    at: np.ndarray

    @property
    def width(self) -> int:
        """How many ReLUs there are at each position."""
        return len(self.jumps)

    def step(self, s: np.ndarray, symbol: int) -> np.ndarray:
        """Return the places after a symbol, for places (n,)."""
        over = np.maximum(s[None, :] - self.at[:, symbol, None], 0)
        result: np.ndarray = self.slope * s + self.add[symbol] + self.jumps @ over
        return result


def smallest_cell(machine: LabelMachine) -> RecurrentCell | None:
    """Return the cell with the fewest ReLUs; None if every order of the states needs more than MOST."""
    n = machine.states
    if n == 1:
        return None
    orders = np.array(
        [p for p in permutations(range(n)) if p[0] < p[-1]] if n > 2 else [(0, 1), (1, 0)]
    )  # place[state]
    columns = np.unique(machine.step, axis=1)
    inverse = np.argsort(orders, axis=1)
    images = np.take_along_axis(
        orders[:, :, None], columns[inverse].reshape(len(orders), -1, 1), axis=1
    ).reshape(len(orders), n, -1)
    slopes = np.diff(images, axis=1)
    kinks = (np.diff(slopes, axis=1) != 0).sum(axis=1).max(axis=1)
    read = np.array([len(_readout_kinks(machine.outputs[i])) for i in inverse])
    best: tuple[tuple[int, int, int], RecurrentCell] | None = None
    for k in np.lexsort((read, kinks))[:ORDERS]:
        if (best is not None and best[0][0] < kinks[k]) or kinks[k] > MOST:
            break
        most = MOST if best is None else best[0][0]
        found = _shared(slopes[k], most)
        if found is None:
            continue
        slope, jumps = found
        cell = _cell(machine, orders[k], slope, jumps)
        key = (
            len(jumps),
            int(read[k]),
            int(np.count_nonzero(cell.add)) + int(np.count_nonzero(cell.at)) + sum(map(abs, jumps)),
        )
        if best is None or key < best[0]:
            best = key, cell
    return best[1] if best else None


def _readout_kinks(outputs: np.ndarray) -> list[int]:
    """Return the places where the labels' scores need a kink: none if every label has one interval."""
    known = [int(y) for y in outputs if y >= 0]
    runs = [y for i, y in enumerate(known) if i == 0 or y != known[i - 1]]
    return [] if len(runs) == len(set(runs)) else list(range(1, len(outputs) - 1))


def _shared(slopes: np.ndarray, most: int) -> tuple[int, tuple[int, ...]] | None:
    """Find a slope and jumps that serve every symbol.

    There are as many ReLUs as the symbol with most kinks has, or one more.

    Args:
        slopes: what the slope has to be, (gaps between places, symbols).
        most: ReLUs.
    """
    changes = np.diff(slopes, axis=0)
    bent = (changes != 0).sum(axis=0)
    # with as many ReLUs as the hardest symbol has kinks, its kinks are the jumps
    hardest = [int(v) for v in changes[:, bent.argmax()] if v]
    firsts = {int(v) for v in slopes[0]}
    values = sorted(
        {int(v) for v in changes.flat if v} | {a - b for a in firsts for b in firsts if a != b},
        key=lambda v: (abs(v), -v),
    )
    tried = [tuple(sorted(hardest))]
    tried += [tuple(sorted((*hardest, v))) for v in values]
    tried += [
        tuple(sorted((*hardest[:i], v, c - v, *hardest[i + 1 :])))
        for i, c in enumerate(hardest)
        for v in values
        if v != c
    ]
    for jumps in dict.fromkeys(tried):
        if len(jumps) <= most:
            slope = _slope(slopes, jumps)
            if slope is not None:
                return slope, jumps
    return None


def _slope(slopes: np.ndarray, jumps: tuple[int, ...]) -> int | None:
    """Return the slope that serves every symbol with these jumps: 1 if possible, else the smallest."""
    # for changes from gap to gap: what ReLUs may add from the first place on
    starts: dict[tuple[int, ...], set[int]] = {}
    gaps = len(slopes)
    for places in product(range(gaps + 1), repeat=len(jumps)):
        have = [0] * (gaps + 1)
        for place, jump in zip(places, jumps, strict=True):
            have[place] += jump
        starts.setdefault(tuple(have[1:gaps]), set()).add(have[0])
    good: set[int] | None = None
    for column in slopes.T.tolist():
        changes = tuple(b - a for a, b in pairwise(column))
        here = {column[0] - start for start in starts.get(changes, ())}
        good = here if good is None else good & here
    return min(good, key=lambda a: (a != 1, abs(a), a)) if good else None


def _placed(slopes: np.ndarray, slope: int, jumps: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the gap in which each ReLU sets in so that these are the slopes; len(slopes) is never."""
    gaps = len(slopes)
    wanted = np.diff(slopes, prepend=slope)
    for places in product((gaps, *range(gaps)), repeat=len(jumps)):
        have = np.zeros(gaps + 1, dtype=np.int64)
        np.add.at(have, list(places), jumps)
        if (have[:gaps] == wanted).all():
            return places
    return None


def _cell(machine: LabelMachine, place: np.ndarray, slope: int, jumps: tuple[int, ...]) -> RecurrentCell:
    order = np.argsort(place)
    images = place[machine.step[order]]  # (places, symbols)
    at = np.zeros((len(jumps), images.shape[1]), dtype=np.int64)
    for a in range(images.shape[1]):
        where = _placed(np.diff(images[:, a]), slope, jumps)
        assert where is not None, "the cell serves every symbol"
        at[:, a] = where
    cell = RecurrentCell(place, slope, images[0].copy(), np.array(jumps, dtype=np.int64), at)
    line = np.arange(machine.states)
    assert all((cell.step(line, a) == images[:, a]).all() for a in range(images.shape[1])), (
        "a cell moves as the machine does"
    )
    return cell


def cell_network(machine: LabelMachine, cell: RecurrentCell, domain: Domain, columns: np.ndarray) -> Network:
    """Unroll a cell over the domain's positions.

    Args:
        machine: what the cell runs.
        cell: the cell.
        domain: how words enter the network.
        columns: the network's outputs for each label, integers (outputs, labels).
    """
    net = Unroller(domain)
    top = np.array([machine.states - 1])
    first = cell.place[machine.step[0]]  # the state before is known: the first symbol says where it leads
    state = net.affine({0: net.reads(0, first[None, :])}, np.zeros(1))
    one = np.ones((1, 1), dtype=np.int64)
    for t in range(1, domain.max_length):
        if net.wide(state):
            state = net.clamped(state, np.zeros(1, dtype=np.int64), top)
        parts = {state: cell.slope * one, 0: net.reads(t, cell.add[None, :])}
        if cell.width:
            over = net.affine(
                {state: np.ones((cell.width, 1)), 0: net.reads(t, -cell.at)}, np.zeros(cell.width)
            )
            parts[net.relu(over)] = cell.jumps[None, :]
        state = net.affine(parts, np.zeros(1))
    if net.wide(state):
        state = net.clamped(state, np.zeros(1, dtype=np.int64), top)
    read_out(net, state, machine.outputs[np.argsort(cell.place)], columns)
    return net.network()


def read_out(net: Unroller, state: int, outputs: np.ndarray, columns: np.ndarray) -> None:
    """Score the labels by an integer: by lines whose upper envelope changes with the label, or by kinks.

    Args:
        net: the network so far.
        state: the node with the integer.
        outputs: the label index of each integer from 0 on, -1 for none.
        columns: the network's outputs for each label, integers (outputs, labels).
    """
    kinks = _readout_kinks(outputs)
    if kinks or len(outputs) == 1:
        wanted = columns[:, np.maximum(outputs, 0)]  # (outputs, places)
        slopes = np.diff(wanted, axis=1, append=wanted[:, -1:])
        parts = {state: slopes[:, :1]}
        if kinks:
            bent = net.relu(net.affine({state: np.ones((len(kinks), 1))}, -np.array(kinks)))
            parts[bent] = np.diff(slopes[:, : len(outputs) - 1], axis=1)
        net.affine(parts, wanted[:, 0])
        return
    slope, offset = np.zeros(columns.shape[1], dtype=np.int64), np.zeros(columns.shape[1], dtype=np.int64)
    known = [(place, int(y)) for place, y in enumerate(outputs) if y >= 0]
    never = [y for y in range(columns.shape[1]) if y not in outputs]
    for (before, a), (after, b) in pairwise(known):
        if a != b:  # the lines of a and b cross halfway
            slope[b] = slope[a] + 2
            offset[b] = offset[a] - (before + after)
    offset[never] = min(int((slope * p + offset).min()) for p in range(len(outputs))) - 1
    net.affine({state: (columns @ slope)[:, None]}, columns @ offset)
