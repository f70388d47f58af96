"""A network over a box, and its unsafe rows, as the rows of a linear program.

After `presolve.py`, for `lp.py` and `milp.py`.  A neuron that may be on or off on the box, with bounds l < 0
< u of its input, has two variables y and s from 0 to 1, and its input is u y + l s.  Its output is u y if one
of them is 0.  y + s <= 1 is the triangle (Ehlers 2017); y <= 0 switches the neuron off, s <= 0 on.  All other
neurons are linear, and substituted.  One more variable, the margin, is at most the value of every row.  All
variables and all equations are scaled to about 1, so that a solver's tolerances mean the same everywhere.

Everything here is float64 without error bounds: what a solver says about it is a proposal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ....common.errors import Unsupported
from ....models.network.network import Relu
from ...bounds.cuts import Cuts
from ...bounds.floats import FLOOR, FloatNetwork
from ...bounds.matrices import SparseFloats
from ...bounds.subdomains import BoxSubdomains
from ...bounds.unsafe_rows import UnsafeRows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_ENTRIES = 2**22  # of the program's matrix
MOST_PRODUCTS = 2**28  # that it may take to put linear neurons in
TOO_LARGE = "the linear program of the network would be too large"


Form = tuple[
    "csr_array", np.ndarray
]  # of many values at once: (values, variables without the margin), (values,)


@dataclass(frozen=True, eq=False)
class LinearProgram:
    """Variables: the inputs, from -1 to 1, y and s of the open neurons, the margin.

    `matrix` (constraints, variables), `least`, `most` (constraints,): first an equation for every open
    neuron, in units of `unit` (open,), then the triangle of each, then the `cuts`, by ReLU node, in their
    neurons' units, then one for every row of `rows`: its value, in units of `size`, minus the margin is at
    least 0. `neuron` (open,): which ones are open.  Inputs are `middle` + `radius` times theirs, (inputs,)
    each.  `forms`: what ReLU nodes and the inputs (0) hold.
    """

    middle: np.ndarray
    radius: np.ndarray
    matrix: csr_array
    least: np.ndarray
    most: np.ndarray
    neuron: np.ndarray
    unit: np.ndarray
    rows: np.ndarray
    size: float
    forms: Mapping[int, Form]
    cuts: Mapping[int, Cuts]

    @property
    def first_row(self) -> int:
        """Where the rows begin among the constraints."""
        return len(self.least) - len(self.rows)

    @property
    def y(self) -> np.ndarray:
        return len(self.middle) + np.arange(len(self.neuron))

    @property
    def s(self) -> np.ndarray:
        return len(self.middle) + len(self.neuron) + np.arange(len(self.neuron))

    @property
    def low(self) -> np.ndarray:
        """(variables,)"""
        return np.concatenate([-np.ones(len(self.middle)), np.zeros(2 * len(self.neuron)), [-np.inf]])

    @property
    def high(self) -> np.ndarray:
        return np.concatenate([np.ones(self.margin), [np.inf]])

    def inputs(self, values: np.ndarray) -> np.ndarray:
        """The point of the box that the values of all variables stand for."""
        result: np.ndarray = self.middle + self.radius * np.clip(values[: len(self.middle)], -1, 1)
        return result

    @property
    def margin(self) -> int:
        return len(self.middle) + 2 * len(self.neuron)


def linear_program(
    net: FloatNetwork, box: BoxSubdomains, rows: UnsafeRows, chosen: np.ndarray
) -> LinearProgram:
    """`box`: one subdomain with the bounds of all neurons; `chosen`: the rows that are put in.

    Raises Unsupported where that is too large.
    """
    from scipy.sparse import csr_array, diags_array, hstack, vstack

    middle, radius = (box.low[0] + box.high[0]) / 2, (box.high[0] - box.low[0]) / 2
    lower, upper = box.lower[0], box.upper[0]
    opened = np.flatnonzero((lower < 0) & (upper > 0))
    count = len(opened)
    width = len(middle) + 2 * count
    forms, (outputs, constant), (equations, offset) = _forms(net, middle, radius, lower, upper, opened)

    def pair(first: np.ndarray, second: np.ndarray) -> csr_array:
        """A multiple of y and one of s for every open neuron."""
        place = np.tile(np.arange(count), 2), len(middle) + np.arange(2 * count)
        return csr_array((np.concatenate([first, second]), place), shape=(count, width))

    unit = np.maximum(upper[opened], -lower[opened])
    equations = (diags_array(1 / unit) @ equations).tocsr() - pair(upper[opened] / unit, lower[opened] / unit)
    margins, floor = (
        csr_array(rows.outputs[chosen]) @ outputs,
        rows.outputs[chosen] @ constant + rows.constant[chosen],
    )
    if rows.inputs is not None:
        margins, floor = (
            margins + csr_array(rows.inputs[chosen]) @ forms[0][0],
            floor + rows.inputs[chosen] @ middle,
        )
    if equations.nnz + margins.nnz > MOST_ENTRIES:
        raise Unsupported(TOO_LARGE)
    size = max(float(abs(margins).max()) if margins.nnz else 0.0, float(np.abs(floor).max(initial=0)), FLOOR)
    last = csr_array(np.concatenate([np.zeros(2 * count), -np.ones(len(chosen))])[:, None])
    return LinearProgram(
        middle,
        radius,
        hstack(
            [vstack([equations, pair(np.ones(count), np.ones(count)), margins / size]), last], format="csr"
        ),
        np.concatenate([-offset / unit, np.full(count, -np.inf), -floor / size]),
        np.concatenate([-offset / unit, np.ones(count), np.full(len(chosen), np.inf)]),
        opened,
        unit,
        np.asarray(chosen),
        size,
        forms,
        {},
    )


def with_cuts(net: FloatNetwork, p: LinearProgram, cuts: Mapping[int, Cuts]) -> LinearProgram:
    """With these in place of those that it had.  Raises Unsupported where that is too large."""
    from scipy.sparse import csr_array, hstack, vstack

    first = 2 * len(p.neuron)
    pieces, least = [p.matrix[:first]], [p.least[:first]]
    for k, c in cuts.items():
        unit = _units(net, p, k)[c.place]
        (read, constant), (outputs, own) = p.forms[c.source], p.forms[k]
        slopes = c.slopes / unit[:, None]
        above = csr_array(slopes) @ read - (
            csr_array((1 / unit, (np.arange(len(c)), c.place)), shape=(len(c), c.size)) @ outputs
        )
        pieces.append(hstack([above, csr_array((len(c), 1))]))
        least.append(-(slopes @ constant - own[c.place] / unit + c.offset / unit))
    matrix = vstack([*pieces, p.matrix[p.first_row :]], format="csr")
    if matrix.nnz > MOST_ENTRIES:
        raise Unsupported(TOO_LARGE)
    count = sum(map(len, cuts.values()))
    most = np.concatenate([p.most[:first], np.full(count, np.inf), p.most[p.first_row :]])
    return replace(
        p, matrix=matrix, least=np.concatenate([*least, p.least[p.first_row :]]), most=most, cuts=dict(cuts)
    )


def _units(net: FloatNetwork, p: LinearProgram, k: int) -> np.ndarray:
    """Of all neurons of a ReLU node; 0 where they are not open."""
    out = np.zeros(net.count)
    out[p.neuron] = p.unit
    return out[net.columns[net.relus.index(k)]]


def cut_units(net: FloatNetwork, p: LinearProgram) -> np.ndarray:
    """(cuts,): what their rows were divided by."""
    return np.concatenate([np.zeros(0), *(_units(net, p, k)[c.place] for k, c in p.cuts.items())])


def _forms(
    net: FloatNetwork,
    middle: np.ndarray,
    radius: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    opened: np.ndarray,
) -> tuple[dict[int, Form], Form, Form]:
    """ReLU nodes and the inputs (0), the outputs, and what the open neurons read, as linear functions of the
    variables.
    """
    from scipy.sparse import csr_array, diags_array, vstack

    inputs, width = len(middle), len(middle) + 2 * len(opened)
    place = np.full(net.count, -1)
    place[opened] = np.arange(len(opened))
    columns = dict(zip(net.relus, net.columns, strict=True))
    at = np.arange(inputs)
    values: list[Form] = [(csr_array((radius, (at, at)), shape=(inputs, width)), middle)]
    read: list[Form] = [(csr_array((0, width)), np.zeros(0))]
    entries = 0
    for k, node in enumerate(net.nodes, start=1):
        if isinstance(node, Relu):
            matrix, constant = values[node.source]
            c = columns[k]
            own = np.flatnonzero(place[c] >= 0)
            read.append((matrix[own], constant[own]))
            entries += read[-1][0].nnz
            on = (lower[c] >= 0).astype(np.float64)
            outputs = csr_array((upper[c][own], (own, inputs + place[c][own])), shape=(net.sizes[k], width))
            values.append(((diags_array(on) @ matrix).tocsr() + outputs, on * constant))
        else:
            matrix, constant = csr_array((net.sizes[k], width)), node.bias.astype(np.float64)
            for source, w in zip(node.sources, node.weights, strict=True):
                before, offset = values[source]
                matrix, constant = matrix + _product(w, before), constant + w @ offset
            matrix.eliminate_zeros()
            values.append((matrix, constant))
        if entries + values[-1][0].nnz > MOST_ENTRIES:
            raise Unsupported(TOO_LARGE)
    return (
        {k: values[k] for k in (0, *net.relus)},
        values[-1],
        (vstack([m for m, _ in read]), np.concatenate([c for _, c in read])),
    )


def _product(w: np.ndarray | SparseFloats, values: csr_array) -> csr_array:
    from scipy.sparse import csr_array

    if isinstance(w, SparseFloats):
        rows, columns, entries = w.entries()
        matrix = csr_array((entries, (rows, columns)), shape=w.shape)
    else:
        matrix = csr_array(w)
    if np.diff(values.indptr)[matrix.indices].sum() > MOST_PRODUCTS:
        raise Unsupported(TOO_LARGE)
    return matrix @ values
