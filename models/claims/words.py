"""The words of a domain as the inputs that a claim is about."""

from __future__ import annotations

from dataclasses import dataclass

from ...common.errors import InputError
from ..automata.automaton import Automaton
from .domain import Domain


@dataclass(frozen=True, eq=False)
class Words:
    """The words of a domain, as an automaton with one path for each.

    The automaton's labels say which label is expected of the network: an index into the labels of the claim's
    decision, and 0 everywhere where the claim is about two networks.  Raises InputError where there is no
    word.
    """

    domain: Domain
    language: Automaton

    def __post_init__(self) -> None:
        if self.language.empty:
            raise InputError(
                "[domain]",
                "the domain is empty: `where` keeps no sequence",
                "loosen the predicate or the length",
            )

    @property
    def size(self) -> int:
        """How many words there are."""
        return self.language.size
