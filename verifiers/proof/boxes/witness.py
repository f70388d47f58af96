"""Checks the witness of a refuted property: runs the network again, over the rationals, on its input.

Part of the trusted base, after `verifiers/proof/witness.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

from ....models.network.exact_point import exact_outputs
from ....models.network.network import Network
from ..format import BOXES, Rejected
from ..witness import check_form

RATIONAL = re.compile(r"-?\d{1,2000}(/\d{1,2000})?")


class Stated(Protocol):
    """What one input can refute: a `Property`, or a `HeadProperty` about the results of a head.

    For a `HeadProperty`, `outputs` are the logits.
    """

    def witnesses(self, inputs: Sequence[Fraction], outputs: Sequence[Fraction]) -> bool: ...


def check_box_witness(
    network: Network, stated: Stated, digests: Mapping[str, str], line: Mapping[str, Any]
) -> tuple[Fraction, ...]:
    """Check that a witness refutes the property; return its input.

    digests: of "network" and "property".
    line: the witness, as read from its file.

    Raises Rejected if it does not.  The outputs of onnxruntime are not checked.
    """
    check_form(line, BOXES, digests)
    inputs, told = (
        _rationals(line["input"], network.input_size, "input"),
        _rationals(line["output"], network.output_size, "output"),
    )
    outputs = exact_outputs(network, inputs)
    if outputs != told:
        raise Rejected("the outputs are not those that the network gives")
    if not stated.witnesses(inputs, outputs):
        raise Rejected("the input is outside of the boxes, or its outputs are not unsafe")
    return inputs


def _rationals(value: Any, count: int, what: str) -> tuple[Fraction, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise Rejected(f"the network has {count} {what}s")
    try:
        if any(type(v) is not str or not RATIONAL.fullmatch(v) for v in value):
            raise ValueError
        return tuple(map(Fraction, value))
    except (ValueError, ZeroDivisionError):
        raise Rejected(f"an {what} is no rational number") from None
