"""From a point that looks unsafe to a counterexample: exactly over the rationals, and in onnxruntime.

Between the searches, which propose float64 points, and the verdict.  The point is first moved to numbers of
the file's own input type inside the box.  Only if the unsafe set is missed that way, the float64 point itself
is tried, with onnxruntime beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np

from ...models.claims.head_property import HeadProperty
from ...models.claims.property import Case
from ...models.network.exact_point import exact_outputs
from ...models.network.network import Network
from ...models.network.runtime import OnnxRuntime, RuntimeMismatch, RuntimeUnavailable
from ..counterexamples import PointCounterexample

MOST_TRIED = 8  # points of one call
MOST_DISAGREEING = 40


class NearMiss(Exception):
    """A point is a counterexample in terms of logits (`HeadProperty.outer`), but not of the property that was
    asked.

    The form in logits then has to become tighter.
    """

    def __init__(self, inputs: Sequence[Fraction], logits: Sequence[Fraction]) -> None:
        super().__init__("a point that is no counterexample")
        self.inputs, self.logits = inputs, logits


@dataclass(eq=False)
class PointReplayer:
    """Replays points of one network.

    Attributes:
        network: the network, over the rationals.
        files: the networks whose files onnxruntime runs, where `network` is several of them side by side.
        about: the property that was asked, where the network's outputs are the logits of a head and the
            cases are about these.
        disagreement: where onnxruntime contradicted exact arithmetic.
        missing: why onnxruntime was not asked.
    """

    network: Network
    files: tuple[Network, ...] = ()
    about: HeadProperty | None = None
    disagreement: tuple[PointCounterexample, str] | None = None
    disagreeing: int = 0
    missing: str = ""
    tried: set[tuple[object, ...]] = field(default_factory=set)

    @cached_property
    def runtimes(self) -> tuple[OnnxRuntime, ...]:
        """The networks in onnxruntime; empty where one of them is missing."""
        try:
            return tuple(OnnxRuntime(file) for file in self.files or (self.network,))
        except RuntimeUnavailable as error:
            self.missing = f"{error}: the counterexample is replayed exactly, but not in onnxruntime"
            return ()

    def first(self, case: Case, points: np.ndarray) -> PointCounterexample | None:
        """Return the first of these points that is a counterexample of the case, or None.

        `points`: (points, inputs), floats, or exact numbers as objects.  NaN is no counterexample.
        """
        for point in points[:MOST_TRIED]:
            if point.dtype != object and not np.isfinite(point).all():
                continue
            key = (id(case), *point.tolist())
            if key in self.tried or self.disagreeing >= MOST_DISAGREEING:
                continue
            self.tried.add(key)
            found = self._one(case, point)
            if found is not None:
                return found
        return None

    def _one(self, case: Case, point: np.ndarray) -> PointCounterexample | None:
        typed = inside(case, point, narrowest(self.runtimes))
        near = clamped(case, [Fraction(float(v)) for v in typed])
        found = self._at(case, near, typed)
        if found is None:
            exact = clamped(case, [Fraction(v) for v in point.tolist()])
            if exact != near:
                found = self._at(case, exact, typed)
        return found

    def _at(self, case: Case, inputs: Sequence[Fraction], typed: np.ndarray) -> PointCounterexample | None:
        outputs = exact_outputs(self.network, inputs)
        if not case.contains(inputs) or not _hit(case, inputs, outputs):
            return None
        if self.about is not None:
            if not self.about.witnesses(inputs, outputs):
                raise NearMiss(inputs, outputs)
            outputs = self.about.results(outputs)
        if beyond(inputs, typed.dtype):
            large = f"no {typed.dtype} is as large as the counterexample"
            self.missing = self.missing or f"{large}: it is replayed exactly, but not in onnxruntime"
            typed = inside(case, np.array([float(x) for x in inputs]), np.dtype(np.float64))
        seen, complaint = (None, "") if self.missing else self._in_runtime(typed)
        floats = [Fraction(float(v)) for v in typed]
        distance = max((abs(a - b) for a, b in zip(inputs, floats, strict=True)), default=Fraction(0))
        shown = None if seen is None else tuple(repr(float(v)) for v in seen)
        point = PointCounterexample(
            tuple(inputs), tuple(outputs), tuple(shortest(v) for v in typed), shown, distance
        )
        if self.missing:
            return point
        if seen is not None and self._confirms(case, floats, [Fraction(float(v)) for v in seen]):
            return point
        self.disagreeing += 1
        if self.disagreement is None:
            self.disagreement = point, complaint
        return None

    def _confirms(self, case: Case, inputs: Sequence[Fraction], seen: Sequence[Fraction]) -> bool:
        if self.about is None:
            return _hit(case, inputs, seen)
        return any(
            _hit(asked, inputs, seen)
            for asked in self.about.stated.cases
            if (asked.lower, asked.upper) == (case.lower, case.upper)
        )

    def _in_runtime(self, typed: np.ndarray) -> tuple[np.ndarray | None, str]:
        if not self.runtimes:
            return None, ""
        try:
            return np.concatenate([r.run(typed[None])[0] for r in self.runtimes]), ""
        except RuntimeMismatch as error:
            return None, str(error)
        except RuntimeUnavailable as error:
            self.missing = f"{error}: the counterexample is replayed exactly, but not in onnxruntime"
            return None, ""


def _hit(case: Case, inputs: Sequence[Fraction], outputs: Sequence[Fraction]) -> bool:
    return any(all(row.holds(inputs, outputs) for row in rows) for rows in case.unsafe)


def clamped(case: Case, point: Sequence[Fraction]) -> list[Fraction]:
    """Move a point into the box, exactly."""
    return [min(max(x, a), b) for a, x, b in zip(case.lower, point, case.upper, strict=True)]


def inside(case: Case, point: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return the nearest finite numbers of the type that lie in the box.

    Where none does, the nearest at all, so the largest for what is larger.
    """
    with np.errstate(over="ignore"):
        typed: np.ndarray = np.clip(point.astype(dtype), -np.finfo(dtype).max, np.finfo(dtype).max)
        for i, (low, high) in enumerate(zip(case.lower, case.upper, strict=True)):
            value = Fraction(float(typed[i]))
            if not low <= value <= high:
                moved = np.nextafter(typed[i], dtype.type(np.inf if value < low else -np.inf))
                typed[i] = moved if np.isfinite(moved) and low <= Fraction(float(moved)) <= high else typed[i]
    return typed


def narrowest(runtimes: Sequence[OnnxRuntime]) -> np.dtype:
    """Return the input type whose numbers all of them take."""
    return min((r.input_type for r in runtimes), key=lambda t: t.itemsize, default=np.dtype(np.float32))


def beyond(inputs: Sequence[Fraction], dtype: np.dtype) -> bool:
    """Whether one of the inputs is larger than all numbers of the type."""
    return max(map(abs, inputs), default=Fraction(0)) > Fraction(float(np.finfo(dtype).max))


def shortest(value: np.floating) -> str:
    """Return the shortest decimal text that gives the number back in its type."""
    return (
        str(value.item())
        if value.dtype == np.float64
        else np.format_float_positional(value, unique=True, trim="-")
    )
