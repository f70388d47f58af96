"""Decide how far the outputs of two networks can be apart: `relucid verify --against`.

`compare.py` bounds the difference.  With an epsilon, this is a question with the usual verdicts; what the
bounds leave open goes to `decide.py`.  Without one, the answer is the proved bound, and the largest
difference that was seen.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ...common.clock import now
from ...common.errors import Unsupported
from ...models.claims.property import Case, Property
from ...models.claims.side_by_side import farther_than
from ...models.network.exact_point import exact_outputs
from ...models.network.network import Network
from ...models.network.runtime import OnnxRuntime, RuntimeMismatch, RuntimeUnavailable
from ...models.network.stacked import same_nodes, side_by_side
from ..attempts import Attempt, Outcome
from ..bounds.blas import one_blas_thread
from ..bounds.difference import paired
from ..bounds.floats import above, below, float_network
from ..counterexamples import PointCounterexample
from ..engines.exact.last_word import Shown, whole_box
from ..evidence import How, Lost, Tiling
from ..race.replay_points import beyond, clamped, inside, narrowest, shortest
from ..verdict import BoxDetails, Difference, Proved, Unknown, Verdict
from . import verdicts
from .compare import GoodEnough, compare
from .decide import decide
from .options import BoxOptions

PAIRED_SHARE, APART_SHARE = 0.6, 0.1  # of the time, for the difference, where it has an epsilon to stay below
UNCONFIRMED = "exact arithmetic finds a larger difference that onnxruntime does not confirm"


def decide_against(
    a: Network,
    b: Network,
    stated: Property,
    epsilon: Fraction | None,
    options: BoxOptions,
) -> Verdict:
    """Decide whether all outputs of two networks stay close to each other on the boxes of a property.

    epsilon: how far apart they may be.  What bounds on the difference leave open is searched like any other
        property, in what is left of the time.  None asks how far apart they are, which
        `BoxDetails.difference` answers.
    """
    deadline = options.deadline
    if epsilon is not None and same_nodes(a, b):
        result: Verdict = identical(stated).with_(difference=Difference(0.0, Fraction(0)))
        return result
    began = now()
    share = 1.0 if epsilon is None else PAIRED_SHARE if paired(a, b) else APART_SHARE
    if epsilon is not None and _exactly_within(a, b, stated, epsilon):
        share = 0.0
    until = began + share * max(0.0, deadline - began)
    bound, shown = 0.0, {}
    best: tuple[Fraction, PointCounterexample | None, bool] = (Fraction(0), None, True)
    try:
        enough = GoodEnough(ratio=1.05) if epsilon is None else GoodEnough(below(epsilon), 0.0, epsilon)
        with one_blas_thread(), np.errstate(all="ignore"):
            for number, case in enumerate(stated.cases):
                found = compare(
                    a, b, case.lower, case.upper, deadline=until, enough=enough, progress=options.progress
                )
                bound, shown[number] = max(bound, found.bound), found.evidence
                here = _shown(a, b, case, found.point)
                best = max(best, here, key=lambda t: t[0])
    except Unsupported as error:
        return verdicts.unknown(str(error), now() - began)
    seconds = now() - began
    seen, point, confirmed = best
    evidence = Tiling.total([1] * len(stated.cases), shown)
    if evidence is None:
        raise Lost("a case has no bound")

    differing = BoxDetails(difference=Difference(bound, seen), point=point)

    def attempts(outcome: Outcome) -> tuple[Attempt, ...]:
        return (Attempt.own("difference", outcome, seconds, f"{evidence.parts} parts"),)

    if not bound < np.inf:
        details = replace(differing, point=None)
        return verdicts.unknown("no bound was found in float64", seconds, attempts("unknown"), (), details)
    if epsilon is None or Fraction(bound) <= epsilon:
        details = replace(differing, point=point if epsilon is None else None)
        return verdicts.proved("difference", evidence, seconds, attempts("proved"), (), details)
    if seen > epsilon and confirmed and point is not None:
        details = replace(differing, point=None)
        return verdicts.refuted("difference", point, seconds, attempts("refuted"), (), details)
    if seen > epsilon:
        return verdicts.unknown(UNCONFIRMED, seconds, attempts("unknown"), (), differing)
    searched = decide(
        side_by_side(a, b),
        farther_than(stated, a.output_size, epsilon),
        options,
        files=(a, b),
    )
    if isinstance(searched, Proved):
        bound = min(bound, above(epsilon))
    answer: Verdict = searched.with_(
        seconds=now() - began,
        attempts=(*attempts("unknown"), *searched.attempts),
        difference=Difference(bound, seen),
    )
    if isinstance(answer, Unknown):
        apart = f"the bound is {bound:.6g}, no larger difference than {float(seen):.6g} was seen"
        answer = replace(answer, reason=f"{answer.reason}; {apart}")
    return answer


def _exactly_within(a: Network, b: Network, stated: Property, epsilon: Fraction) -> bool:
    """Return whether exact arithmetic shows it.

    Then bounds, which are never quite good enough, are not worth the time.
    """
    both, apart = side_by_side(a, b), farther_than(stated, a.output_size, epsilon)
    try:
        return all(
            isinstance(whole_box(both, case, float_network(both, case.lower, case.upper)), Shown)
            for case in apart.cases
            if case.unsafe
        )
    except Unsupported:
        return False


def identical(stated: Property) -> Verdict:
    """Return the proof that two networks agree that are the same, number by number."""
    attempt = Attempt.own("identical", "proved", detail="the same numbers throughout")
    count = len(stated.cases)
    return verdicts.proved("identical", Tiling.at_roots(count, count, How.EXACT), attempts=(attempt,))


def _shown(
    a: Network, b: Network, case: Case, point: tuple[Fraction, ...]
) -> tuple[Fraction, PointCounterexample | None, bool]:
    """Compare two networks at the numbers of the files' input type next to a point.

    Returns the exact difference, the point, and whether onnxruntime sees nine tenths of the difference,
    because it rounds.
    """
    near = np.array([float(x) for x in point])
    typed, rows = inside(case, near, near.dtype), list[np.ndarray]()
    where = clamped(case, [Fraction(v) for v in typed.tolist()])
    try:
        runtimes = [OnnxRuntime(a), OnnxRuntime(b)]
        dtype = narrowest(runtimes)
        if not beyond(where, dtype):
            typed = inside(case, near, dtype)
            where = clamped(case, [Fraction(float(v)) for v in typed])
            rows = [r.run(typed[None])[0] for r in runtimes]
    except (RuntimeUnavailable, RuntimeMismatch):
        pass
    outputs = exact_outputs(a, where), exact_outputs(b, where)
    gap = max((abs(u - v) for u, v in zip(*outputs, strict=True)), default=Fraction(0))
    distance = max(
        (abs(x - Fraction(float(v))) for x, v in zip(where, typed, strict=True)), default=Fraction(0)
    )
    seen = None if not rows else tuple(repr(float(v)) for row in rows for v in row)
    found = PointCounterexample(
        tuple(where), (*outputs[0], *outputs[1]), tuple(shortest(v) for v in typed), seen, distance
    )
    if not rows:
        return gap, found, True
    floats = max(
        (abs(Fraction(float(u)) - Fraction(float(v))) for u, v in zip(*rows, strict=True)),
        default=Fraction(0),
    )
    return gap, found, floats >= gap * Fraction(9, 10)
