"""Surrogates that are built from an automaton of the labels: nothing is trained.

A step of `fit.py`, where the automaton comes from labelled words, and of `pipeline/`, where it is that of a
program that was found.  In this order of size: a sum for each length (`affine.py`), a recurrent cell
(`machine.py`, `cell.py`), a one-hot network (`one_hot.py`), which any automaton has.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from ..automata.automaton import Automaton
from ..automata.layered import Layered
from ..claims.decision import Decision
from ..claims.domain import Domain
from ..network.float32 import exact_in_float32
from ..onnx.writer import with_source
from .affine import affine_network, sums_of_automaton
from .cell import cell_network, smallest_cell
from .fit_data import columns_of
from .machine import LabelMachine, smallest_machine
from .one_hot import layered_of, neurons_of, one_hot_network
from .surrogate import NoSurrogate, Surrogate, SurrogatePlan, described

LARGEST = 4000  # neurons of a one-hot network


def compiled_surrogate(
    automaton: Automaton, domain: Domain, decision: Decision, *, seed: int = 0
) -> Surrogate:
    """Build the smallest network that gives the label of every word of an automaton.

    Args:
        automaton: the domain's words with their labels.
        domain: how a word enters the network.
        decision: how outputs become labels.
        seed: of everything random.

    Raises:
        NoSurrogate: a one-hot network would have more than LARGEST neurons.
    """
    started, columns = time.monotonic(), columns_of(decision)
    sums = sums_of_automaton(automaton, domain, seed)
    plans = [] if sums is None else [SurrogatePlan(affine_network(sums, domain, columns), "affine")]
    if not plans:
        machine = machine_of(automaton, domain, seed)
        plans = list(plans_of(automaton, machine, domain, columns))
    exact = [plan for plan in plans if exact_in_float32(plan.network, domain.positions).ok]
    if not exact:
        many = neurons_of(automaton)
        raise NoSurrogate(
            f"a one-hot network of the program's automaton takes {many} neurons, over {LARGEST}"
            if many > LARGEST
            else "no network of the program's automaton is exact in float32"
        )
    plan = min(exact, key=lambda each: each.cost)
    size = automaton.size
    return described(with_source(plan.network), plan, size, time.monotonic() - started)


def machine_of(automaton: Automaton, domain: Domain, seed: int) -> LabelMachine | None:
    """Return the smallest state machine that gives the automaton's labels, if there is a small one."""
    if not automaton.deterministic:
        return None
    pad = None if domain.pad is None else len(domain.tokens)
    return smallest_machine(Layered.of(automaton), len(domain.symbols), pad, seed)


def plans_of(
    automaton: Automaton, machine: LabelMachine | None, domain: Domain, columns: np.ndarray
) -> Iterator[SurrogatePlan]:
    """Yield networks that run an automaton: a cell, and one-hot networks of up to LARGEST neurons.

    Args:
        automaton: words with their labels.
        machine: a state machine with the same labels, or None.
        domain: how words enter the networks.
        columns: the networks' outputs for each label, integers (outputs, labels).
    """
    unrolled = [automaton]
    if machine is not None:
        unrolled.append(layered_of(machine, domain.max_length).automaton(len(domain.symbols)))
        cell = smallest_cell(machine)
        if cell is not None:
            yield SurrogatePlan(cell_network(machine, cell, domain, columns), "cell", cell=cell.width)
    fewest = min(unrolled, key=neurons_of)
    if neurons_of(fewest) <= LARGEST:
        yield SurrogatePlan(one_hot_network(fewest, domain, columns), "one-hot")
