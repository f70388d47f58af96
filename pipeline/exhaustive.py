"""Distil on a domain that the circuit can be run on as a whole.

1. Run the circuit on every input.
2. Fit a small ReLU network that gives the same label on each of them, and export it to ONNX.
3. Search for a short program.
4. Prove program = surrogate on the whole domain; a counterexample leads back to step 3.
"""

from __future__ import annotations

from ..common.errors import InputError
from ..models.automata.labelled import Labelled
from ..search.front import front
from ..search.problem import SearchProblem
from ..search.synthesise import ProgramSearch
from ..verifiers.verdict import Refuted
from .distilled import ProvedChain, Refutation
from .steps import START, DistillationJob, NoProgram, differing_words, refutation


def on_every_input(job: DistillationJob) -> ProvedChain:
    """Take the four steps.

    Raises:
        NoProgram: there is no surrogate or no program.
        InputError: the circuit does not fit the domain, or gives different logits for the same input.
    """
    task, say = job.task, job.say
    teaching = job.teach()
    surrogate = job.fit(teaching.labelled)
    job.check_in_onnxruntime(surrogate, teaching.labelled)
    network = job.exported(surrogate)

    refuted: list[Refutation] = []
    problem = SearchProblem.of(teaching.labelled, task.domain, task.decision.labels)
    search = ProgramSearch(problem, seed=job.budget.seed, start=START, progress=say)
    while True:
        say("searching for a program" + (f" ({len(refuted)} refuted so far)" if refuted else ""))
        candidate = search.best()
        if candidate is None:
            count = len(teaching.labelled)
            raise NoProgram(f"no program template explains the circuit on all {count} inputs")
        try:
            claim = job.claim(network, candidate)
        except InputError:  # its automaton is too large: another program has to do
            search.reject(candidate)
            continue
        verdict = job.prove(claim)
        if not isinstance(verdict, Refuted):
            shown = front([candidate, *(r.candidate for r in search.refuted)], teaching.labelled)
            return ProvedChain(teaching, surrogate, candidate, tuple(refuted), claim, verdict, front=shown)
        words = differing_words(verdict, claim)
        right = Labelled(words, claim.network_labels(words))  # the network agrees with the circuit everywhere
        refuted.append(refutation(claim, verdict, right.labels))
        search.refine(right)
