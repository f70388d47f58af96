"""Which searches take part in the question whether a case is safe, and in what order.

Between `verifiers/boxes/decide.py` and `search_race.py`.  Cutting the box or splitting ReLUs begins, since
easy cases are over before a linear program is written.  The tree of linear programs comes soon after it, and
HiGHS with the whole question as one mixed-integer program when it takes longer.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from ...bounds.floats import FloatNetwork
from ...bounds.presolve import Presolved, presolve
from ..exact.ties import Ties
from . import input_split, lp_split, milp, relu_split
from .request import Searched, SearchRequest
from .search_race import EndedSearch, Progress, SearchEntrant, race_searches
from .tree import Tree

FEW_INPUTS = 16  # that are not fixed: up to here the box is cut, above it neurons are split
MOST_SHARES = 2**24  # of neurons and inputs: what cutting the box keeps for every subdomain
LP_AFTER, LP_AFTER_FEW, MILP_AFTER = 0.1, 5.0, 5.0  # seconds
FEWER_INPUTS = 8  # up to here programs have not been seen to win (docs/theory/branch-and-bound.md)
MILP_THREADS = 3  # below that it would take the time of those who can prove something


def few_inputs(net: FloatNetwork) -> bool:
    """Whether the box is cut; else ReLUs are split."""
    return free_inputs(net) <= FEW_INPUTS and net.count * net.sizes[0] <= MOST_SHARES


def free_inputs(net: FloatNetwork) -> int:
    return int((net.start_lower < net.start_upper).sum())


def searched(
    asked: SearchRequest, *, backend: str = "race", trust: str = "exact", ties: Ties | None = None
) -> list[EndedSearch]:
    """Run the searches against each other; returns what `race_searches` does.

    `backend`: one of `answer.BACKENDS`.  `ties` are asked where floats do not come to an end.  At trust
    "float" HiGHS's word that there is no point decides, too.
    """
    net, rows, threads = asked.net, asked.rows, asked.threads
    racing, word, few = backend == "race", trust == "float", few_inputs(net)
    late = few and free_inputs(net) <= FEWER_INPUTS
    for_lp = max(1, threads // 2) if racing else threads
    for_split = threads if late or not racing else max(1, threads - for_lp)
    known: list[Presolved] = []
    alone = threading.Lock()

    def presolved(progress: Progress) -> Presolved:
        """Once for all."""
        with alone:
            if not known:
                known.append(presolve(net, rows, asked.deadline, progress, threads))
            return known[0]

    def split(progress: Progress, tree: Tree) -> Searched:
        here, found = replace(asked, progress=progress, threads=for_split), Searched("stuck")
        if not few:
            found = relu_split.search(here, tree, presolved=presolved(progress))
        if found.status == "stuck":  # with many inputs too: the last resort
            tree.reset()
            found = input_split.search(here, tree, ties=ties)
        return found

    def lp(progress: Progress, tree: Tree) -> Searched:
        here = replace(asked, progress=progress, threads=for_lp)
        return lp_split.search(here, tree, presolved=presolved(progress), ties=ties)

    def whole(progress: Progress, tree: Tree) -> Searched:
        return milp.search(replace(asked, progress=progress), tree, presolved=presolved(progress))

    there = {
        "split": SearchEntrant("split-inputs" if few else "split-relus", split),
        "lp": SearchEntrant("split-lp", lp, after=(LP_AFTER_FEW if late else LP_AFTER) if racing else 0.0),
        "milp": SearchEntrant("milp", whole, after=MILP_AFTER if racing else 0.0),
    }
    if not racing:
        return race_searches([there[backend]], rows.polyhedra, asked.deadline, asked.progress, word=word)
    taking_part = [e for name, e in there.items() if name != "milp" or word or threads >= MILP_THREADS]
    return race_searches(taking_part, rows.polyhedra, asked.deadline, asked.progress, word=word)
