"""What a search over a box is asked, and what it answers.

Data only, for `input_split.py`, `relu_split.py`, `lp_split.py` and `milp.py`, and for those who start them:
`searches.py`, and the writers of proofs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...bounds.floats import FloatNetwork
from ...bounds.refuted_leaves import OnRefuted
from ...bounds.unsafe_rows import UnsafeRows

Accept = Callable[[np.ndarray], bool]


@dataclass(frozen=True, eq=False)
class SearchRequest:
    """Are all polyhedra of `rows` empty on the box of `net`?  Threads may call the functions together.

    `accept` gets points (points, inputs) that look unsafe, likeliest first, and says whether one of them is.
    `deadline`: in `now`'s seconds.  `progress` may raise `Cancelled`.  `on_refuted`, where given, gets the
    leaves of phase splits.
    """

    net: FloatNetwork
    rows: UnsafeRows
    accept: Accept
    deadline: float
    progress: Callable[[str], None] = lambda text: None
    threads: int = 1
    on_refuted: OnRefuted | None = None


@dataclass(frozen=True)
class Searched:
    """Why a search ended: "done" (nothing waits), "found" (a point was accepted), "timeout", or "stuck" (a
    subdomain cannot be divided, or `reason`).

    None of them says that the box is safe: that is for the tree of its subdomains to say.
    """

    status: str
    subdomains: int = 0
    reason: str = ""


class Cancelled(Exception):
    """Raised by `progress` where nobody needs the search any more; searches let it through."""
