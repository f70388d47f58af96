"""Checks proofs and witnesses of claims about every position: those of all positions, in one file.

Part of the trusted base, after `checker.py` and `witness.py`, which check the part at each position.  This
module sees to it that no position is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ....models.claims.position_claims import PositionClaims
from ..format import FORMAT, POSITIONS, Rejected
from ..lines import Lines
from ..tree import Accepted
from .checker import check_proof, digests_of
from .witness import check_witness


def check_positions(
    claim: PositionClaims,
    lines: Iterable[dict[str, Any]],
    progress: Callable[[str], None] = lambda text: None,
    *,
    deadline: float = math.inf,
    digests: bool = True,
) -> Accepted:
    """Check that the lines prove the claim at every position.

    Arguments and exceptions are those of `check_proof`.
    """
    stream = iter(lines)
    own = Lines(stream, deadline)
    header = own.line("the first line", {"format", "kind", "digests"})
    if header["format"] != FORMAT or header["kind"] != POSITIONS:
        raise own.no("it is not a proof about every position")
    if digests and header["digests"] != {"claim": claim.digest}:
        raise own.no("it is a proof about another claim")
    parts = []
    for i, part in claim.parts.items():
        if own.line("a position", {"position"}) != {"position": i}:
            raise own.no(f"position {i} should follow")
        progress(f"checking position {i}")
        try:
            part_lines = _to_the_end(stream, own)
            parts.append(check_proof(part, part_lines, progress, deadline=deadline, digests=digests))
        except Rejected as why:
            raise own.no(f"at position {i}, {why}", type(why)) from None
    own.end()
    exact = all(found.exact_in_float32 for found in parts)
    numbers = [(found.parts, found.leaves, found.run) for found in parts]
    subdomains, leaves, run = map(sum, zip(*numbers, strict=True))
    return Accepted(subdomains, leaves, run, exact)


def _to_the_end(stream: Iterator[dict[str, Any]], own: Lines) -> Iterator[dict[str, Any]]:
    """Yield the lines of one position, with the last one; `own` counts them too."""
    for line in stream:
        own.number += 1
        yield line
        if line == {"end": True}:
            return


def check_position_witness(claim: PositionClaims, line: Mapping[str, Any]) -> tuple[str, ...]:
    """Check that a witness refutes the claim at its position; return its input.

    Raises Rejected if it does not.
    """
    position = line.get("position")
    if type(position) is not int or position not in claim.parts:
        raise Rejected("the witness names no position of the claim")
    part = claim.parts[position]
    return check_witness(part, digests_of(part), {k: v for k, v in line.items() if k != "position"})
