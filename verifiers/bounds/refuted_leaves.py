"""What shows that leaves of a tree of splits are safe, for proofs.

`engines/boxes/relu_split.py` and `lp_split.py` report it, `verifiers/proof` writes it down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .subdomains import Arrays


@dataclass(frozen=True, eq=False)
class RefutedLeaves(Arrays):
    """Leaves: each refutes `polyhedron` (leaves,) where neurons have the phases `phase` (leaves, neurons; 0:
    either).

    A sum of its rows by `factors` (leaves, rows of the largest polyhedron; >= 0) has a negative bound with
    the lower slopes `below` and the multipliers `beta` (leaves, neurons) of the phases.  All factors 0: no
    input has these phases.
    """

    polyhedron: np.ndarray
    factors: np.ndarray
    phase: np.ndarray
    below: np.ndarray
    beta: np.ndarray


OnRefuted = Callable[[RefutedLeaves], None]
