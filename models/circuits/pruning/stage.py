"""Where a pruning is, between two of its steps, and the file from which a stopped one goes on to the same mask.

Written by `node_masks.py` on its way (next to the mask to come, as MASK.stopped); the file names what it belongs to by a digest.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....common.deadline import LIMITS
from ....common.errors import InputError
from ..formats.config import read_json
from .gates import Kept
from .mask import Cut

FORMAT = "relucid stopped pruning 1"


@dataclass(frozen=True, eq=False)
class Stage:
    """The best mask so far; the bisection of log k between `low` and `high`, with gates for the nodes `within` only; then the pass over edges:
    `tried` of them, the next `block` at once."""

    kept: Kept
    within: Kept
    cut: frozenset[Cut]
    low: float
    high: float
    k: float = 0.0  # of the best mask; 0: none was found
    sweep: int = 1
    rounds: int = 0  # of this sweep
    tried: int = 0
    block: int = 1
    removed: int = 0  # in this pass over the edges

    def text(self, of: str) -> str:
        """The file; `of` is the digest of model, inputs and settings."""
        numbers = {name: getattr(self, name) for name in (*_FLOATS, *_COUNTS)}
        return (
            json.dumps(
                {
                    "format": FORMAT,
                    "of": of,
                    **numbers,
                    "cut": sorted(self.cut),
                    **{m: _listed(getattr(self, m)) for m in _MASKS},
                }
            )
            + "\n"
        )


_MASKS, _FLOATS, _COUNTS = (
    ("kept", "within"),
    ("low", "high", "k"),
    ("sweep", "rounds", "tried", "block", "removed"),
)


def _listed(mask: Kept) -> dict[str, list[int]]:
    return {f"{layer}.{location}": np.flatnonzero(k).tolist() for (layer, location), k in mask.items()}


def read_stage(path: Path, of: str, first: Stage) -> Stage:
    """What `text` wrote, for a pruning that begins with `first`; InputError where it belongs to another one or is damaged."""
    raw, mend = read_json(path), "remove it to start again"
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise InputError(str(path), "is not a stopped pruning", mend)
    if raw.get("of") != of:
        raise InputError(
            str(path),
            "is a stopped pruning of another model or with other options",
            "remove it, or give what it was started with",
        )
    try:
        masks = {name: {place: np.zeros_like(k) for place, k in first.kept.items()} for name in _MASKS}
        for name, mask in masks.items():
            for (layer, location), k in mask.items():
                k[raw[name][f"{layer}.{location}"]] = True
        cut = frozenset((int(a), str(b), int(c), int(d)) for a, b, c, d in raw["cut"])
        counts = {name: int(raw[name]) for name in _COUNTS}
        floats = {name: float(raw[name]) for name in _FLOATS}
        if min(counts.values()) < 0 or counts["block"] < 1 or not all(map(math.isfinite, floats.values())):
            raise ValueError("a number is out of range")
        if (
            any(
                (k & ~masks["within"][p] | masks["within"][p] & ~first.kept[p]).any()
                for p, k in masks["kept"].items()
            )
            or not cut >= first.cut
        ):
            raise ValueError("more is kept than there was")
    except LIMITS:
        raise
    except Exception as error:  # a damaged file fails in many ways
        raise InputError(str(path), f"is damaged ({type(error).__name__})", mend) from None
    low, high, k_of_best = (floats[name] for name in _FLOATS)
    return Stage(masks["kept"], masks["within"], cut, low, high, k_of_best, **counts)
