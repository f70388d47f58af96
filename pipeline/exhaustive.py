"""Distil on a domain that the circuit can be run on as a whole.

1. Run the circuit on every input.
2. Fit a small ReLU network that gives the same label on each of them, and export it to ONNX.
3. Search for a short program.
4. Prove program = surrogate on the whole domain; a counterexample leads back to step 3.

If no network of step 2 is small enough, the circuit's labels refute programs, and the surrogate is built from
the first program that they do not.
"""

from __future__ import annotations

import numpy as np

from ..common.errors import InputError
from ..models.automata.labelled import Labelled
from ..models.claims.words import Words
from ..models.surrogates.surrogate import NoSurrogate, Surrogate
from ..search.front import front
from ..search.problem import SearchProblem
from ..search.synthesise import ProgramSearch
from ..verifiers.verdict import Refuted
from .distilled import ProvedChain, Refutation
from .steps import AT_ONCE, START, DistillationJob, NoProgram, differing_words, refutation


def on_every_input(job: DistillationJob) -> ProvedChain:
    """Take the four steps.

    Raises:
        NoProgram: there is no surrogate or no program.
        InputError: the circuit does not fit the domain, or gives different logits for the same input.
    """
    task, say = job.task, job.say
    teaching = job.teach()
    search = ProgramSearch(
        SearchProblem.of(teaching.labelled, task.domain, task.decision.labels),
        seed=job.budget.seed,
        start=START,
        progress=say,
    )
    surrogate = _fitted(job, teaching.labelled)
    refuted: list[Refutation] = []
    while True:
        say("searching for a program" + (f" ({len(refuted)} refuted so far)" if refuted else ""))
        candidate = search.best()
        if candidate is None:
            count = len(teaching.labelled)
            raise NoProgram(f"no program template explains the circuit on all {count} inputs")
        try:
            words = job.words(candidate)
        except InputError:  # its automaton is too large: another program has to do
            search.reject(candidate)
            continue
        if surrogate is None:
            wrong = np.flatnonzero(candidate.evaluate(teaching.labelled.words) != teaching.labelled.labels)
            if len(wrong):
                search.refine(teaching.labelled.take(wrong[:AT_ONCE]))
                continue
            surrogate = _built(job, words, teaching.labelled)
        claim = job.claim(job.exported(surrogate), words)
        verdict = job.prove(claim)
        if not isinstance(verdict, Refuted):
            job.check_in_onnxruntime(surrogate, teaching.labelled)
            shown = front([candidate, *(r.candidate for r in search.refuted)], teaching.labelled)
            return ProvedChain(teaching, surrogate, candidate, tuple(refuted), claim, verdict, front=shown)
        differing = differing_words(verdict, claim)
        right = Labelled(differing, claim.network_labels(differing))  # the network agrees with the circuit
        refuted.append(refutation(claim, verdict, right.labels))
        search.refine(right)


def _fitted(job: DistillationJob, labelled: Labelled) -> Surrogate | None:
    """Fit a surrogate to the circuit's labels; None if no network is small enough."""
    try:
        return job.fit(labelled)
    except NoSurrogate as error:
        job.say(str(error))
        return None


def _built(job: DistillationJob, words: Words, labelled: Labelled) -> Surrogate:
    """Build a surrogate from a program that gives the circuit's labels.  Raises NoProgram."""
    try:
        return job.compiled(words, labelled)
    except NoSurrogate as error:
        raise NoProgram(f"no network with the circuit's labels is small enough: {error}") from None
