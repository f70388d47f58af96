"""Properties of files that end in Softmax, Sigmoid, Tanh or ArgMax, decided on the logits: the loop around `decide.py`.

The property in terms of logits (`models/claims/head_property.py`) holds wherever the property does, so that "safe" carries over.  A point that meets
only the former is cut off, and the search begins anew: Kelley's cutting planes, with exact arithmetic in place of tolerances.
"""

from __future__ import annotations

from typing import Any

from ...common.clock import now
from ...common.errors import Unsupported
from ...models.claims.head_property import HeadProperty
from ...models.claims.property import Property
from ...models.network.network import Network
from ..race.replay_points import NearMiss
from ..verdict import Attempt, Verdict
from . import verdicts
from .decide import OUT_OF_TIME, decide

MOST_ROUNDS = 200
TOO_CLOSE = "a threshold is so close to what the network can give that no more cuts tell them apart"


def decide_on_logits(
    network: Network, stated: Property, *, deadline: float, **options: Any
) -> tuple[Verdict, HeadProperty | None]:
    """`decide` for a network with a head; with the property as it was decided, where it was."""
    began = now()
    assert network.head is not None
    try:
        about = HeadProperty(stated, network.head, network.output_size)
        for rounds in range(MOST_ROUNDS):
            try:
                answer = decide(network, about.outer(), deadline=deadline, about=about, **options)
            except NearMiss as missed:
                if now() > deadline:
                    return verdicts.late(OUT_OF_TIME), None
                if not about.refine(missed.inputs, missed.logits):
                    break
                continue
            if rounds:
                seconds = now() - began
                cuts = Attempt.own("cuts", "unknown", seconds - answer.seconds, f"{rounds} points cut off")
                answer = answer.with_(attempts=(cuts, *answer.attempts), seconds=seconds)
            return answer, about
    except Unsupported as error:
        return verdicts.unknown(str(error)), None
    return verdicts.unknown(TOO_CLOSE, now() - began), None
