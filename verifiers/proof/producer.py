"""Writes what `bab` has settled as a proof, in the order in which the checker reads it.

Nothing here is trusted: the checker accepts or rejects what comes out.  Small domains are proved by enumeration.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...encoders.bounds import reduced
from ...encoders.dense import dense
from ...models.claim import Claim
from ...models.float32 import exact_in_float32
from ..engines.bab import Options, Search
from ..engines.cells import Leaf
from ..engines.relaxation import STEP
from .format import FORMAT

FEW = 20_000  # words of all labels that are left to enumeration: the checker runs them


def proof_lines(claim: Claim, seconds: float, progress: Callable[[str], None] = lambda text: None) -> Iterator[dict[str, Any]]:
    """The lines of a proof, label by label.  Raises TimeoutError where the search does not end in time, Unproved where the claim is false."""
    deadline = time.monotonic() + seconds
    digests = {"claim": claim.digest, "network": claim.network.digest, "program": claim.program.digest, "domain": claim.domain.digest}
    yield {"format": FORMAT, **digests, "exact_in_float32": exact_in_float32(claim.network, claim.domain.positions).ok}
    few = claim.domain_size <= FEW
    for label in range(len(claim.decision.labels)):
        language = claim.language.restricted(label)
        if language.empty or not claim.decision.rivals(label):
            continue
        if few:
            yield {"label": label, "by": "enumeration", "bounds": []}
            continue
        yield from _label(claim, label, deadline, progress)
    yield {"end": True}


class Unproved(Exception):
    """A word came up on which network and program differ: somebody's "proved" was wrong."""


def _label(claim: Claim, label: int, deadline: float, progress: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    language = claim.language.restricted(label)
    small = reduced(claim.network, claim.domain, language, deadline)
    queries = [dense(small, rival) for rival in claim.decision.rivals(label)]
    left = [i for i, query in enumerate(queries) if not query.settled]
    if not left:
        yield {"label": label, "by": "parts", "bounds": []}
        yield {"closed": [], "cut": None}
        return
    search = Search([queries[i] for i in left], Options(cut_states=language.deterministic))
    order = language.canonical()
    name = claim.decision.labels[label]
    outcome = search.run(deadline, lambda said, cells: progress(f"proof, label {name!r}: {said.nodes} nodes, {cells} parts open"))
    if outcome.words:
        raise Unproved(f"network and program differ on {list(claim.domain.unpadded(outcome.words[0]))}")
    if outcome.open:
        raise TimeoutError("out of time while proving")
    k = search.problem.count
    bounds = [[row, sign, _plain(m.below), _plain(m.above)] for row, sign, m in search.root_bounds]
    yield {"label": label, "by": "parts", "bounds": bounds}
    stack = [0]
    while stack:
        number = stack.pop()
        closed = [_leaf(leaf, left[leaf.target - k]) for leaf in search.closed.get(number, [])]
        if number not in search.cuts:
            yield {"closed": closed, "cut": None}
            continue
        cut, inside, outside = search.cuts[number]
        values = sorted(order[cut.place].index(v) for v in cut.values) if cut.kind == "state" else list(cut.values)
        yield {"closed": closed, "cut": [cut.kind, cut.place, values]}
        stack += [outside, inside]


def _leaf(leaf: Leaf, rival: int) -> list[Any]:
    phases = [phase * (j + 1) for j, phase in leaf.phases]
    if leaf.looked:
        return [rival, phases, "looked"]
    m = leaf.multipliers
    return [rival, phases, None if m is None else [_plain(m.below), _plain(m.above), _plain(m.beta)]]


def _plain(values: np.ndarray) -> list[int]:
    return np.rint(values / STEP).astype(np.int64).tolist()
