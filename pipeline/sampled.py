"""Distil on a domain that is too large to run the circuit on each input.

The circuit labels a varied sample; a surrogate is fitted and a program found that explain it; the prover
compares the two on the whole domain.  If they differ, the circuit says who is wrong: the surrogate is fitted
anew, or the program replaced.  When the prover finds no difference, fresh inputs are tried, over every step
of the program's automaton too.  What is proved in the end is surrogate = program on every input.  That the
circuit agrees is known on the executed inputs, and only there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..common.errors import InputError
from ..common.text import number
from ..models.automata.automaton import Automaton
from ..models.automata.sampling import Sampler
from ..models.circuits.executed import Executed
from ..models.circuits.learner import LayeredLearner
from ..models.circuits.prefixes import check_prefixes
from ..models.circuits.teacher import check_repeatable
from ..models.claims.domain import Domain
from ..models.claims.language import build_language
from ..models.claims.word_claim import WordClaim
from ..models.network.network import Network
from ..models.surrogates.surrogate import Surrogate, wrong_rows
from ..search.candidate import Candidate
from ..search.front import front
from ..search.problem import SearchProblem
from ..search.synthesise import ProgramSearch
from ..verifiers.verdict import Proved, Refuted
from .distilled import ProvedChain, Refutation, Sampling
from .steps import START, DistillationJob, NoProgram, differing_words, refutation

SAMPLE = 3000  # inputs that the circuit is run on at first
SHORTEST = 500  # of the shortest inputs that are drawn too
FRESH = 3000  # inputs that are tried when the prover finds no more
ANSWERS = 8  # counterexamples that a race is asked for
ROUNDS = 50
SEQUENCES = 1000  # on which a circuit is read at every position, if that is asked for
IN_ONNXRUNTIME = 2000  # executed inputs, drawn at random, on which the file is run at the end
AT_ONCE = 64  # executed inputs that a program got wrong, put to the search in one step


def on_samples(job: DistillationJob, language: Automaton) -> ProvedChain:
    """Let circuit, surrogate and program correct each other until nothing differs.

    Args:
        job: what to distil.
        language: the domain.

    Raises:
        NoProgram: no surrogate or program fits what was executed, or they still differ after ROUNDS rounds.
        InputError: the circuit does not fit the domain, or gives different logits for the same input.
    """
    return _Sampled(job, language).run()


class _Sampled:
    """The state between two rounds: what was executed, what is known to matter, and who was wrong."""

    def __init__(self, job: DistillationJob, language: Automaton) -> None:
        task, say = job.task, job.say
        self.job, self.language = job, language
        self.rng = np.random.default_rng([job.budget.seed, 1])
        size = number(language.size)
        self.ask = Executed(
            job.teacher,
            task.domain,
            task.decision.labels,
            lambda done: say(f"running the circuit: {done:,} of {size} inputs so far"),
        )
        self.known = self.ask.labelled(self._first())
        self.learner = LayeredLearner(language, self.ask, job.budget.seed)
        self.search = ProgramSearch(
            SearchProblem.of(self.known, task.domain, task.decision.labels),
            seed=job.budget.seed,
            start=START,
            progress=say,
            automaton=lambda: self.learner.learn(self.ask.labelled),
        )
        self.refuted: list[Refutation] = []
        self.overruled: list[Refutation] = []
        self.surrogate_wrong = self.program_wrong = 0

    def run(self) -> ProvedChain:
        """Compare, ask the circuit who is wrong, and mend, until nothing differs."""
        job, surrogate = self.job, None
        check_repeatable(job.teacher, self.ask.teaching(), job.task.domain, job.task.decision.labels)
        if job.sequences is not None:
            self._check_prefixes(job.sequences)
        for rounds in range(1, ROUNDS + 1):
            surrogate = surrogate or self._surrogate()
            network = job.exported(surrogate)
            candidate, claim = self._candidate(network)
            job.say(f"round {rounds}: comparing surrogate and program, {len(self.ask):,} inputs executed")
            verdict = job.prove(
                claim, replace(job.budget, counterexamples=max(ANSWERS, job.budget.counterexamples))
            )
            if isinstance(verdict, Refuted):
                words = differing_words(verdict, claim)
            elif isinstance(verdict, Proved):
                words = self._fresh(claim)
            else:
                words = np.zeros((0, job.task.domain.max_length), dtype=np.int16)
            right = self.ask.labelled(words)
            wrong_surrogate = claim.network_labels(words) != right.labels
            wrong_program = candidate.evaluate(words) != right.labels
            if not isinstance(verdict, Refuted) and not (wrong_surrogate | wrong_program).any():
                everything = self.ask.labelled()
                some = everything.take(self.rng.permutation(len(everything))[:IN_ONNXRUNTIME])
                job.check_in_onnxruntime(surrogate, some)
                surrogate = replace(surrogate, inputs=len(everything))
                sampling = Sampling(rounds, self.surrogate_wrong, self.program_wrong, len(words), len(some))
                return ProvedChain(
                    self.ask.teaching(),
                    surrogate,
                    candidate,
                    tuple(self.refuted),
                    claim,
                    verdict,
                    sampling,
                    tuple(self.overruled),
                    front([candidate, *(r.candidate for r in self.search.refuted)], everything),
                )
            if isinstance(verdict, Refuted):
                (self.refuted if wrong_program.any() else self.overruled).append(
                    refutation(claim, verdict, right.labels)
                )
            if wrong_surrogate.any():
                surrogate = None
                self.surrogate_wrong += int(wrong_surrogate.sum())
            if wrong_program.any():
                self.program_wrong += int(wrong_program.sum())
                self.search.refine(right.take(np.flatnonzero(wrong_program)[:AT_ONCE]))
            self.known = self.known.joined(right.take(np.flatnonzero(wrong_surrogate | wrong_program)))
        raise NoProgram(
            f"surrogate and program still differ after {ROUNDS} rounds and {len(self.ask):,} circuit inputs"
        )

    def _check_prefixes(self, sequences: Domain) -> None:
        """See on a sample of sequences that the circuit's label at a position is that of the prefix alone."""
        job = self.job
        job.say("reading the circuit at every position")
        words = Sampler(build_language(sequences, None, None)).varied(SEQUENCES, self.rng)
        check_prefixes(job.teacher, sequences, job.task.domain, job.task.decision.labels, words)

    def _first(self) -> np.ndarray:
        """Draw the first inputs: varied ones, and some of the shortest."""
        self.job.say("drawing inputs")
        sampler = Sampler(self.language)
        words = sampler.varied(SAMPLE, self.rng)
        if self.job.task.domain.pad is not None:
            pad = len(self.job.task.domain.tokens)
            short = np.where(np.arange(self.language.symbol_count) == pad, 100.0 * pad, 1.0)
            drawn = np.unique(sampler.words(8 * SHORTEST, self.rng, short), axis=0)
            words = np.unique(
                np.concatenate(
                    [words, drawn[np.argsort(-(drawn == pad).sum(axis=1), kind="stable")][:SHORTEST]]
                ),
                axis=0,
            )
        return self.rng.permutation(words)

    def _surrogate(self) -> Surrogate:
        """Fit a surrogate that is right on every executed input; what it gets wrong joins the known ones."""
        job = self.job
        while True:
            surrogate = job.fit(self.known, lambda: self.learner.learn(self.ask.labelled))
            everything = self.ask.labelled()
            wrong = wrong_rows(surrogate.network, everything, job.task.domain, job.task.decision)
            if not len(wrong):
                return surrogate
            job.say(f"the surrogate is wrong on {len(wrong):,} of {len(everything):,} executed inputs")
            self.known = self.known.joined(everything.take(self.rng.permutation(wrong)[: SAMPLE // 4]))

    def _candidate(self, network: Network) -> tuple[Candidate, WordClaim]:
        """Find the plainest program that is right on every executed input and that the prover can read."""
        everything = self.ask.labelled()
        while True:
            self.job.say(
                "searching for a program" + (f" ({len(self.refuted)} refuted so far)" if self.refuted else "")
            )
            candidate = self.search.best()
            if candidate is None:
                raise NoProgram(
                    "no program template explains the circuit on the "
                    f"{len(everything):,} inputs that it was run on"
                )
            wrong = np.flatnonzero(candidate.evaluate(everything.words) != everything.labels)
            if not len(wrong):
                try:
                    return candidate, self.job.claim(network, candidate)
                except InputError:  # its automaton is too large
                    self.search.reject(candidate)
                    continue
            self.search.refine(everything.take(self.rng.permutation(wrong)[:AT_ONCE]))

    def _fresh(self, claim: WordClaim) -> np.ndarray:
        """Draw inputs for the end: over every step of the program's automaton, varied ones, each label."""
        self.job.say("trying fresh inputs on the circuit")
        parts = [
            Sampler(claim.language).through_every_edge(self.rng)[:FRESH],
            Sampler(self.language).varied(FRESH, self.rng),
        ]
        for label in range(len(self.job.task.decision.labels)):
            share = claim.language.restricted(label)
            if not share.empty:
                parts.append(Sampler(share).varied(FRESH // 4, self.rng))
        return np.unique(np.concatenate(parts), axis=0)
