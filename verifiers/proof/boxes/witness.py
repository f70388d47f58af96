"""The certificate of a refuted property: one input inside a box, and the exact outputs that are unsafe.

Written after replay; checked by running the network once more over the rationals, without any solver.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

from ....common.text import rational
from ....models.network.exact_point import exact_outputs
from ....models.network.network import Network
from ..format import Rejected

BOX_WITNESS = "relucid box witness 1"
KEYS = {"format", "network", "property", "input", "output", "onnxruntime"}
RATIONAL = re.compile(r"-?\d{1,2000}(/\d{1,2000})?")


class Stated(Protocol):
    """What can be refuted by one input: a `Property`, or one about the results of a head (`HeadProperty`; then `outputs` are the logits)."""

    def witnesses(self, inputs: Sequence[Fraction], outputs: Sequence[Fraction]) -> bool: ...


def check_box_witness(
    network: Network, stated: Stated, digests: Mapping[str, str], line: Mapping[str, Any]
) -> tuple[Fraction, ...]:
    """The input, where it refutes the property.  Raises Rejected otherwise; what onnxruntime said is not looked at."""
    if set(line) != KEYS:
        raise Rejected(f"the witness has not just {', '.join(sorted(KEYS))}")
    for name, digest in digests.items():
        if line[name] != digest:
            raise Rejected(f"it is a witness about another {name}")
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


def box_witness_line(
    digests: Mapping[str, str],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    runtime: tuple[tuple[str, ...], tuple[str, ...] | None],
) -> dict[str, Any]:
    """Rationals as text; what onnxruntime took and gave, None where it did not run."""
    took, gave = runtime
    exact = {
        name: [rational(Fraction(v)) for v in values]
        for name, values in (("input", inputs), ("output", outputs))
    }
    return {
        "format": BOX_WITNESS,
        **digests,
        **exact,
        "onnxruntime": {"input": list(took), "output": None if gave is None else list(gave)},
    }
