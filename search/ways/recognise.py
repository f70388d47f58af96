"""Write a small machine as Python that a person would write: counters, toggles, flags, memory of a token.

Between `learn.py` and the ranking.  A state that nothing leaves may become a `return` inside the loop;
`numbered.py` and `named.py` write the rest.
"""

from __future__ import annotations

import numpy as np

from ...models.automata.labelled import Labelled
from ..candidate import Candidate
from ..problem import SearchProblem
from .machine import TokenMachine
from .named import named
from .numbered import numbered
from .view import NEVER, View


def written(machine: TokenMachine, problem: SearchProblem, examples: Labelled) -> list[Candidate]:
    """Find programs that run the machine, plainest first."""
    ends = machine.run(examples.words)
    labels = np.full(len(machine.step), NEVER)
    labels[ends] = examples.labels
    alone = (machine.step == np.arange(len(machine.step))[:, None]).all(axis=1) & (labels != NEVER)
    exits = [int(q) for q in np.flatnonzero(alone) if q != machine.start]
    found: list[Candidate] = []
    for leave in [None, *exits]:
        view = View(problem, machine, labels, leave)
        for form in (numbered, named):
            found += form(view)
    return sorted(found, key=lambda c: c.key)
