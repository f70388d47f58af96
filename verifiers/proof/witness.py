"""The witness of a refutation: one input and what the network gives on it, in one form for words and boxes.

Part of the trusted base.  Written after replay (`writing.py`).  This module checks the form of the line and
what it is about; then `words/witness.py` or `boxes/witness.py` runs the network once more, exactly, and
without any solver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .format import WITNESS, Rejected

KEYS = {"format", "kind", "digests", "input", "labels", "output", "onnxruntime"}


def check_form(line: Mapping[str, Any], kind: str, digests: Mapping[str, str]) -> None:
    """Raise Rejected unless the line is a witness of this kind about what has these digests."""
    if set(line) != KEYS:
        raise Rejected(f"the witness has not just {', '.join(sorted(KEYS))}")
    if line["format"] != WITNESS or line["kind"] != kind:
        raise Rejected(f"it is not a witness about {kind}")
    for name, digest in digests.items():
        if not isinstance(line["digests"], dict) or line["digests"].get(name) != digest:
            raise Rejected(f"it is a witness about another {name}")
