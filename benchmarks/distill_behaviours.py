"""The behaviours of `relucid bench distill`: a domain, labels, and a reference program each (distill.toml).

The reference labels what a teacher is trained on, and the length of a found program is compared with it.  It
is used for nothing else.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..models.automata.labelled import Labelled
from ..models.claims.domain import Domain
from ..models.claims.language import build_language
from ..models.program.program import Program
from ..search.rank import description_length

DATA = Path(__file__).with_name("distill.toml")


@dataclass(frozen=True)
class Behaviour:
    """One row of the suite."""

    name: str
    domain: Domain
    labels: tuple[str, ...]
    reference: Program

    @cached_property
    def labelled(self) -> Labelled:
        """Return every input of the domain with the reference's label."""
        parts = list(build_language(self.domain, self.reference, self.labels).words())
        return Labelled(
            np.concatenate([words for words, _ in parts]), np.concatenate([labels for _, labels in parts])
        )

    @property
    def reference_length(self) -> int:
        return description_length(self.reference.source)

    @cached_property
    def digest(self) -> str:
        """Return a digest of everything that a result depends on but the code."""
        text = json.dumps([self.name, self.domain.digest, self.labels, self.reference.digest])
        return hashlib.sha256(text.encode()).hexdigest()


def behaviours() -> tuple[Behaviour, ...]:
    """Return all of them, in the order of the file."""
    return tuple(
        _behaviour(name, row) for name, row in tomllib.loads(DATA.read_text(encoding="utf-8")).items()
    )


def _behaviour(name: str, row: dict[str, Any]) -> Behaviour:
    shortest, longest = row["length"] if isinstance(row["length"], list) else (row["length"], row["length"])
    domain = Domain(tuple(row["tokens"]), shortest, longest, pad="<pad>" if shortest < longest else None)
    return Behaviour(
        name,
        domain,
        tuple(row["labels"]),
        Program.from_source(row["program"].lstrip("\n"), name, f"distill.toml:{name}"),
    )
