"""How far a pruned circuit can be believed, over a whole domain.

Measured are: agreement with the model that it was cut out of, and the inputs where there is none; the
smallest logit margin; agreement when some of what was pruned is put back, in which a circuit fails that needs
its exact ablation; and a control, the same pruning on random labels (`random_labels.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ...claims.domain import Domain
from ..circuit import Circuit, PrunedCircuit
from ..examples import Examples
from ..teacher import CircuitDecisions, label_domain
from .control import Control, percent
from .random_labels import control_for

TRIALS = 8
BATCH = 65_536  # inputs
SHOWN, LISTED = 5, 100  # inputs where circuit and model disagree: for people, for scripts
SMALL = 10**6  # weights up to which more threads only wait for each other


@dataclass(frozen=True)
class Disagreement:
    """An input on which circuit and model decide differently."""

    tokens: tuple[str, ...]
    circuit_label: object
    model_label: object


@dataclass(frozen=True)
class Faithfulness:
    """What was measured.

    Args:
        inputs: how many there are.
        smallest_margin: between the best and the second best label's logit.
        closest: the input that has it.
        agreeing: on how many inputs circuit and model decide alike; None if nothing was pruned.
        disagreements: the first inputs on which they do not.
        partial: for each trial, the share of equal decisions when half of what was pruned is put back.
        control: the same pruning on random labels; None if it was not run.
    """

    inputs: int
    smallest_margin: float
    closest: tuple[str, ...]
    agreeing: int | None
    disagreements: tuple[Disagreement, ...]
    partial: tuple[float, ...]
    control: Control | None

    def lines(self) -> tuple[str, ...]:
        """Describe the measurements to people, one fact per line."""
        margin = f"smallest logit margin {self.smallest_margin:.3g}, on {' '.join(self.closest)}"
        if self.agreeing is None:
            nothing = "nothing was pruned, or nothing is known of it: there is no model to compare with"
            return (f"run on all {self.inputs:,} inputs", margin, nothing)
        agreement = f"{self.agreeing:,} of {self.inputs:,} inputs ({percent(self.agreeing / self.inputs)})"
        shown = [
            f"  {' '.join(d.tokens)}: circuit {d.circuit_label!r}, model {d.model_label!r}"
            for d in self.disagreements[:SHOWN]
        ]
        more = self.inputs - self.agreeing - len(shown)
        if more:
            shown.append(f"  and {more:,} more (--json has the first {LISTED})")
        mean = percent(float(np.mean(self.partial)))
        shares = f"{percent(min(self.partial))} to {percent(max(self.partial))}, mean {mean}"
        control = "no control: there are too many edges to try them one by one"
        return (
            f"same decision as the model on {agreement}",
            *shown,
            margin,
            f"with half of what was pruned put back, {len(self.partial)} times: {shares}",
            control if self.control is None else self.control.line(),
        )


def faithfulness(
    circuit: Circuit,
    domain: Domain,
    labels: Sequence[object],
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> Faithfulness:
    """Measure a circuit's faithfulness on every input of a domain.

    Runs circuit, model and trials on every input and then the control: about ten times as long as running the
    circuit, and some seconds.

    Args:
        circuit: what to measure.
        domain: the inputs.
        labels: tokens that the circuit chooses from.
        seed: of everything random.
        progress: is told what is going on.

    Raises:
        InputError: the domain does not fit the circuit, is empty or too large.
    """
    progress("running the circuit on every input")
    with _one_thread_if_small(circuit):
        own = label_domain(
            circuit,
            domain,
            labels,
            lambda done, size: progress(f"running the circuit: {done:,} of {size:,} inputs"),
        )
        words, decided, size = own.labelled.words, own.labelled.labels, len(own.labelled)
        if not isinstance(circuit, PrunedCircuit) or circuit.unpruned().summary() == circuit.summary():
            return Faithfulness(size, own.smallest_margin, own.closest, None, (), (), None)
        progress("running the whole model on every input")
        model = _decisions(circuit.unpruned(), domain, labels, words)
        rows = np.flatnonzero(decided != model)
        listed = tuple(
            Disagreement(domain.unpadded(words[i]), labels[decided[i]], labels[model[i]])
            for i in rows[:LISTED]
        )
        rng = np.random.default_rng(seed)
        partial = []
        for i in range(TRIALS):
            progress(f"with half of what was pruned put back: {i + 1} of {TRIALS}")
            restored = _decisions(circuit.partly_restored(rng), domain, labels, words)
            partial.append(float((restored == model).mean()))
        progress("control: the same pruning on random labels")
        decide = CircuitDecisions(circuit, domain, labels)
        lengths = (words < decide.pad).sum(axis=1)
        longest = lengths == lengths.max()  # pruning wants inputs of one length
        ((_, ids),) = decide.ids(words[longest])
        control = control_for(circuit, Examples(ids, model[longest], decide.columns), seed, progress)
    agreeing = size - len(rows)
    return Faithfulness(size, own.smallest_margin, own.closest, agreeing, listed, tuple(partial), control)


def _decisions(circuit: Circuit, domain: Domain, labels: Sequence[object], words: np.ndarray) -> np.ndarray:
    """Return the label indices that a circuit decides on, for padded words of the domain."""
    decide = CircuitDecisions(circuit, domain, labels)
    return np.concatenate([decide(words[i : i + BATCH])[0] for i in range(0, len(words), BATCH)])


@contextmanager
def _one_thread_if_small(circuit: Circuit) -> Iterator[None]:
    """Run small torch models on one thread: with more, each of many small products waits for the others."""
    if not 0 < circuit.summary().weights_total < SMALL:
        yield
        return
    try:
        import torch
    except ImportError:  # then no torch model runs here
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
