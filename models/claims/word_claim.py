"""Claims about words in the form that every engine takes: network and program give the same label on all words of a domain.

Other claims about words (`claim.py`) are reduced to this form first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...common.errors import InputError
from ..automata.automaton import Automaton
from ..network.network import Network
from ..program.program import Program
from .decision import Decision, Label
from .domain import Domain
from .language import build_language

if TYPE_CHECKING:
    from .pair import Pair


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


@dataclass(frozen=True, eq=False)
class WordClaim:
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
