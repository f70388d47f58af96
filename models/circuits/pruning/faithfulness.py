"""How far a pruned circuit can be believed, over a whole domain.

Agreement with the model it was cut out of (and the inputs where there is none), the smallest logit margin, agreement when some of what was pruned is put
back (a circuit that stands only on its exact ablation falls here), and a control: the same pruning on random labels (`control.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ...claims.domain import Domain
from ..circuit import Circuit, Pruned
from ..teacher import Questions, label_domain
from .control import Control, percent

TRIALS = 8
SHOWN, LISTED = 5, 100  # inputs where circuit and model disagree: for people, for scripts
SMALL = 10**6  # weights up to which more threads only wait for each other


@dataclass(frozen=True)
class Disagreement:
    tokens: tuple[str, ...]
    circuit_label: object
    model_label: object


@dataclass(frozen=True)
class Faithfulness:
    """Counts over `inputs`; `disagreements` are the first of them, `partial` the shares of equal decisions of each trial, none where nothing was pruned."""

    inputs: int
    smallest_margin: float
    closest: tuple[str, ...]
    agreeing: int | None
    disagreements: tuple[Disagreement, ...]
    partial: tuple[float, ...]
    control: Control | None

    def lines(self) -> tuple[str, ...]:
        """For people, one fact per line."""
        margin = f"smallest logit margin {self.smallest_margin:.3g}, on {' '.join(self.closest)}"
        if self.agreeing is None:
            return (
                f"run on all {self.inputs:,} inputs",
                margin,
                "nothing was pruned, or nothing is known of it: there is no model to compare with",
            )
        differing = self.inputs - self.agreeing
        shown = [
            f"  {' '.join(d.tokens)}: circuit {d.circuit_label!r}, model {d.model_label!r}"
            for d in self.disagreements[:SHOWN]
        ]
        if differing > len(shown):
            shown.append(f"  and {differing - len(shown):,} more (--json has the first {LISTED})")
        shares = f"{percent(min(self.partial))} to {percent(max(self.partial))}, mean {percent(float(np.mean(self.partial)))}"
        return (
            f"same decision as the model on {self.agreeing:,} of {self.inputs:,} inputs ({percent(self.agreeing / self.inputs)})",
            *shown,
            margin,
            f"with half of what was pruned put back, {len(self.partial)} times: {shares}",
            self.control.line()
            if self.control
            else "no control: there are too many edges to try them one by one",
        )


def faithfulness(
    circuit: Circuit,
    domain: Domain,
    labels: Sequence[object],
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> Faithfulness:
    """Run circuit, model and trials on every input of the domain, then the control: about ten times as long as running the circuit, and some seconds."""
    progress("running the circuit on every input")
    with _threads(circuit):
        own = label_domain(
            circuit,
            domain,
            labels,
            lambda done, size: progress(f"running the circuit: {done:,} of {size:,} inputs"),
        )
        decided, size = own.labelled.labels, len(own.labelled)
        if not isinstance(circuit, Pruned) or circuit.unpruned().summary() == circuit.summary():
            return Faithfulness(size, own.smallest_margin, own.closest, None, (), (), None)
        progress("running the whole model on every input")
        model = _decisions(circuit.unpruned(), domain, labels, own.labelled.words)
        rows = np.flatnonzero(decided != model)
        listed = tuple(
            Disagreement(domain.unpadded(own.labelled.words[i]), labels[decided[i]], labels[model[i]])
            for i in rows[:LISTED]
        )
        rng = np.random.default_rng(seed)
        partial = []
        for i in range(TRIALS):
            progress(f"with half of what was pruned put back: {i + 1} of {TRIALS}")
            decisions = _decisions(circuit.partly_restored(rng), domain, labels, own.labelled.words)
            partial.append(float((decisions == model).mean()))
        progress("control: the same pruning on random labels")
        ask = Questions(circuit, domain, labels)
        lengths = (own.labelled.words < ask.pad).sum(axis=1)
        longest = lengths == lengths.max()  # pruning wants inputs of one length
        ((_, ids),) = ask.ids(own.labelled.words[longest])
        found = circuit.control(ids, model[longest], ask.columns, seed, progress)
    return Faithfulness(
        size, own.smallest_margin, own.closest, size - len(rows), listed, tuple(partial), found
    )


def _decisions(circuit: Circuit, domain: Domain, labels: Sequence[object], words: np.ndarray) -> np.ndarray:
    """As `label_domain`, for words that are there already."""
    ask = Questions(circuit, domain, labels)
    return np.concatenate([ask(words[start : start + 65536])[0] for start in range(0, len(words), 65536)])


@contextmanager
def _threads(circuit: Circuit) -> Iterator[None]:
    """One thread for small models: with more, each of the many small products waits for the others."""
    if not 0 < circuit.summary().weights_total < SMALL:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
