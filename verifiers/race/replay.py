"""Replay of a proposed word: exactly over the rationals, by running the program, and in onnxruntime.

Between an entrant's words and a verdict: nothing becomes `Refuted` that did not come through here.  The
domain is checked by running its predicate.  The program's label comes from running the program, not from the
automaton that solvers were given; if the two disagree, that is our bug and is raised as one.  The network's
label comes from exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np

from ...common.errors import InputError
from ...common.text import rational
from ...models.claims.decision import Label, same_label
from ...models.claims.word_claim import WordClaim
from ...models.network.integers import dyadic
from ...models.network.runtime import OnnxRuntime, RuntimeMismatch, RuntimeUnavailable
from ...models.onnx.writer import with_source
from ..counterexamples import WordCounterexample
from ..verdict import Contradiction

NOT_REPLAYED = "counterexamples are replayed exactly, but not in onnxruntime"
Status = Literal[
    "differs",  # a counterexample, exactly and in onnxruntime
    "rounding",  # a counterexample exactly, but onnxruntime gives another label: the network rounds
    "agrees",  # network and program give the same label
    "outside",  # not in the domain
    "malformed",  # not a word at all
]


@dataclass(frozen=True)
class Replayed:
    """What came of one word.  `detail` explains a status that is not "differs"."""

    word: tuple[int, ...]
    status: Status
    counterexample: WordCounterexample | None = None
    detail: str = ""


class WordReplayer:
    """Replays words of one claim.  The onnxruntime session is made on first use and kept.

    `missing` says why there is no replay in onnxruntime; "" where there is one or none was needed.
    """

    def __init__(self, claim: WordClaim) -> None:
        self.claim = claim
        self.missing = ""

    def exact(self, word: Sequence[int]) -> Replayed:
        """Replay a word without onnxruntime: the status is differs, agrees, outside or malformed."""
        claim, domain = self.claim, self.claim.domain
        word = tuple(word)
        if len(word) != domain.max_length:
            return Replayed(
                word,
                "malformed",
                detail=f"{len(word)} symbols where the domain's words have {domain.max_length}",
            )
        if any(type(s) is not int or not 0 <= s < len(domain.symbols) for s in word):
            return Replayed(word, "malformed", detail=f"symbols are 0 to {len(domain.symbols) - 1}")
        tokens = domain.unpadded(word)
        shown = f"the input {list(tokens)}"
        if not domain.min_length <= len(tokens) <= domain.max_length or domain.padded(tokens) != word:
            return Replayed(
                word,
                "outside",
                detail=f"{shown} (length {len(tokens)}) does not fit the lengths or has padding inside",
            )
        if domain.where is not None and domain.where.answer(tokens) is not True:
            return Replayed(word, "outside", detail=f"{shown} is outside the domain: `where` says no")
        program_label = claim.program_label(tokens)
        self._agree_with_language(word, program_label)
        numerators = claim.network.evaluate(domain.one_hot(np.array([word], dtype=np.int64)))
        network_index = int(claim.decision.decide(numerators)[0])
        if claim.decision.index(program_label) == network_index:
            what = f"network and program agree on {shown}: {program_label!r}"
            return Replayed(
                word, "agrees", detail=f"the networks agree on {shown}" if claim.comparison else what
            )
        outputs = tuple(Fraction(int(v), claim.network.scale) for v in numerators[0])
        both = None
        if claim.comparison is not None:  # once more, by the two networks themselves
            both = claim.comparison.outputs_on(domain.one_hot(np.array([word], dtype=np.int64)))
            if not claim.comparison.differ(*both):
                agree = f"the networks agree on {list(tokens)}"
                raise Contradiction(f"{agree}, the network that compares them says that they do not")
        found = WordCounterexample(tokens, claim.decision.labels[network_index], program_label, outputs, both)
        return Replayed(word, "differs", found)

    def __call__(self, word: Sequence[int]) -> Replayed:
        """Replay a word fully."""
        result = self.exact(word)
        found = result.counterexample
        if found is None or self.runtime is None:
            return result
        confirmed, shown = self._in_onnxruntime(self.runtime, result.word, found)
        if self.missing or confirmed:
            return result
        where = f"on the input {list(found.tokens)}"
        if self.claim.comparison is not None:
            detail = f"{where} the two networks disagree exactly, but {shown}"
        else:
            outputs = ", ".join(map(rational, found.outputs))
            detail = (
                f"{where} the network's exact outputs ({outputs}) mean {found.network_label!r}, but {shown}; "
                f"the program says {found.program_label!r}"
            )
        return Replayed(result.word, "rounding", found, detail)

    def _in_onnxruntime(
        self, runtimes: tuple[OnnxRuntime, ...], word: tuple[int, ...], found: WordCounterexample
    ) -> tuple[bool, str]:
        """Return whether onnxruntime gives the same label (or the two networks disagree there, too), and its
        outputs as text.
        """
        try:
            every = [
                runtime.run_words(self.claim.domain, np.array([word], dtype=np.int64))[0]
                for runtime in runtimes
            ]
        except RuntimeMismatch as error:
            return False, str(error)
        except RuntimeUnavailable as error:
            self.missing = f"{error}: {NOT_REPLAYED}"
            return False, ""
        if (pair := self.claim.comparison) is not None:
            one, other = (
                pair.read([Fraction(*float(v).as_integer_ratio()) for v in outputs]) for outputs in every
            )
            shown = " against ".join(", ".join(repr(float(v)) for v in outputs) for outputs in every)
            return pair.differ(one, other), f"onnxruntime's outputs ({shown}) do not"
        (outputs,) = every
        numerators, _ = dyadic(outputs)  # floats compare as the exact numbers that they are
        label = self.claim.decision.labels[int(self.claim.decision.decide(numerators.reshape(1, -1))[0])]
        return same_label(
            label, found.network_label
        ), f"onnxruntime's ({', '.join(repr(float(v)) for v in outputs)}) mean {label!r}"

    def labels_in_onnxruntime(self, words: np.ndarray) -> np.ndarray | None:
        """Return the label indices (words,) of the file's outputs; of two networks, whether they agree.

        Returns None where onnxruntime was not run: `missing` says why.  Raises RuntimeMismatch.
        """
        if self.runtime is None:
            return None
        try:
            every = [runtime.run_words(self.claim.domain, words) for runtime in self.runtime]
        except RuntimeUnavailable as error:
            self.missing = f"{error}: {NOT_REPLAYED}"
            return None
        if (pair := self.claim.comparison) is None:
            return self.claim.decision.decide(every[0])
        told = [
            [pair.read([Fraction(*float(v).as_integer_ratio()) for v in row]) for row in outputs]
            for outputs in every
        ]
        agree = [not pair.differ(a, b) for a, b in zip(*told, strict=True)]
        return np.array([self.claim.decision.index(a) for a in agree])

    @cached_property
    def runtime(self) -> tuple[OnnxRuntime, ...] | None:
        """Open the claim's ONNX bytes in onnxruntime, for each network; a network without a file is written
        first.

        Returns None where that fails: `missing` says why.
        """
        domain, pair = self.claim.domain, self.claim.comparison
        size = {"positions": domain.positions, "alphabet": len(domain.alphabet)}
        networks = (self.claim.network,) if pair is None else (pair.network, pair.network_b)
        try:
            return tuple(
                OnnxRuntime(network if network.source else with_source(network, **size))
                for network in networks
            )
        except (InputError, RuntimeUnavailable) as error:
            self.missing = f"{error}: {NOT_REPLAYED}"
            return None

    def _agree_with_language(self, word: tuple[int, ...], label: Label) -> None:
        told = self.claim.language.label_of(word)
        if told is None or told != self.claim.decision.index(label):
            meant = "no label" if told is None else repr(self.claim.decision.labels[told])
            tokens = list(self.claim.domain.unpadded(word))
            raise Contradiction(
                f"the automaton gives {meant} to {tokens}, running the program gives {label!r}"
            )
