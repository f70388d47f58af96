"""The steps of a distillation: fit or build a surrogate, export it, state a claim, prove it.

Both ways take them: `exhaustive.py`, which runs the circuit on every input, and `sampled.py`, which does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..common.deadline import ends
from ..encoders.presolve import reduced
from ..models.automata.labelled import Labelled
from ..models.automata.layered import Layered
from ..models.circuits.circuit import Circuit
from ..models.circuits.prefixes import label_prefixes
from ..models.circuits.teacher import Teaching, check_repeatable, label_domain
from ..models.claims.domain import Domain
from ..models.claims.task import Task
from ..models.claims.word_claim import WordClaim
from ..models.claims.words import Words
from ..models.network.network import Network
from ..models.onnx.reader import read_onnx
from ..models.program.program import Program
from ..models.surrogates.compiled import compiled_surrogate
from ..models.surrogates.fit import fit_surrogate
from ..models.surrogates.surrogate import Surrogate, check_in_onnxruntime, check_labels
from ..search.candidate import Candidate
from ..verifiers.race.backend import Budget
from ..verifiers.race.race import prove_claim, reach_for_checked
from ..verifiers.race.request import ProofRequest
from ..verifiers.verdict import Proved, Refuted, Verdict
from .distilled import ProvedChain, Refutation

Progress = Callable[[str], None]
AT_ONCE = 64  # inputs of the circuit that a program got wrong, put to the search in one step
START = 4  # examples that the search starts with: few, so that the prover's counterexamples choose the others
BOUNDING = 5.0  # seconds for counting unstable neurons


class NoProgram(Exception):
    """No surrogate fits the circuit, or no program the surrogate: an honest unknown, exit status 3."""


@dataclass(frozen=True, eq=False)
class DistillationJob:
    """What is to be distilled, and with which means.

    Args:
        teacher: the circuit.
        task: domain and labels.
        budget: limits of each race.
        request: the backends, and how far the last proof must be trusted.
        say: is told what is going on.
        sequences: where the circuit is read at every position: what it is run on; the task's domain holds
            their prefixes.  None: it is read at the end.
    """

    teacher: Circuit
    task: Task
    budget: Budget
    request: ProofRequest
    say: Progress
    sequences: Domain | None = None

    def teach(self) -> Teaching:
        """Run the circuit on every input, and see that it says the same twice.

        Raises InputError: the circuit does not fit the domain, or gives different logits for the same input.
        """
        domain, labels = self.task.domain, self.task.decision.labels

        def told(done: int, size: int) -> None:
            self.say(f"running the circuit: {done:,} of {size:,}")

        self.say("running the circuit on every input")
        if self.sequences is not None:
            return label_prefixes(self.teacher, self.sequences, domain, labels, told)
        teaching = label_domain(self.teacher, domain, labels, told)
        check_repeatable(self.teacher, teaching, domain, labels)
        return teaching

    def fit(self, labelled: Labelled, automaton: Callable[[], Layered | None] | None = None) -> Surrogate:
        """Fit a surrogate to labelled words; see `fit_surrogate`.  Raises NoSurrogate."""
        task, seed = self.task, self.budget.seed
        return fit_surrogate(
            labelled, task.domain, task.decision, seed=seed, automaton=automaton, progress=self.say
        )

    def compiled(self, words: Words, labelled: Labelled) -> Surrogate:
        """Build a surrogate from a program's automaton, and check it on what the circuit said.

        Raises NoSurrogate.
        """
        domain, decision = self.task.domain, self.task.decision
        self.say("building a surrogate from the program")
        surrogate = compiled_surrogate(words.language, domain, decision, seed=self.budget.seed)
        check_labels(surrogate.network, labelled, domain, decision)
        return replace(surrogate, inputs=len(labelled))

    def exported(self, surrogate: Surrogate) -> Network:
        """Return the network as the ONNX file has it."""
        domain = self.task.domain
        return read_onnx(
            surrogate.to_onnx(),
            origin="surrogate.onnx",
            positions=domain.positions,
            alphabet=len(domain.alphabet),
        )

    def check_in_onnxruntime(self, surrogate: Surrogate, labelled: Labelled) -> None:
        """Run the ONNX file on these words.  Raises InputError if it decides otherwise."""
        self.say(f"checking the surrogate in onnxruntime on {len(labelled):,} inputs")
        check_in_onnxruntime(surrogate, labelled, self.task.domain, self.task.decision)

    def words(self, candidate: Candidate) -> Words:
        """Label the domain's words by a program.  Raises InputError if its automaton is too large."""
        source = candidate.source(self.task.name, f"Distilled from {self.teacher.name}.")
        program = Program.from_source(source, origin="program.py")
        return Words(self.task.domain, program, self.task.decision.labels)

    def claim(self, network: Network, words: Words) -> WordClaim:
        """State that a network gives the label of the words' program."""
        task = self.task
        assert words.program is not None, "`words` has labelled them"
        return WordClaim(network, words.program, task.domain, task.decision, name=task.name, words=words)

    def prove(self, claim: WordClaim, budget: Budget | None = None) -> Verdict:
        """Run one race.

        A program that may yet be refuted is not worth a checked proof: the last one gets it (`checked`).
        """
        request = replace(self.request, trust=self.request.trust or "exact")
        return prove_claim(claim, budget=budget or self.budget, request=request, progress=self.say)

    def checked(self, chain: ProvedChain) -> ProvedChain:
        """Have the last proof checked, if no other trust was asked for and that is affordable."""
        if self.request.trust is not None or not isinstance(chain.verdict, Proved):
            return chain
        left = min(self.budget.seconds, ends() - time.monotonic())
        return replace(chain, verdict=reach_for_checked(chain.claim, chain.verdict, left, self.say))


def refutation(claim: WordClaim, verdict: Refuted, circuit: np.ndarray) -> Refutation:
    """Return a refutation with the circuit's label indices on the counterexamples, (counterexamples,)."""
    labels = tuple(claim.decision.labels[int(y)] for y in circuit)
    return Refutation(claim.program, verdict, labels)


def differing_words(verdict: Refuted, claim: WordClaim) -> np.ndarray:
    """Return the padded words on which surrogate and program differ, int16 (n, max_length)."""
    return np.array([claim.domain.padded(c.tokens) for c in verdict.counterexamples], dtype=np.int16)


def unstable(claim: WordClaim) -> int | None:
    """Count the neurons that bounds leave on both sides of zero; None if that takes too long."""
    until = min(time.monotonic() + BOUNDING, ends())
    try:
        return len(reduced(claim.network, claim.domain, claim.language, until).relus)
    except TimeoutError:
        return None
