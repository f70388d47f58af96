"""The result of a distillation, as data.  `result_files.py` makes JSON and files of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..common.displayed import Displayed
from ..common.text import number
from ..models.circuits.circuit import CircuitSummary
from ..models.circuits.picture.graph import CircuitGraph
from ..models.circuits.teacher import Teaching
from ..models.claims.decision import Label
from ..models.claims.domain import Domain
from ..models.claims.task import Task
from ..models.claims.word_claim import WordClaim
from ..models.program.program import Program
from ..models.surrogates.surrogate import Surrogate
from ..search.candidate import Candidate
from ..search.finding import Findings
from ..search.front import FrontEntry
from ..verifiers.verdict import Refuted, Verdict

NO_PROGRAM = "no short program was found; this is the machine"


@dataclass(frozen=True)
class Refutation:
    """A program that the prover told apart from the surrogate of that time.

    Args:
        program: the program.
        verdict: with the counterexamples.
        circuit_labels: what the circuit says on them.
    """

    program: Program
    verdict: Refuted
    circuit_labels: tuple[Label, ...]


@dataclass(frozen=True)
class Sampling:
    """How a domain was dealt with on which the circuit was not run everywhere (keys of result.json).

    Args:
        rounds: how many programs were tried on fresh inputs, the last of which was put to the prover.
        surrogate_wrong: inputs on which the circuit corrected the surrogate.
        program_wrong: inputs on which the circuit corrected the program.
        last_sample: fresh inputs that the program was tried on, on which all three agree.
        in_onnxruntime: executed inputs on which the file was also run in onnxruntime.
    """

    rounds: int
    surrogate_wrong: int
    program_wrong: int
    last_sample: int
    in_onnxruntime: int


@dataclass(frozen=True, eq=False)
class ProvedChain:
    """The last surrogate and program of a distillation, and the verdict on them.

    Args:
        teaching: what the circuit said.
        surrogate: the network that says the same on these inputs.
        candidate: the program as the search found it.
        refuted: the programs before it.
        claim: surrogate = program.
        verdict: on the claim.
        sampling: None if the circuit was run on every input.
        overruled: refutations in which the circuit took the program's side, so that the surrogate was wrong.
        front: the program and shorter ones, with their exceptions among the executed inputs.
    """

    teaching: Teaching
    surrogate: Surrogate
    candidate: Candidate
    refuted: tuple[Refutation, ...]
    claim: WordClaim
    verdict: Verdict
    sampling: Sampling | None = None
    overruled: tuple[Refutation, ...] = ()
    front: tuple[FrontEntry, ...] = ()


@dataclass(frozen=True, eq=False)
class Distillation(Displayed):
    """What came out: circuit = surrogate (executed) = program (the verdict).

    If `sampling` is None, the circuit was run on every input of the domain.  Otherwise circuit = surrogate is
    known on the inputs of `teaching` only.

    Args:
        circuit: its sizes.
        task: domain and labels.
        teaching, surrogate, candidate, refuted, claim, verdict, sampling, overruled, front: see
            `ProvedChain`.  The claim's program has a docstring that says what was shown.
        out: the folder that was written; None for none.
        seconds: of the whole distillation.
        unstable: neurons of the surrogate that bounds do not settle; None if bounding took too long.
        graph: of the circuit, if its inside is known.
        findings: what the circuit's label was seen to depend on.
        sequences: what the circuit was read on at every position; the task's domain then holds their
            prefixes.  None: it was read at the last position.
    """

    circuit: CircuitSummary
    task: Task
    teaching: Teaching
    surrogate: Surrogate
    candidate: Candidate
    refuted: tuple[Refutation, ...]
    claim: WordClaim
    verdict: Verdict
    out: Path | None
    seconds: float
    sampling: Sampling | None = None
    unstable: int | None = None
    overruled: tuple[Refutation, ...] = ()
    graph: CircuitGraph | None = None
    front: tuple[FrontEntry, ...] = ()
    findings: Findings | None = None
    sequences: Domain | None = None

    def __str__(self) -> str:
        """Describe the chain, with the program."""
        return f"{self._executed()}\nsurrogate = program: {self.verdict}\n\n{self.claim.program.text}"

    def __repr__(self) -> str:
        return f"<Distillation of {self.circuit.name}: {self.claim.program.name}, {self.verdict!r}>"

    def _executed(self) -> str:
        n, kind = f"{len(self.teaching.labelled):,}", "inputs" if self.sequences is None else "prefixes"
        if self.sampling is None:
            return f"circuit = surrogate, executed on all {n} {kind}"
        whole = number(self.claim.domain_size)
        return f"circuit = surrogate, executed on {n} of {whole} {kind}, not on the others"
