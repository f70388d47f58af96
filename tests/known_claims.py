"""Claims with known answers: the corpus beside this file and, where it is there, ../shared/golden.  Used by
several tests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
SHARED = HERE.parent.parent / "shared"
GOLDEN = SHARED / "golden"
# What --json says of every verdict (docs/reference/json.md); scripts rely on it.
KEYS = {
    "verdict", "trust", "reason", "backend", "seconds", "domain_size", "counterexample", "proof", "attempts",
}  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A claim folder and what brute force found there."""

    folder: Path

    @property
    def claim_file(self) -> Path:
        return self.folder / "claim.toml"

    @property
    def expected(self) -> dict:
        return json.loads((self.folder / "expected.json").read_text(encoding="utf-8"))


def _folders(root: Path) -> list[Known]:
    return [Known(p.parent) for p in sorted(root.glob("*/claim.toml"))] if root.is_dir() else []


@cache
def corpus() -> tuple[Known, ...]:
    return tuple(_folders(CORPUS))


@cache
def golden() -> tuple[Known, ...]:
    return tuple(_folders(GOLDEN))
