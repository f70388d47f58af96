"""The kinds of hunt, one module each.

A kind's module has three functions.  `cases(rng)` yields cases without end: plain data that JSON can hold,
made from `rng` alone, so that a seed and a number name a case.  `problem(case, counts)` says in one line what
is wrong with relucid's answer, or None; it adds to `counts`, by row and column of the kind's table.
`smaller(case)` yields simpler cases that may fail as well, the simplest first.  `SECONDS`, where there is
one, is how long a case may take before it counts as hanging.
"""

from __future__ import annotations

import importlib
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

Case = dict[str, Any]
Counts = Counter[tuple[str, str]]

KINDS = {
    "programs": "programs of the readable subset against CPython, and their automata against running them",
    "graphs": "ONNX graphs with odd attributes, as they are read, against onnxruntime and the reference evaluator",
    "words": "claims about tokens: every engine and solver, every budget, against brute force",
    "boxes": "claims about real inputs, every way to decide them, against exact polygons",
    "networks": "two networks, on tokens and on boxes, against brute force",
    "proofs": "proofs and mutants of proofs shown for false claims, in every format",
    "hostile": "damaged and hostile files, every command",
}
DEFAULT_SECONDS = 60.0


class Kind(Protocol):
    def cases(self, rng: random.Random) -> Iterator[Case]: ...

    def problem(self, case: Case, counts: Counts) -> str | None: ...

    def smaller(self, case: Case) -> Iterator[Case]: ...


def kind(name: str) -> Kind:
    """The kind's module, imported when it is needed: some of them bring torch."""
    return importlib.import_module(f".{name}", __package__)  # type: ignore[return-value]
