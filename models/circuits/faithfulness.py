"""How far a pruned circuit can be believed, over a whole domain.

Agreement with the model it was cut out of, the smallest logit margin, agreement when some of what was pruned is put back (a circuit that
stands only on its exact ablation falls here), and a control: as many parts of the model, chosen at random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..domain import Domain
from .circuit import Circuit, Pruned
from .teacher import label_domain

TRIALS = 8
SHOWN = 5


@dataclass(frozen=True)
class Disagreement:
    tokens: tuple[str, ...]
    circuit_label: object
    model_label: object


@dataclass(frozen=True)
class Faithfulness:
    """Counts over `inputs`; `partial` and `control` are the shares of equal decisions of each trial, none where nothing was pruned."""

    inputs: int
    smallest_margin: float
    closest: tuple[str, ...]
    agreeing: int | None
    disagreements: tuple[Disagreement, ...]
    partial: tuple[float, ...]
    control: tuple[float, ...]

    def lines(self) -> tuple[str, ...]:
        """For people, one fact per line."""
        out = [f"smallest logit margin {self.smallest_margin:.3g}, on {' '.join(self.closest)}"]
        if self.agreeing is None:
            return (
                f"run on all {self.inputs:,} inputs",
                *out,
                "nothing was pruned, or nothing is known of it: there is no model to compare with",
            )
        share = self.agreeing / self.inputs
        out.insert(0, f"same decision as the model on {self.agreeing:,} of {self.inputs:,} inputs ({share:.1%})")
        out += [f"  {' '.join(d.tokens)}: circuit {d.circuit_label!r}, model {d.model_label!r}" for d in self.disagreements]
        for what, shares in (
            ("with half of what was pruned put back", self.partial),
            ("control, as many parts chosen at random", self.control),
        ):
            out.append(f"{what}, {len(shares)} times: {min(shares):.1%} to {max(shares):.1%}, mean {np.mean(shares):.1%}")
        return tuple(out)


def faithfulness(
    circuit: Circuit, domain: Domain, labels: Sequence[object], seed: int = 0, progress: Callable[[str], None] = lambda text: None
) -> Faithfulness:
    """Run circuit, model and trials on every input of the domain."""
    progress("running the circuit on every input")
    own = label_domain(circuit, domain, labels)
    decided, size = own.labelled.labels, len(own.labelled)
    if not isinstance(circuit, Pruned) or circuit.unpruned().summary() == circuit.summary():
        return Faithfulness(size, own.smallest_margin, own.closest, None, (), (), ())
    progress("running the whole model")
    model = label_domain(circuit.unpruned(), domain, labels).labelled.labels
    rows = np.flatnonzero(decided != model)
    shown = tuple(Disagreement(domain.unpadded(own.labelled.words[i]), labels[decided[i]], labels[model[i]]) for i in rows[:SHOWN])
    rng = np.random.default_rng(seed)
    shares: dict[str, list[float]] = {"partial": [], "control": []}
    for i in range(TRIALS):
        progress(f"ablations: {i + 1} of {TRIALS}")
        for kind, other in (("partial", circuit.partly_restored(rng)), ("control", circuit.random_of_same_size(rng))):
            shares[kind].append(float((label_domain(other, domain, labels).labelled.labels == model).mean()))
    agreeing = size - len(rows)
    return Faithfulness(size, own.smallest_margin, own.closest, agreeing, shown, tuple(shares["partial"]), tuple(shares["control"]))
