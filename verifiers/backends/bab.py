"""Backend `bab`: our own branch and bound over ReLU phases, automaton states and tokens (exact)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...common.errors import Unsupported
from ...models.claims.word_claim import WordClaim
from ...version import __version__
from ..attempts import Attempt, Outcome
from ..engines.bab.bounding import DEFAULT, BabOptions
from ..engines.bab.labels import LabelSearches
from ..race.backend import Budget, Capabilities, UnknownOption
from .shared.queries import too_big

SWITCHES = {
    "no-attack": ("attack", "no look for counterexamples before bounding"),
    "no-optimise": ("optimise", "multipliers as they start, never improved"),
    "no-relus": ("split_relus", "words are split, ReLUs are not"),
    "no-words": ("split_words", "ReLUs are split as long as any is open, words only then"),
    "no-states": ("cut_states", "words are split by symbols only, not by states"),
}


@dataclass(frozen=True)
class Bab:
    """The engine with its settings; options switch single ideas off, for comparison."""

    settings: BabOptions = DEFAULT
    name: str = "bab"
    capabilities = Capabilities(
        "exact",
        in_process=True,
        certified=True,
        description="our branch and bound: bounds over the automaton's words, split by ReLUs, states and "
        "tokens",
    )

    @property
    def options(self) -> Mapping[str, str]:
        return {option: description for option, (_, description) in SWITCHES.items()}

    def with_options(self, options: Sequence[str]) -> Bab:
        unknown = next((option for option in options if option not in SWITCHES), None)
        if unknown is not None:
            raise UnknownOption(unknown, self.name, self.options)
        settings = replace(self.settings, **{SWITCHES[option][0]: False for option in options})
        return replace(self, settings=settings, name=":".join([self.name, *options]))

    def available(self) -> str | None:
        return __version__

    def unfit(self, claim: WordClaim) -> str | None:
        return too_big(claim)

    def solve(self, claim: WordClaim, budget: Budget, progress: Callable[[str], None]) -> Attempt:
        """Raises Unsupported, and InputError where the budget's checkpoint does not hold."""
        start = time.monotonic()
        deadline = start + budget.seconds
        checkpoint = None if budget.checkpoint is None else Path(budget.checkpoint)
        try:
            search = LabelSearches(claim, deadline, self.settings, budget.seed, checkpoint)
        except (TimeoutError, Unsupported) as error:
            outcome: Outcome = "timeout" if isinstance(error, TimeoutError) else "unsupported"
            return Attempt(
                self.name,
                outcome,
                __version__,
                seconds=time.monotonic() - start,
                detail=str(error),
            )
        done = search.run(deadline, max(1, budget.counterexamples), progress)
        outcome = "refuted" if search.found else "proved" if done else "timeout"
        return Attempt(
            self.name,
            outcome,
            __version__,
            "exact" if outcome == "proved" else None,
            time.monotonic() - start,
            detail=str(search),
            words=tuple(search.found),
            proved_inputs=search.proved_inputs() if outcome == "timeout" else None,
            evidence=search.evidence() if outcome == "proved" else (),
        )


BACKEND = Bab()
