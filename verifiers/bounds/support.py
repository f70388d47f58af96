"""What a backward pass asks of an input set: the largest value of linear functions on it.

The only place where bounds depend on what the inputs are, as in auto_LiRPA, whose one backward pass ends in
`concretize` (Xu et al. 2020).  Two input sets answer: parts of a language (`WordSupport` in `word_bounds.py`,
by a dynamic program over the automaton) and boxes (`BoxSupport`, by an interval for each input).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

At = TypeVar("At")


@dataclass(frozen=True, eq=False)
class Support(Generic[At]):
    """`value` (functions,): the largest values, as float64 computes them; -inf where the set is empty.

    `size` (functions,): the sum of the absolute values of all that was added up, which bounds the rounding; 0
    where the caller knows one beforehand.  `at`: where the values are attained, in the set's own terms.
    """

    value: np.ndarray
    size: np.ndarray | float
    at: At


class InputSet(Protocol[At]):
    """One set of inputs for each of many functions."""

    def support(self, coefficients: np.ndarray) -> Support[At]:
        """Maximise the linear functions with coefficients (functions, features of an input), each on its own
        set.
        """


@dataclass(frozen=True, eq=False)
class BoxSupport:
    """One box for each function: all inputs within `radius` of `middle`, (functions, inputs) each."""

    middle: np.ndarray
    radius: np.ndarray

    @classmethod
    def between(cls, low: np.ndarray, high: np.ndarray, which: np.ndarray | None = None) -> BoxSupport:
        """The boxes low <= x <= high, (boxes, inputs); function f has box which[f] (without `which`: f)."""
        middle, radius = middle_and_radius(low, high)
        if which is None:
            return cls(middle, radius)
        if len(low) == 1:  # views are enough
            shape = (len(which), low.shape[1])
            return cls(np.broadcast_to(middle, shape), np.broadcast_to(radius, shape))
        return cls(middle[which], radius[which])

    def support(self, coefficients: np.ndarray) -> Support[None]:
        """The maximum is at a corner: the upper end of an input whose coefficient is positive, else the lower
        end.
        """
        own = np.einsum("ij,ij->i", coefficients, self.middle)
        spread = np.einsum("ij,ij->i", np.abs(coefficients), self.radius)
        return Support(own + spread, np.abs(own) + spread, None)


def middle_and_radius(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every box lies within the radius of the middle, whatever was rounded."""
    middle = (low + high) / 2
    return middle, np.nextafter(np.maximum(high - middle, middle - low), np.inf)
