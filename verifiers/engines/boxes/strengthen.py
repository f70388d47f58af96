"""The linear program of the whole box, made tighter by cutting planes, round by round.

Between `linear_program.py` and `lp_split.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....common.clock import now, share_of
from ...bounds.cuts import Cuts, joined, layers_of
from ...bounds.floats import FloatNetwork
from ...bounds.subdomains import BoxSubdomains
from ...bounds.unsafe_rows import UnsafeRows
from .linear_program import LinearProgram, cut_units, with_cuts
from .lp import LpSolver

ROUNDS = 10
MOST_POLYHEDRA = 8  # whose solutions are looked at
TIME_SHARE = 0.1
LEAST_GAIN = 0.005  # of the margin, for another round


def solver_of(net: FloatNetwork, rows: UnsafeRows, written: LinearProgram) -> LpSolver:
    return LpSolver(written, rows.owner[written.rows], cut_units(net, written))


def strengthened(
    net: FloatNetwork,
    rows: UnsafeRows,
    box: BoxSubdomains,
    written: LinearProgram,
    left: np.ndarray,
    deadline: float,
    progress: Callable[[str], None],
) -> LinearProgram:
    """With cuts, as long as they bring something; `left`: the polyhedra that are not refuted.

    Raises Unsupported where that is too large.
    """
    relaxations = layers_of(net, box)
    columns = dict(zip(net.relus, net.columns, strict=True))
    none = np.zeros(len(written.neuron), dtype=np.int8)
    until = share_of(deadline, TIME_SHARE)
    margins = np.full(len(left), np.inf)
    for number in range(ROUNDS):
        progress(f"cuts, round {number + 1}")
        solver = solver_of(net, rows, written)
        new: list[dict[int, Cuts]] = []
        gained = False
        for i, polyhedron in enumerate(left[:MOST_POLYHEDRA]):
            solved = solver.solve(none, int(polyhedron), until)
            if solved.values is None:
                continue
            gained |= number == 0 or bool(solved.margin < margins[i] - LEAST_GAIN * abs(margins[i]))
            margins[i] = solved.margin
            for k, layer in relaxations.items():
                place = np.flatnonzero(np.isin(np.arange(columns[k].start, columns[k].stop), written.neuron))
                values, outputs = (
                    m @ solved.values + c for m, c in (written.forms[layer.source], written.forms[k])
                )
                found, slopes = layer.violated(place, values, outputs[place])
                if len(found):
                    new.append({k: layer.cuts(found, slopes)})
        if not new or not gained or now() > until:
            break
        written = with_cuts(net, written, joined([written.cuts, *new]))
    return written
