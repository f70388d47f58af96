"""The linear system of one polyhedron on a subdomain: what a point of both has to satisfy.

Between `forms.py`, which has the variables, and `lp.py`, which solves systems; `last_word.py` calls it.
"""

from __future__ import annotations

import math

import numpy as np

from ....models.claims.property import Polyhedron
from ....models.network.integers import integer_array
from .forms import Forms
from .lp import System


def linear_system(forms: Forms, polyhedron: Polyhedron) -> System:
    """Return the system of the polyhedron's points on the subdomain, in the triangle relaxation.

    Its rows are those of the polyhedron, then for each argument of the forms: one of its split, or two of an
    open ReLU (Ehlers 2017; the third, y >= 0, is the variable's range).
    """
    width = len(forms.low)
    rows, constant = _rows(forms, polyhedron)
    added: list[tuple[np.ndarray, int]] = []
    for a in forms.arguments:
        row = _wide(a.row, width)
        if a.variable is None:
            added.append((a.phase * row, a.phase * a.constant))
            continue
        output = np.array([0] * width, dtype=object)
        output[a.variable] = 1
        added.append((output - row, -a.constant))  # y >= x
        # (u - l) y <= u (x - l)
        above = a.high * forms.scale * row - (a.high - a.low) * forms.scale * output
        offset = forms.scale * a.high * a.constant - a.high * a.low
        shared = math.gcd(int(np.gcd.reduce(above)), offset) or 1
        added.append((above // shared, offset // shared))
    count = len(added)
    return System(
        np.concatenate(
            [_wide(rows, width), np.array([r for r, _ in added], dtype=object).reshape(count, width)]
        ),
        np.concatenate([constant, np.array([c for _, c in added], dtype=object)]),
        np.array([*(r.strict for r in polyhedron), *([False] * count)]),
        np.array(forms.low, dtype=object),
        np.array(forms.high, dtype=object),
        forms.scale,
    )


def _rows(forms: Forms, polyhedron: Polyhedron) -> tuple[np.ndarray, np.ndarray]:
    """Return the polyhedron's rows as integer functions of the variables: (rows, variables) and (rows,).

    They are scaled by the least common denominator and by the scale of the outputs.
    """
    network, last = forms.network, forms.network.scale
    common = math.lcm(1, *(f.denominator for r in polyhedron for _, f in (*r.x, *r.y, (0, r.constant))))
    outputs, inputs = (
        np.zeros((len(polyhedron), size), dtype=object) for size in (network.output_size, network.input_size)
    )
    for n, row in enumerate(polyhedron):
        for j, factor in row.y:
            outputs[n, j] += int(factor * common)
        for i, factor in row.x:
            inputs[n, i] += int(factor * common * last)
    constant = np.array([int(r.constant * common * last) for r in polyhedron], dtype=object)
    found, total = forms.carried({len(network.nodes): integer_array(outputs)}, constant)
    found[:, : network.input_size] += inputs
    return found, total


def _wide(rows: np.ndarray, width: int) -> np.ndarray:
    """Return the rows with zeros for the variables that came later."""
    more = np.zeros((*rows.shape[:-1], width - rows.shape[-1]), dtype=object)
    return np.concatenate([rows, more], axis=-1)
