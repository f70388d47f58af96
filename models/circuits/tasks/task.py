"""What a task is: words, a finite domain, and the right label of each input.

`where` and `label` are functions in relucid's readable subset of Python, one pair in each task's file; `where` goes into claim files,
`label` is used for training and in tests only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...claims.decision import Decision
from ...claims.domain import Domain
from ...claims.task import Task as Stated
from ...program.program import Program
from ..inputs import domain_ids

START, CUE = "<bos>", "<next>"


@dataclass(frozen=True)
class TrainingTask:
    """The model reads <bos>, the body, <next>; its decision is the next token among `labels`."""

    name: str
    says: str
    tokens: tuple[str, ...]
    length: int
    labels: tuple[str, ...]
    where: Callable[[tuple[str, ...]], bool]
    label: Callable[[tuple[str, ...]], str]

    @cached_property
    def domain(self) -> Domain:
        return Domain(
            self.tokens,
            self.length,
            self.length,
            where=Program.from_function(self.where),
            prefix=(START,),
            suffix=(CUE,),
        )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """<bos>, the body's tokens, <next>, and the labels that are not among them."""
        return tuple(dict.fromkeys((START, *self.tokens, CUE, *self.labels)))

    @property
    def stated(self) -> Stated:
        """The task as a claim file states it, without network and program."""
        return Stated(self.domain, "one_hot", Decision("argmax", self.labels), self.name)

    @cached_property
    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        """The whole domain: token ids (n, positions) in the vocabulary, and the index of each input's right label."""
        ids = domain_ids(self.name, self.vocabulary, self.domain)
        bodies = ids[:, 1:-1]
        return ids, np.array(
            [self.labels.index(self.label(tuple(self.vocabulary[i] for i in body))) for body in bodies]
        )

    @property
    def columns(self) -> np.ndarray:
        """The labels' ids."""
        return np.array([self.vocabulary.index(y) for y in self.labels])
