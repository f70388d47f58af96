"""Do the parts of a claim fit together?  Numbers of inputs and outputs are compared.

Used by the types of this folder when they are built.  Every check raises InputError with what to change.
"""

from __future__ import annotations

from ...common.errors import InputError
from ..network.network import Network
from .decision import Decision
from .domain import Domain
from .property import Property


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def check_inputs(network: Network, domain: Domain) -> None:
    """Raises InputError unless the network takes one value for each position and token of the alphabet."""
    if network.input_size != domain.input_size:
        raise InputError(
            network.name,
            f"the network takes {network.input_size} input values, the domain gives "
            f"{domain.positions} positions x {len(domain.alphabet)} tokens = {domain.input_size}",
            "check [domain] tokens, length, pad, prefix and suffix",
        )


def check_outputs(network: Network, decision: Decision) -> None:
    """Raises InputError unless the network has as many outputs as the decision reads."""
    if network.output_size != decision.outputs:
        raise InputError(
            network.name,
            f"the network has {_plural(network.output_size, 'output')}, the decision {decision.kind!r} "
            f"with {_plural(len(decision.labels), 'label')} needs {decision.outputs}",
            'use kind = "sign" for two labels read off one output'
            if network.output_size == 1 and len(decision.labels) == 2
            else "list one label per output, or export a network with other outputs",
        )


def check_blocks(network: Network, domain: Domain, decision: Decision) -> None:
    """Raises InputError unless the network has, for each position, as many outputs as the decision reads."""
    wanted = domain.max_length * decision.outputs
    if network.output_size != wanted:
        raise InputError(
            network.name,
            f"the network has {_plural(network.output_size, 'output')}, and one label a position needs "
            f"{domain.max_length} positions x {_plural(decision.outputs, 'output')} = {wanted}",
            "export the outputs at each position of the sequence, or leave out position",
        )


def check_alike(first: Network, second: Network) -> None:
    """Raises InputError unless both networks have the same number of inputs and of outputs."""
    for what, x, y in (
        ("input values", first.input_size, second.input_size),
        ("outputs", first.output_size, second.output_size),
    ):
        if x != y:
            raise InputError(
                second.name,
                f"the network has {y} {what}, the first network {x}",
                "give two networks of the same task",
            )


def check_property(network: Network, stated: Property, origin: str = "property") -> None:
    """Raises InputError unless the property speaks of as many inputs and results as the network has."""
    for what, said, there in (
        ("inputs", stated.inputs, network.input_size),
        ("outputs", stated.outputs, network.result_size),
    ):
        if said != there:
            raise InputError(
                origin,
                f"has {said} {what}, the network has {there}",
                "give the network that the property was written for",
            )
