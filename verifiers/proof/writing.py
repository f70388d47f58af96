"""Writes proofs: the lines of the format, and files of them, all or nothing.  Untrusted.

Both producers write through this module, and `tree.py` reads what comes out.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ...common.files import replaced
from ...common.text import rational
from .format import FORMAT, WITNESS
from .region import Phases, Region
from .tree import ProofLeaf

MANY = 64  # bounds and leaves in one line, about

Line = dict[str, Any]
END: Line = {"end": True}


def header(kind: str, digests: Mapping[str, str], exact_in_float32: bool | None) -> Line:
    """The first line of a proof."""
    return {
        "format": FORMAT,
        "kind": kind,
        "digests": dict(digests),
        "exact_in_float32": exact_in_float32,
    }


def node(
    *,
    tighten: bool = False,
    bounds: list[Any] | None = None,
    leaves: list[Any] | None = None,
    split: Any = None,
) -> Line:
    """One node of a tree."""
    return {"tighten": tighten, "bounds": bounds or [], "leaves": leaves or [], "split": split}


def in_short_lines(whole: Line) -> Iterator[Line]:
    """The same node in lines of bounded length."""
    bounds, leaves, tighten = whole["bounds"], whole["leaves"], whole["tighten"]
    while len(bounds) + len(leaves) > MANY:
        some = min(len(bounds), MANY)
        yield node(tighten=tighten, bounds=bounds[:some], leaves=leaves[: MANY - some], split="again")
        bounds, leaves, tighten = bounds[some:], leaves[MANY - some :], False
    yield node(tighten=tighten, bounds=bounds, leaves=leaves, split=whole["split"])


def changes(values: np.ndarray, default: np.ndarray, named: np.ndarray | bool = False) -> list[int]:
    """[place, value, ...] where values are not the default, or (`named`) have to be said all the same."""
    return [
        number for j in np.flatnonzero((values != default) | named) for number in (int(j), int(values[j]))
    ]


def leaf_entry(
    target: int,
    phases: Phases,
    leaf: ProofLeaf | None = None,
    region: Region | None = None,
    named: np.ndarray | bool = False,
) -> list[Any]:
    """A leaf as a node lists it; `leaf` and its region are left out where the region has no inputs with the
    phases.

    `named` (ReLUs,): those whose slopes are said even where they are the default ones.
    """
    flat = [sign * (j + 1) for j, sign in phases]
    if leaf is None or region is None:
        return [target, flat, None]
    rows = len(leaf.factors)
    given = (leaf.factors, leaf.below, leaf.above, leaf.beta)
    usual = (np.full(rows, rows == 1, dtype=np.int64), *region.defaults)
    said = (False, named, named, False)
    return [target, flat, [changes(*some) for some in zip(given, usual, said, strict=True)]]


def witness_line(
    kind: str,
    digests: Mapping[str, str],
    inputs: Sequence[str],
    outputs: Sequence[Fraction],
    labels: Sequence[Any] | None,
    runtime: tuple[Sequence[str], Sequence[str] | None] | None,
) -> dict[str, Any]:
    """Return the line of a witness.

    `inputs`: tokens, or rationals as text.  `outputs`: exact.  `labels`: what network and program say, None
    for boxes.  `runtime`: what onnxruntime took and gave (None where it did not run), for the reader only.
    """
    took, gave = runtime or (inputs, None)
    return {
        "format": WITNESS,
        "kind": kind,
        "digests": dict(digests),
        "input": list(inputs),
        "labels": None if labels is None else list(labels),
        "output": [rational(v) for v in outputs],
        "onnxruntime": {"input": list(took), "output": None if gave is None else list(gave)},
    }


def _packed(raw: IO[bytes], path: Path) -> AbstractContextManager[IO[bytes]]:
    """Gzipped where the name says so, the same bytes for the same lines."""
    if path.suffix != ".gz":
        return nullcontext(raw)
    return cast(
        AbstractContextManager[IO[bytes]], gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
    )


def write_lines(
    path: Path, lines: Iterable[dict[str, Any]], confirm: Callable[[Path], None] = lambda path: None
) -> int:
    """Write lines of JSON; returns the size in bytes.  Raises OSError, and what `confirm` raises: then there
    is no file.
    """
    return write_pieces(
        path, (json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n" for line in lines), confirm
    )


def write_pieces(
    path: Path, pieces: Iterable[bytes], confirm: Callable[[Path], None] = lambda path: None
) -> int:
    """Write them, gzipped where the name ends in .gz, all or nothing; returns the size in bytes.

    `confirm` gets the complete file before it has its name.  Raises OSError, and what `confirm` raises.
    """
    with replaced(path) as draft:
        with _packed(draft.file, path) as file:
            for piece in pieces:
                file.write(piece)
        size = draft.settle()
        confirm(draft.path)
    return size
