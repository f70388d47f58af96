"""Parts of the sequence: the first few tokens, the last few, all but some, every second one, sorted ones.

Before `aggregates.py`, which reads values off them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...common.text import literal
from ..problem import SearchProblem
from .inputs import Inputs

WINDOWS = 8  # the widest window at either end


@dataclass(frozen=True, eq=False)
class Sequence:
    """A sequence of tokens that is read off the input.

    Args:
        text: in Python.
        weight: its description length.
        shortest: its smallest length in the domain.
        longest: its greatest length.
        take: gives its tokens, padded, (n, positions).
    """

    text: str
    weight: int
    shortest: int
    longest: int
    take: Callable[[Inputs], np.ndarray]

    def of(self, inputs: Inputs) -> np.ndarray:
        """Return its padded tokens, computed once."""
        return inputs.once(self.text, lambda: self.take(inputs))

    def length(self, inputs: Inputs) -> np.ndarray:
        """Return its length for each word, (n,)."""
        return inputs.once(f"len of {self.text}", lambda: (self.of(inputs) < inputs.size).sum(axis=1))


def whole(problem: SearchProblem) -> Sequence:
    """Return the input itself."""
    return Sequence("tokens", 1, problem.min_length, problem.max_length, lambda inputs: inputs.words)


def parts(problem: SearchProblem) -> Iterator[Sequence]:
    """Yield the input and its parts, plain ones first."""
    low, high = problem.min_length, problem.max_length
    yield whole(problem)
    for k in range(1, min(WINDOWS, high - 1) + 1):
        yield Sequence(f"tokens[{k}:]", 4, max(0, low - k), high - k, _from(k))
        yield Sequence(f"tokens[:-{k}]", 6, max(0, low - k), high - k, _without_last(k))
        if k > 1 or low < 1:
            yield Sequence(f"tokens[:{k}]", 4, min(low, k), k, _first(k))
            yield Sequence(f"tokens[-{k}:]", 6, min(low, k), k, _last(k))
    for k in range(2, min(WINDOWS, high - 1) + 1):
        yield Sequence(f"tokens[-{k}:-1]", 9, min(max(0, low - 1), k - 1), k - 1, _before_last(k))
    if high > 2:
        yield Sequence("tokens[1:-1]", 7, max(0, low - 2), high - 2, _inner)
        yield Sequence("tokens[::2]", 4, (low + 1) // 2, (high + 1) // 2, _every_second(0))
        yield Sequence("tokens[1::2]", 5, low // 2, high // 2, _every_second(1))


def halves(problem: SearchProblem) -> tuple[Sequence, Sequence]:
    """Return the first half and the rest."""
    low, high = problem.min_length, problem.max_length
    half = "len(tokens) // 2"
    return (
        Sequence(f"tokens[:{half}]", 9, low // 2, high // 2, lambda i: i.between(_zero(i), i.lengths // 2)),
        Sequence(
            f"tokens[{half}:]",
            9,
            low - low // 2,
            high - high // 2,
            lambda i: i.between(i.lengths // 2, i.lengths),
        ),
    )


def after_and_before(problem: SearchProblem) -> Iterator[tuple[Sequence, int]]:
    """Yield what follows and what precedes the first place of a token, with that token.

    They exist where the token occurs.
    """
    for symbol, token in enumerate(problem.tokens):
        at = f"tokens.index({literal(token)})"
        longest = max(0, problem.max_length - 1)
        yield Sequence(f"tokens[{at} + 1:]", 10, 0, longest, _after(symbol)), symbol
        yield Sequence(f"tokens[:{at}]", 7, 0, longest, _before(symbol)), symbol


def _zero(inputs: Inputs) -> np.ndarray:
    return np.zeros(len(inputs), dtype=np.int64)


def _from(k: int) -> Callable[[Inputs], np.ndarray]:
    return lambda inputs: inputs.between(_zero(inputs) + k, inputs.lengths)


def _without_last(k: int) -> Callable[[Inputs], np.ndarray]:
    return lambda inputs: inputs.between(_zero(inputs), inputs.lengths - k)


def _first(k: int) -> Callable[[Inputs], np.ndarray]:
    return lambda inputs: inputs.between(_zero(inputs), np.minimum(inputs.lengths, k))


def _last(k: int) -> Callable[[Inputs], np.ndarray]:
    return lambda inputs: inputs.between(np.maximum(inputs.lengths - k, 0), inputs.lengths)


def _before_last(k: int) -> Callable[[Inputs], np.ndarray]:
    return lambda inputs: inputs.between(np.maximum(inputs.lengths - k, 0), inputs.lengths - 1)


def _inner(inputs: Inputs) -> np.ndarray:
    return inputs.between(_zero(inputs) + 1, inputs.lengths - 1)


def _every_second(start: int) -> Callable[[Inputs], np.ndarray]:
    return lambda inputs: inputs.between(_zero(inputs) + start, inputs.lengths, 2)


def _place(inputs: Inputs, symbol: int) -> np.ndarray:
    return inputs.once(f"place of {symbol}", lambda: (inputs.words == symbol).argmax(axis=1))


def _after(symbol: int) -> Callable[[Inputs], np.ndarray]:
    return lambda inputs: inputs.between(_place(inputs, symbol) + 1, inputs.lengths)


def _before(symbol: int) -> Callable[[Inputs], np.ndarray]:
    return lambda inputs: inputs.between(_zero(inputs), _place(inputs, symbol))
