"""Claims about every position in the form that engines take: a claim about one label for each position.

`positions.py` reduces claims to this form, race and checker take its parts one after the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ...common.errors import InputError
from ..automata.automaton import Automaton
from .decision import Decision
from .domain import Domain
from .question import EqualsEverywhere
from .word_claim import WordClaim
from .words import Words


@dataclass(frozen=True, eq=False)
class PositionClaims:
    """A claim about every position, which holds iff the claim at each of them does.

    question: what is claimed.
    words: the domain's words, not labelled.
    parts: by position, the claim about the words that have a token there.
    name: of the claim.

    Raises InputError where no word has a token, and ValueError where a part is missing, or is about other
    words.
    """

    question: EqualsEverywhere
    words: Words
    parts: Mapping[int, WordClaim]
    name: str = "claim"

    def __post_init__(self) -> None:
        asked = [i for i in range(self.domain.max_length) if self.inputs_at(i)]
        if not asked:
            what = "the domain holds the empty sequence only, which has no position"
            raise InputError("[domain] length", what, "allow at least one token")
        if list(self.parts) != asked:
            raise ValueError(f"there are claims at {list(self.parts)}, and words at {asked}")
        for i, part in self.parts.items():
            if part.domain != domain_at(self.domain, i) or part.domain_size != self.inputs_at(i):
                raise ValueError(f"the claim at position {i} is about other words")

    def __repr__(self) -> str:
        said = f"{self.question.network.name} gives the labels of {self.question.program.name}"
        return f"<PositionClaims {self.name}: {said} at every position on {self.domain!r}>"

    @property
    def domain(self) -> Domain:
        """The words of the claim."""
        return self.words.domain

    @property
    def language(self) -> Automaton:
        """The domain's words, not labelled."""
        return self.words.language

    @property
    def decision(self) -> Decision:
        """How the outputs at a position become a label."""
        return self.question.decision

    @property
    def domain_size(self) -> int:
        """How many words the domain has."""
        return self.words.size

    def inputs_at(self, position: int) -> int:
        """How many words have a token at the position."""
        return sum(self.words.by_length[position + 1 :])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of network, program, domain, decision and the way in which the program gives labels."""
        question = self.question
        labels = [[type(y).__name__, y] for y in question.decision.labels]
        parts = [question.network.digest, question.program.digest, self.domain.digest]
        text = json.dumps([*parts, question.decision.kind, labels, question.per_prefix])
        return hashlib.sha256(("every position " + text).encode()).hexdigest()


def domain_at(domain: Domain, position: int) -> Domain:
    """Return the words of a domain that have a token at the position."""
    return replace(domain, min_length=max(domain.min_length, position + 1))
