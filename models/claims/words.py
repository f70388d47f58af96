"""The words of a domain as the inputs that a claim is about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ...common.errors import InputError
from ..automata.automaton import Automaton
from ..program.program import Program
from .decision import Label, same_label
from .domain import Domain
from .language import build_language


@dataclass(frozen=True, eq=False)
class Words:
    """The words of a domain, each with the label that a program gives; without a program, they are not
    labelled.

    The automaton is always built here, from domain, program and labels: one that was handed in could be about
    other words, and everything that is proved rests on it.

    Raises InputError where there is no word, or the program fails or gives no label on some word.
    """

    domain: Domain
    program: Program | None = None
    labels: tuple[Label, ...] = ()

    def __post_init__(self) -> None:
        if self.language.empty:
            raise InputError(
                "[domain]",
                "the domain is empty: `where` keeps no sequence",
                "loosen the predicate or the length",
            )

    @cached_property
    def language(self) -> Automaton:
        """One path for each word.  Its labels are indices into `labels`, and 0 everywhere without
        a program.
        """
        return build_language(self.domain, self.program, None if self.program is None else self.labels)

    @property
    def size(self) -> int:
        """How many words there are."""
        return self.language.size

    @cached_property
    def by_length(self) -> tuple[int, ...]:
        """How many words have n tokens, for n from 0 to the longest."""
        return counts_by_length(self.language, len(self.domain.tokens))

    def labelled_by(self, program: Program | None, labels: tuple[Label, ...] = ()) -> bool:
        """Return whether the labels are those that this program gives; None: whether there are none."""
        if self.program is not program:
            return False
        return program is None or (
            len(labels) == len(self.labels) and all(map(same_label, labels, self.labels))
        )


def counts_by_length(language: Automaton, pad: int) -> tuple[int, ...]:
    """Return how many words have n tokens, for n from 0 to the words' length.

    pad: the symbol that pads.
    """
    counts, completions = [], language.completions()
    reached = dict.fromkeys(range(language.layer_sizes[0]), 1)  # by how many tokens, without padding
    for t, layer in enumerate(language.edges):
        following: dict[int, int] = {}
        ended = 0
        for source, symbol, target in layer:
            ways = reached.get(source, 0)
            if symbol == pad:
                ended += ways * completions[t + 1][target]
            elif ways:
                following[target] = following.get(target, 0) + ways
        counts.append(ended)
        reached = following
    return (*counts, sum(reached.values()))
