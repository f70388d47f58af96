"""The steps that both roads of a distillation take (`pipeline/distillation.py`, `pipeline/three_way.py`): fit and export, propose, prove.

Everything that a step needs is in the `Job`, nothing is global.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..common.deadline import ends
from ..encoders.presolve import reduced
from ..models.automata.labelled import Labelled
from ..models.automata.layered import Layered
from ..models.circuits.circuit import Circuit
from ..models.circuits.teacher import Teaching
from ..models.claims.task import Task
from ..models.claims.word_claim import WordClaim
from ..models.network.network import Network
from ..models.onnx.reader import read_onnx
from ..models.program.program import Program
from ..models.surrogates.fit import fit_surrogate
from ..models.surrogates.surrogate import NoSurrogate, Surrogate, check_in_onnxruntime
from ..search.candidate import Candidate
from ..verifiers.race.backend import Budget
from ..verifiers.race.race import prove_claim, reach_for_checked
from ..verifiers.race.request import ProofRequest
from ..verifiers.verdict import Proved, Refuted, Trust, Verdict
from .distilled import Refutation, Sampling

Progress = Callable[[str], None]
START = 4  # examples that the search starts with: few, so that the prover's counterexamples choose the others
BOUNDING = 5.0  # seconds for counting unstable neurons


class NoProgram(Exception):
    """No surrogate fits the circuit, or no program the surrogate: an honest unknown, exit status 3."""


@dataclass(frozen=True, eq=False)
class Job:
    """What is to be distilled, and with which means."""

    teacher: Circuit
    task: Task
    budget: Budget
    backends: Sequence[str] | None
    trust: Trust | None
    say: Progress

    def fit(self, labelled: Labelled, automaton: Callable[[], Layered | None] | None = None) -> Surrogate:
        task = self.task
        try:
            return fit_surrogate(
                labelled,
                task.domain,
                task.decision,
                seed=self.budget.seed,
                automaton=automaton,
                progress=self.say,
            )
        except NoSurrogate as error:
            raise NoProgram(str(error)) from None

    def exported(self, surrogate: Surrogate) -> Network:
        """The network as the file has it."""
        domain = self.task.domain
        return read_onnx(
            surrogate.to_onnx(),
            origin="surrogate.onnx",
            positions=domain.positions,
            alphabet=len(domain.alphabet),
        )

    def check_in_onnxruntime(self, surrogate: Surrogate, labelled: Labelled) -> None:
        self.say(f"checking the surrogate in onnxruntime on {len(labelled):,} inputs")
        check_in_onnxruntime(surrogate, labelled, self.task.domain, self.task.decision)

    def claim(self, network: Network, candidate: Candidate) -> WordClaim:
        program = Program.from_source(
            candidate.source(self.task.name, f"Distilled from {self.teacher.name}."), origin="program.py"
        )
        return WordClaim(network, program, self.task.domain, self.task.decision, name=self.task.name)

    def prove(self, claim: WordClaim, budget: Budget | None = None) -> Verdict:
        """One race.  Programs that may be refuted yet are not worth a checked proof by themselves: the last one gets it (`checked`)."""
        return prove_claim(
            claim,
            budget=budget or self.budget,
            request=ProofRequest(self.trust or "exact", backends=self.backends),
            progress=self.say,
        )

    def checked(self, found: Found) -> Found:
        """The end of the road with its proof checked, where no other trust was asked for and that is affordable."""
        if self.trust is not None or not isinstance(found.verdict, Proved):
            return found
        left = min(self.budget.seconds, ends() - time.monotonic())
        return replace(found, verdict=reach_for_checked(found.claim, found.verdict, left, self.say))


@dataclass(frozen=True, eq=False)
class Found:
    """Where a road ends: the last surrogate and program, and the verdict on them."""

    teaching: Teaching
    surrogate: Surrogate
    candidate: Candidate
    refuted: tuple[Refutation, ...]
    claim: WordClaim
    verdict: Verdict
    sampling: Sampling | None = None
    overruled: tuple[Refutation, ...] = ()


def refutation(claim: WordClaim, verdict: Refuted, circuit: np.ndarray) -> Refutation:
    """With the circuit's label indices on the counterexamples."""
    return Refutation(claim.program, verdict, tuple(claim.decision.labels[int(y)] for y in circuit))


def differing_words(verdict: Refuted, claim: WordClaim) -> np.ndarray:
    """The words on which surrogate and program differ, padded."""
    return np.array([claim.domain.padded(c.tokens) for c in verdict.counterexamples], dtype=np.int16)


def unstable(claim: WordClaim) -> int | None:
    """Neurons that can be on both sides of zero as far as bounds over the language tell; None where bounding takes too long."""
    try:
        return len(
            reduced(
                claim.network, claim.domain, claim.language, min(time.monotonic() + BOUNDING, ends())
            ).relus
        )
    except TimeoutError:
        return None
