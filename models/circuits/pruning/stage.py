"""The state of a pruning between two of its steps, and the file from which a stopped one goes on.

`node_masks.py` writes it on its way, next to the mask to come, as MASK.stopped.  The file names what it
belongs to by a digest.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....common.deadline import LIMITS
from ....common.errors import InputError
from ..json_file import read_json
from ..sparse_gpt.mask import GptEdge, Kept

FORMAT = "relucid stopped pruning 1"
_MASKS = ("kept", "within")
_FLOATS = ("low", "high", "k")
_COUNTS = ("sweep", "rounds", "tried", "block", "removed")


@dataclass(frozen=True, eq=False)
class PruningStage:
    """Where a pruning is.  First it bisects log k, then it goes through the edges.

    Args:
        kept: the nodes of the best circuit so far.
        within: the nodes that have a gate in this sweep.
        cut: the edges that are gone.
        low: lower end of the interval of log k.
        high: upper end of it.
        k: of the best circuit; 0 if none was found.
        sweep: number of this sweep, from 1.
        rounds: bisections of this sweep that are done.
        tried: edges that this pass over the edges has tried.
        block: how many edges it tries at once next.
        removed: edges that this pass has removed.
    """

    kept: Kept
    within: Kept
    cut: frozenset[GptEdge]
    low: float
    high: float
    k: float = 0.0
    sweep: int = 1
    rounds: int = 0
    tried: int = 0
    block: int = 1
    removed: int = 0

    def text(self, digest: str) -> str:
        """Return the file; `digest` is that of the model, the inputs and the settings."""
        stated = {"format": FORMAT, "of": digest}
        stated |= {name: getattr(self, name) for name in (*_FLOATS, *_COUNTS)}
        stated |= {"cut": sorted(self.cut)}  # type: ignore[dict-item]
        stated |= {name: _listed(getattr(self, name)) for name in _MASKS}  # type: ignore[misc]
        return json.dumps(stated) + "\n"


def _listed(mask: Kept) -> dict[str, list[int]]:
    return {f"{layer}.{location}": np.flatnonzero(k).tolist() for (layer, location), k in mask.items()}


def read_stage(path: Path, digest: str, first: PruningStage) -> PruningStage:
    """Read what `PruningStage.text` wrote.

    Args:
        path: the file.
        digest: of the pruning that is to go on.
        first: the stage with which that pruning begins.

    Raises:
        InputError: the file belongs to another pruning, or is damaged.
    """
    raw, mend = read_json(path), "remove it to start again"
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise InputError(str(path), "is not a stopped pruning", mend)
    if raw.get("of") != digest:
        what = "is a stopped pruning of another model or with other options"
        raise InputError(str(path), what, "remove it, or give what it was started with")
    try:
        stage = _parsed(raw, first)
        if min(getattr(stage, name) for name in _COUNTS) < 0 or stage.block < 1:
            raise ValueError("a count is out of range")
        if not all(math.isfinite(getattr(stage, name)) for name in _FLOATS):
            raise ValueError("a number is not finite")
        if not stage.cut >= first.cut or not all(
            (k <= stage.within[p]).all() and (stage.within[p] <= first.kept[p]).all()
            for p, k in stage.kept.items()
        ):
            raise ValueError("more is kept than there was")
    except LIMITS:
        raise
    except Exception as error:  # a damaged file fails in many ways
        raise InputError(str(path), f"is damaged ({type(error).__name__})", mend) from None
    return stage


def _parsed(raw: dict[str, object], first: PruningStage) -> PruningStage:
    masks = {name: {place: np.zeros_like(k) for place, k in first.kept.items()} for name in _MASKS}
    for name, mask in masks.items():
        for (layer, location), k in mask.items():
            k[raw[name][f"{layer}.{location}"]] = True  # type: ignore[index]
    cut = frozenset((int(a), str(b), int(c), int(d)) for a, b, c, d in raw["cut"])  # type: ignore[attr-defined]
    low, high, k_of_best = (float(raw[name]) for name in _FLOATS)  # type: ignore[arg-type]
    counts = {name: int(raw[name]) for name in _COUNTS}  # type: ignore[call-overload]
    return PruningStage(masks["kept"], masks["within"], cut, low, high, k_of_best, **counts)
