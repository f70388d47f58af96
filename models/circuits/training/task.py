"""What a task is: tokens, a finite domain, and the right label of each input.

Each file of `tasks/` has one.  Its `where` and `label` are functions in relucid's readable subset of Python:
`where` goes into claim files, `label` is used for training and in tests only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...claims.decision import Decision
from ...claims.domain import Domain
from ...claims.task import Task
from ...program.program import Program
from ..examples import Examples, domain_ids

START, CUE = "<bos>", "<next>"


@dataclass(frozen=True)
class TrainingTask:
    """A task to train a model on.  The model reads <bos>, the body, <next>, and decides on the next token.

    Args:
        name: as the task's file.
        says: the task in one sentence, for people.
        tokens: of the body.
        length: of the body.
        labels: the tokens that the model chooses from.
        where: tells whether a body belongs to the domain.
        label: gives the right label of a body.
    """

    name: str
    says: str
    tokens: tuple[str, ...]
    length: int
    labels: tuple[str, ...]
    where: Callable[[tuple[str, ...]], bool]
    label: Callable[[tuple[str, ...]], str]

    @cached_property
    def domain(self) -> Domain:
        """The bodies."""
        where = Program.from_function(self.where)
        return Domain(self.tokens, self.length, self.length, where=where, prefix=(START,), suffix=(CUE,))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The model's tokens: <bos>, the body's, <next>, and the labels that are not among them."""
        return tuple(dict.fromkeys((START, *self.tokens, CUE, *self.labels)))

    @property
    def stated(self) -> Task:
        """The task as a claim file states it, without network and program."""
        return Task(self.domain, "one_hot", Decision("argmax", self.labels), self.name)

    @cached_property
    def examples(self) -> Examples:
        """The whole domain with its right labels."""
        ids = domain_ids(self.name, self.vocabulary, self.domain)
        bodies = (tuple(self.vocabulary[i] for i in row) for row in ids[:, 1:-1])
        right = np.array([self.labels.index(self.label(body)) for body in bodies])
        return Examples(ids, right, np.array([self.vocabulary.index(y) for y in self.labels]))
