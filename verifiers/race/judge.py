"""What an entrant's answer is worth: the race's referee.

Gets finished attempts, replays their words, and knows when the race is decided.  A proof counts only up to
its backend's trust.  A refutation counts only after replay.  A proof next to a replayed counterexample is a
`Contradiction`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...models.claims.word_claim import WordClaim
from ..attempts import TRUST_ORDER, Attempt, Trust
from ..evidence import Coverage, Uncovered
from ..verdict import Contradiction
from .backend import Backend
from .replay import Replayed, WordReplayer

REPLAYS = 100  # words of one attempt that are replayed, beyond the number of counterexamples wanted


def reaches(trust: Trust | None, asked: Trust) -> bool:
    """Whether a trust is at least the one that was asked for."""
    return trust is not None and TRUST_ORDER.index(trust) >= TRUST_ORDER.index(asked)


@dataclass
class Judge:
    """`attempts` are in the order in which they finished; `proof` and `refutation` are there once the race
    has one.
    """

    claim: WordClaim
    asked: Trust
    replay: WordReplayer
    wanted: int = 1
    attempts: list[Attempt] = field(default_factory=list)
    proof: Attempt | None = None
    ours: set[str] = field(default_factory=set)  # backends that said proved whose word can be checked
    refutation: Attempt | None = None
    survivors: list[Replayed] = field(default_factory=list)

    @property
    def decided(self) -> bool:
        """Whether the race is over."""
        return self.proof is not None or self.refutation is not None

    @property
    def certifies(self) -> bool:
        """Whether the proof is the word of a backend that is checked by default."""
        return self.proof is not None and self.proof.backend in self.ours

    def useful(self, backend: Backend) -> bool:
        """Whether an answer of this backend could still matter: after an exact proof, only one of higher
        trust could.
        """
        if any(a.outcome == "proved" and reaches(a.trust, "exact") for a in self.attempts):
            return reaches(backend.capabilities.trust, self.asked)
        return True

    def consider(self, finished: Iterable[tuple[Backend, Attempt]]) -> None:
        """Judge attempts that finished together, so that contradictions between them are seen before any of
        them wins.
        """
        for backend, attempt in finished:
            self.attempts.append(self._judged(backend, attempt))
        self._settle()

    def doubt(self, refutation: Attempt | None) -> None:
        """Take inputs that refute a proof and that no backend has found (None: there are none)."""
        if refutation is not None:
            self.attempts.append(self._refuted(refutation))
            self._settle()

    def _settle(self) -> None:
        proofs = [a for a in self.attempts if a.outcome == "proved"]
        if self.refutation is not None:
            firm = [a for a in proofs if reaches(a.trust, "exact")]
            if firm:
                tokens = list(self.claim.domain.unpadded(self.survivors[0].word))
                raise Contradiction(
                    f"{', '.join(a.backend for a in firm)} says proved, but {self.refutation.backend} has "
                    f"a counterexample that survives replay: {tokens}"
                )
            self._reject(proofs)
        elif self.proof is None:
            self.proof = next((a for a in proofs if reaches(a.trust, self.asked)), None)

    def _reject(self, proofs: list[Attempt]) -> None:
        """Reject proofs of solvers with tolerances that a replayed counterexample contradicts."""
        assert self.refutation is not None
        contrary = f"{self.refutation.backend}'s replayed counterexample shows the contrary"
        why = f"said proved, within its tolerances; {contrary}"
        self.attempts = [a.with_(outcome="rejected", detail=why) if a in proofs else a for a in self.attempts]

    def _judged(self, backend: Backend, attempt: Attempt) -> Attempt:
        if attempt.outcome == "proved":
            try:
                Coverage.of(self.claim, attempt.evidence)
            except Uncovered as why:
                return attempt.with_(
                    outcome="crashed", trust=None, words=(), detail=f"said proved, but {why}"
                )
            # a child may claim less trust than its backend has, never more
            limit = backend.capabilities.trust
            if backend.capabilities.certified:
                self.ours.add(attempt.backend)
            trust = limit if attempt.trust is None or reaches(attempt.trust, limit) else attempt.trust
            return attempt.with_(trust=trust, words=())
        if attempt.outcome != "refuted":
            return attempt.with_(trust=None, words=())
        return self._refuted(attempt)

    def _refuted(self, attempt: Attempt) -> Attempt:
        if not attempt.words:
            return attempt.with_(
                outcome="crashed", trust=None, detail="said refuted without an input that shows it"
            )
        replayed: list[Replayed] = []
        good: list[Replayed] = []
        # so many: a liar must not keep us busy
        for word in dict.fromkeys(attempt.words[: REPLAYS + self.wanted]):
            replayed.append(self.replay.exact(word))
            if replayed[-1].status == "differs":
                good.append(replayed[-1])
            if len(good) == self.wanted:
                break
        if not good:
            details = f"its counterexample does not survive replay: {replayed[0].detail}"
            return attempt.with_(outcome="rejected", trust=None, detail=details, words=())
        self.survivors.extend(good)
        attempt = attempt.with_(words=tuple(r.word for r in good), trust=None)
        self.refutation = self.refutation or attempt
        return attempt
