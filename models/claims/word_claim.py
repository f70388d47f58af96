"""Claims about words in the form that every engine takes: a network equals a program on a domain.

Other claims about words (`claim.py`) are reduced to this form first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from functools import cached_property

import numpy as np

from ..automata.automaton import Automaton
from ..network.network import Network
from ..program.program import Program
from .decision import Decision, Label
from .domain import Domain
from .fit import check_inputs, check_outputs
from .question import EqualsNetwork
from .words import Words


@dataclass(frozen=True, eq=False)
class WordClaim:
    """The network gives the program's label on every word of the domain.

    comparison: the question about two networks that this claim stands for; None if it was about a program.
    words: the domain's words, if the caller has them already; labelled by the program, or, of two networks,
    not
        at all.

    Raises InputError where the parts do not fit, the domain is empty, or the program raises or returns
    something that is not a label on some input of the domain.
    """

    network: Network
    program: Program
    domain: Domain
    decision: Decision
    name: str = "claim"
    comparison: EqualsNetwork | None = None
    words: InitVar[Words | None] = None

    def __repr__(self) -> str:
        said = f"{self.network.name} gives the label of {self.program.name}"
        return f"<WordClaim {self.name}: {said} on {self.domain!r}>"

    def __post_init__(self, words: Words | None) -> None:
        check_inputs(self.network, self.domain)
        check_outputs(self.network, self.decision)
        if words is None:
            words = Words(self.domain, self.program, self.decision.labels)
        by = (self.program, self.decision.labels)
        right = words.labelled_by(*by) or (self.comparison is not None and words.labelled_by(None))
        if not right or words.domain is not self.domain:
            raise ValueError("the words are those of another domain, or labelled by another program")
        vars(self)["language"] = words.language

    @cached_property
    def language(self) -> Automaton:
        """The domain's words, each with the label that the program gives."""
        return Words(self.domain, self.program, self.decision.labels).language

    @property
    def domain_size(self) -> int:
        """How many words the domain has."""
        return self.language.size

    @cached_property
    def digest(self) -> str:
        """SHA-256 of network, program, domain and decision: what a proof is about."""
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
        result: Label = self.program.answer(tuple(sequence))
        return result
