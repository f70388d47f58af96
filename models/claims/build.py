"""Claims from their parts: a network and a program, two networks, or a network and a property.

The automaton of a domain's words, which takes long, is built as `Words` are.
"""

from __future__ import annotations

from fractions import Fraction

from ..network.network import Network
from ..program.program import Program
from .boxes import Boxes
from .claim import Claim
from .decision import Decision
from .domain import Domain
from .fit import check_blocks, check_inputs
from .property import Property
from .question import EqualsEverywhere, EqualsNetwork, EqualsProgram, HasProperty
from .words import Words


def equals_program(
    network: Network, program: Program, domain: Domain, decision: Decision, name: str = "claim"
) -> Claim:
    """Return the claim that a network gives the program's label on every word of a domain.

    Raises InputError where the parts do not fit, the domain is empty, or the program fails or gives no label
    on some word.
    """
    question = EqualsProgram(network, program, decision)
    check_inputs(network, domain)  # before the automaton is built, which may take long
    return Claim(question, Words(domain, program, decision.labels), name)


def equals_everywhere(question: EqualsEverywhere, domain: Domain, name: str = "claim") -> Claim:
    """Return the claim that a network gives a program's labels at every position of every word of a domain.

    Raises InputError where the parts do not fit, or the domain is empty.
    """
    check_inputs(question.network, domain)
    check_blocks(question.network, domain, question.decision)
    return Claim(question, Words(domain), name)


def equals_network(
    network: Network,
    network_b: Network,
    inputs: Domain | Boxes,
    decision: Decision | None,
    epsilon: Fraction | None = None,
    name: str = "claim",
    warnings: tuple[str, ...] = (),
) -> Claim:
    """Return the claim that two networks agree on every input.

    They agree if they give the same label by the decision, or, if that is None, outputs within epsilon.

    Raises InputError where the parts do not fit, or the domain is empty.
    """
    question = EqualsNetwork(network, network_b, decision, epsilon)
    if isinstance(inputs, Boxes):
        return Claim(question, inputs, name, warnings)
    check_inputs(network, inputs)
    return Claim(question, Words(inputs), name, warnings)


def has_property(
    network: Network, stated: Property, name: str = "claim", warnings: tuple[str, ...] = ()
) -> Claim:
    """Return the claim that nothing unsafe comes out for any input of the property's boxes.

    Raises InputError where it does not fit.
    """
    return Claim(HasProperty(network, stated), stated.boxes, name, warnings)
