"""A claim: network and program give the same label on every sequence of the domain.

Holds the decision rule (docs/reference/semantics.md) and binds network, program and domain into the one object that encoders
and verifiers take.  `claim_file.py` reads claims from TOML.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...common.deadline import check
from ...common.errors import InputError
from ..automata.automaton import Automaton
from ..network.network import Network
from ..program.program import Program
from .domain import Domain
from .language import build_language

if TYPE_CHECKING:
    from .pair import Pair

Label = str | int | bool


def same_label(a: object, b: object) -> bool:
    """Labels compare with their type: 1, True and "1" are three labels."""
    return type(a) is type(b) and a == b


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


@dataclass(frozen=True)
class Rival:
    """A way to err on words of one label: the network errs iff coefficients . outputs >= threshold, over integers.

    `outputs` are the network's output numerators (over `Network.scale`), so strictness is exact: > 0 is >= 1.
    """

    label: int
    coefficients: tuple[int, ...]
    threshold: int


@dataclass(frozen=True)
class Decision:
    """argmax: column i means labels[i], ties go to the lowest index.  sign: labels[0] iff y <= 0, else labels[1]."""

    kind: Literal["argmax", "sign"]
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if self.kind not in ("argmax", "sign"):
            raise InputError("[decision] kind", f"{self.kind!r} is not a decision", 'use "argmax" or "sign"')
        if any(type(y) not in (str, int, bool) for y in self.labels):
            raise InputError(
                "[decision] labels",
                "labels are strings, integers or booleans",
                "for example labels = [false, true]",
            )
        if len(self._numbers) < len(self.labels):
            raise InputError("[decision] labels", "a label is listed twice", "list each label once")
        if not self.labels:
            raise InputError("[decision] labels", "there are no labels", "list one label per output")
        if self.kind == "sign" and len(self.labels) != 2:
            raise InputError(
                "[decision] labels",
                f"sign takes two labels, not {len(self.labels)}",
                "list the label for y <= 0, then for y > 0",
            )

    @property
    def outputs(self) -> int:
        """Columns that the network must have."""
        return 1 if self.kind == "sign" else len(self.labels)

    def index(self, value: object) -> int | None:
        """Which label a value is, or None."""
        return self._numbers.get((type(value), value)) if isinstance(value, str | int) else None

    @cached_property
    def _numbers(self) -> dict[tuple[type, Label], int]:
        return {(type(y), y): i for i, y in enumerate(self.labels)}

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """Label indices (batch,) from exact output numerators (batch, outputs)."""
        if self.kind == "sign":
            return (outputs[:, 0] > 0).astype(np.int64)
        best = np.zeros(len(outputs), dtype=np.int64)
        rows = np.arange(len(outputs))
        for j in range(1, outputs.shape[1]):
            best[(outputs[:, j] > outputs[rows, best]).astype(bool)] = j
        return best

    def rival_count(self, label: int) -> int:
        """How many `rivals` it has."""
        return 1 if self.kind == "sign" else len(self.labels) - 1

    def rivals(self, label: int) -> tuple[Rival, ...]:
        """Every way to err on a word whose right label is `label`; the network errs iff one of them holds."""
        if self.kind == "sign":
            return (Rival(0, (1,), 1),) if label == 0 else (Rival(1, (-1,), 0),)
        out = []
        for j in range(len(self.labels)):
            check()
            if j != label:
                signs = tuple((i == j) - (i == label) for i in range(len(self.labels)))
                out.append(Rival(label, signs, 1 if j > label else 0))
        return tuple(out)


@dataclass(frozen=True, eq=False)
class Claim:
    """network == program on domain.

    Raises InputError where the parts do not fit, the domain is empty, or the program raises or returns
    something that is not a label on some input of the domain.
    """

    network: Network
    program: Program
    domain: Domain
    decision: Decision
    name: str = "claim"
    pair: Pair | None = (
        None  # the two networks, where `network` is what tells where they disagree (`pair.py`)
    )

    def __post_init__(self) -> None:
        if self.network.input_size != self.domain.input_size:
            raise InputError(
                self.network.name,
                f"the network takes {self.network.input_size} input values, the domain gives "
                f"{self.domain.positions} positions x {len(self.domain.alphabet)} words = {self.domain.input_size}",
                "check [domain] tokens, length, pad, prefix and suffix",
            )
        if self.network.output_size != self.decision.outputs:
            raise InputError(
                self.network.name,
                f"the network has {_plural(self.network.output_size, 'output')}, the decision {self.decision.kind!r} "
                f"with {_plural(len(self.decision.labels), 'label')} needs {self.decision.outputs}",
                'use kind = "sign" for two labels read off one output'
                if self.network.output_size == 1 and len(self.decision.labels) == 2
                else "list one label per output, or export a network with other outputs",
            )
        if self.language.empty:
            raise InputError(
                "[domain]",
                "the domain is empty: `where` keeps no sequence",
                "loosen the predicate or the length",
            )

    @cached_property
    def language(self) -> Automaton:
        """The domain's words, each with the label that the program gives."""
        return build_language(self.domain, self.program, self.decision.labels)

    @property
    def domain_size(self) -> int:
        return self.language.size

    @cached_property
    def digest(self) -> str:
        labels = [[type(y).__name__, y] for y in self.decision.labels]
        text = json.dumps(
            [self.network.digest, self.program.digest, self.domain.digest, self.decision.kind, labels]
        )
        return hashlib.sha256(("claim " + text).encode()).hexdigest()

    def network_labels(self, words: np.ndarray) -> np.ndarray:
        """The network's label indices (batch,) for padded words (batch, max_length), exactly."""
        return self.decision.decide(self.network.evaluate(self.domain.one_hot(words)))

    def program_label(self, sequence: Sequence[str]) -> Label:
        """The program's label for one sequence, by running it."""
        return self.program.answer(tuple(sequence))  # type: ignore[return-value]
