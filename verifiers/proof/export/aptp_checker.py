"""Checks Activation Pattern Tree Proofs (`aptp.py`): the leaves cover all phases, and each is bounded anew.

The bounds are those of the searches (`bounds/descend.py`), so a proof that is accepted here counts as trust
"exact", not "checked".  The format's own checker solves a mixed-integer program (Gurobi) for every leaf
instead.  `../boxes/subject.py` calls this for `relucid verify --check`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from ....common.clock import now
from ....common.errors import Unsupported
from ....common.files import read_file
from ....models.claims.property import Case, Property
from ....models.network.network import Network
from ...bounds.descend import NeuronStates, descend
from ...bounds.floats import FloatNetwork, float_network
from ...bounds.presolve import optimise_neurons
from ...bounds.relaxation import first_lower_slopes
from ...bounds.subdomains import BoxSubdomains
from ...bounds.tighten import tightened
from ...bounds.unsafe_rows import UnsafeRows
from ..format import LimitReached, Rejected
from .aptp import MOST_LEAVES, Pattern, Progress, only_case, parsed, scaled

MAX_BYTES = 1 << 28
STEPS = 400  # steps that improve the multipliers of a leaf
BATCH = 64  # leaves that are bounded together


@dataclass(frozen=True)
class Checked:
    """An accepted proof: the number of its leaves, and the seconds that checking took."""

    leaves: int
    seconds: float


def check(
    network: Network, stated: Property, text: str, deadline: float, progress: Progress = lambda text: None
) -> Checked:
    """Accept a text that proves the property.

    Raises Rejected if it does not, and LimitReached if bounds do not show a leaf or time is up: a linear or
    mixed-integer program might still show the leaf.
    """
    started = now()
    leaves, told, neurons = parsed(text)
    if _normal(told) != _normal(stated):
        raise Rejected("the file proves another property")
    case = only_case(stated)
    net = float_network(network, case.lower, case.upper)
    if neurons != net.count or any(abs(j) > net.count for leaf in leaves for j in leaf):
        raise Rejected(f"it declares {neurons} ReLUs, the network has {net.count}")
    if not covers(leaves):
        raise Rejected("its leaves do not cover all phases")
    box = BoxSubdomains.whole(net)
    with np.errstate(all="ignore"):
        tightened(net, box)
        optimise_neurons(net, box, deadline, progress)
        for polyhedron in _closed(case).unsafe:
            rows = UnsafeRows.of(net, [polyhedron])
            for start in range(0, len(leaves), BATCH):
                if now() > deadline:
                    raise LimitReached("out of time")
                progress(f"{start} of {len(leaves)} leaves checked")
                _shown(net, box, rows, leaves[start : start + BATCH])
    return Checked(len(leaves), now() - started)


def check_path(
    network: Network, stated: Property, proof: Path, deadline: float, progress: Progress = lambda text: None
) -> Checked:
    """Check an APTP file, .gz or not, as `check` does.  Raises OSError, Rejected, LimitReached."""
    data = read_file(proof, MAX_BYTES)
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(BytesIO(data)) as unpacked:
                data = unpacked.read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error):
            raise Rejected("the file is damaged or cut off") from None
    if len(data) > MAX_BYTES:
        raise LimitReached(f"the file is larger than {MAX_BYTES >> 20} MB")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise Rejected("the file is not text") from None
    try:
        return check(network, stated, text, deadline, progress)
    except Unsupported as error:
        raise LimitReached(str(error)) from None


def _normal(stated: Property) -> Property:
    return Property(stated.inputs, stated.outputs, tuple(map(_closed, stated.cases)))


def _closed(case: Case) -> Case:
    """Return the case with every row as the format can say it."""
    return Case(case.lower, case.upper, tuple(tuple(map(scaled, polyhedron)) for polyhedron in case.unsafe))


def _shown(net: FloatNetwork, box: BoxSubdomains, rows: UnsafeRows, leaves: Sequence[Pattern]) -> None:
    """Show that on each leaf some row of the polyhedron is negative, or that the leaf is empty.

    Raises LimitReached for a leaf where bounds do not show it.
    """
    count = len(leaves)
    lower, upper = (np.repeat(v, count, axis=0) for v in (box.lower, box.upper))
    phase = np.zeros((count, net.count), dtype=np.int8)
    for i, leaf in enumerate(leaves):
        for j in leaf:
            if j > 0:
                lower[i, j - 1] = max(lower[i, j - 1], 0.0)
            else:
                upper[i, -j - 1] = min(upper[i, -j - 1], 0.0)
            phase[i, abs(j) - 1] = 1 if j > 0 else -1
    open_ = np.flatnonzero(~(lower > upper).any(axis=1))  # a leaf whose bounds cross is empty
    for r in range(len(rows)):
        if not len(open_):
            return
        l, u = lower[open_], upper[open_]
        functions = NeuronStates(l, u, phase[open_], first_lower_slopes(l, u), np.zeros(l.shape))
        found, _ = descend(net, rows.objectives(np.full(len(open_), r)), box, functions, STEPS)
        open_ = open_[~(found.bound < 0)]
    if len(open_):
        raise LimitReached(f"bounds alone do not show the leaf {_pattern_text(leaves[int(open_[0])])}")


def _pattern_text(leaf: Pattern) -> str:
    return " ".join(f"N_{j} >= 0" if j > 0 else f"N_{-j} < 0" for j in leaf[:6]) + (
        " ..." if len(leaf) > 6 else ""
    )


def covers(leaves: Sequence[Pattern]) -> bool:
    """Return whether every assignment of phases lies in a leaf."""
    stack: list[list[frozenset[int]]] = [[frozenset(leaf) for leaf in leaves]]
    steps = 0
    while stack:
        here = [leaf for leaf in stack.pop() if not any(-j in leaf for j in leaf)]
        steps += 1 + len(here)
        if steps > 100 * MOST_LEAVES:
            raise LimitReached("its leaves overlap too much to see whether they cover everything")
        if not here:
            return False
        if frozenset() in here:
            continue
        counts: dict[int, int] = {}
        for leaf in here:
            for j in leaf:
                counts[abs(j)] = counts.get(abs(j), 0) + 1
        split = max(counts, key=lambda j: counts[j])  # the root of a tree is in all of its leaves
        stack += [[leaf - {sign * split} for leaf in here if -sign * split not in leaf] for sign in (1, -1)]
    return True
