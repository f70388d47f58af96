"""Decide properties of networks that end in Softmax, Sigmoid, Tanh or ArgMax, on their logits.

This is the loop around `decide.py`.  What is unsafe in terms of logits (`models/claims/head_property.py`)
contains what is really unsafe, so that "safe" carries over.  A point that is unsafe only in terms of logits
is cut off, and the search begins anew: Kelley's cutting planes (1960), with exact arithmetic in place of
tolerances.
"""

from __future__ import annotations

from ...common.clock import now
from ...common.errors import Unsupported
from ...models.claims.head_property import HeadProperty
from ...models.claims.property import Property
from ...models.network.network import Network
from ..attempts import Attempt
from ..race.replay_points import NearMiss
from ..verdict import Verdict
from . import verdicts
from .decide import OUT_OF_TIME, decide
from .options import BoxOptions

MOST_ROUNDS = 200
TOO_CLOSE = "a threshold is so close to what the network can give that no more cuts tell them apart"


def decide_on_logits(
    network: Network, stated: Property, options: BoxOptions
) -> tuple[Verdict, HeadProperty | None]:
    """Decide a property of a network with a head.

    Returns the verdict, and the property as it was decided, if it was.
    """
    began = now()
    assert network.head is not None
    try:
        about = HeadProperty(stated, network.head, network.output_size)
        for rounds in range(MOST_ROUNDS):
            try:
                answer = decide(network, about.outer(), options, about=about)
            except NearMiss as missed:
                if now() > options.deadline:
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
