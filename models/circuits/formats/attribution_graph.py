"""Format: an attribution graph as circuit-tracer writes it.

It is recognised in order to say why it cannot be run.
"""

from __future__ import annotations

from ....common.errors import InputError
from ..attribution.graph import NOT_EXECUTABLE
from ..attribution.read import is_attribution_graph
from ..circuit import Circuit
from ..source import CircuitFormat, Source


def _recognises(source: Source) -> bool:
    return is_attribution_graph(source.json)


def _read(source: Source) -> Circuit:
    mend = "`relucid show` prints and draws it; distil the model it was made from"
    raise InputError(source.where, NOT_EXECUTABLE, mend)


FORMAT = CircuitFormat("", _recognises, _read)
